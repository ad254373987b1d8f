package model

import "fmt"

// Bounds of a walk through the incarnations.
const (
	maxBoxes   = 2
	maxEntries = 6 // records in one journal
)

// epoch is one incarnation of the store's state: the timeline that issued it,
// and a counter.
type epoch struct{ tau, counter int8 }

// after compares epochs. The older form compared the counters alone.
func (e epoch) after(f epoch, rules Rules) bool {
	if e.tau != f.tau && rules.on(EpochByTimeline) {
		return e.tau > f.tau
	}
	return e.counter > f.counter
}

// entry is a record as far as the two logs see it: what it is about, and who
// wrote it. Ids from beginsTimeline on are no sale.
type entry struct {
	id    uint8
	epoch epoch
}

const beginsTimeline uint8 = 0x80

// history is a journal from its record first on; numbers begin with 1.
type history struct {
	first, last int8
	at          [maxEntries]entry // at[0] is record 1, whether or not it is here
}

func (h *history) append(e entry) {
	h.at[h.last] = e
	h.last++
}

func (h *history) has(id uint8) bool {
	for n := max(1, h.first); n <= h.last; n++ {
		if h.at[n-1].id == id {
			return true
		}
	}
	return false
}

// box is one machine with its disk.
type box struct {
	epoch   epoch
	tau     int8 // of the newest timeline that its journal knows
	journal history
	starts  int8  // how often it has started
	start   uint8 // this start's own name
	safe    bool  // a till has seen more than it has
	doubted bool  // that has happened in this epoch
	fenced  bool  // it was told that it is old
	blind   bool  // restored, and not spoken with the cloud since
	// Restored, and nothing that the cloud knows could tell: the backup was
	// newer than what the cloud has, and of the start that it has seen.
	unnoticed bool
}

// bureau is the cloud as far as it knows boxes.
type bureau struct {
	epoch   epoch
	tau     int8
	box     int8 // the enrolled one
	archive history
	starts  int8 // of the enrolled box, when it last said Hello
	start   uint8
	frozen  bool // until a person has said which box stands in the shop
	salvage uint8
}

// request is what a till has asked and keeps until the cloud has it.
type request struct {
	kept  bool
	seq   int8
	epoch epoch
}

// witness is what a till remembers of the newest answer that it got.
type witness struct {
	epoch epoch
	seq   int8
	id    uint8
}

// maxSold bounds the sales of a walk.
const maxSold = 3

// chapter is all of it at one moment.
type chapter struct {
	boxes     [maxBoxes]box
	enrolled  int8 // boxes that exist
	shop      int8 // the one that stands in the shop
	session   int8 // the one that the cloud listens to; -1: none
	cloud     bureau
	kept      [maxSold]request
	seen      witness
	sold      int8
	acked     uint8 // sales that a till was answered for
	starts    uint8 // names of starts given so far
	disk      *box  // a backup of the box in the shop
	vault     *bureau
	diskUsed  bool
	vaultUsed bool
}

// History is what may happen in a walk through the incarnations.
type History struct {
	Name     string
	Rules    Rules
	Sales    int8
	Replaces bool // a box is lost and another one enrolled
	Restores bool // a box is restored from its backup
	Bumps    bool // the cloud is restored from its backup
}

const (
	serves what = 100 + iota
	waits
	says
	sends
	hears
	repeats
	backsUp
	puts
	startsAgain
	enrols
	backsUpCloud
	putsCloud
)

var chapterNames = map[what]string{
	serves: "till: sells at box %d", waits: "till: has seen more than box %d",
	says:  "line: box %d says Hello",
	sends: "line: box %d sends a record", hears: "till: hears how much the cloud has",
	repeats: "till: repeats sale %[2]d at box %[1]d", backsUp: "shop: the disk of box %d is backed up",
	puts: "fault: box %d is restored from the backup", startsAgain: "shop: box %d starts again",
	enrols:       "fault: box %d is replaced by a new one",
	backsUpCloud: "cloud: is backed up", putsCloud: "fault: the cloud is restored from its backup",
}

// ExploreIncarnations walks through every way in which boxes and the cloud can
// lose their past and meet again.
func ExploreIncarnations(sc History, b Bounds) Report {
	w := &chronicler{sc: &sc}
	first := chapter{enrolled: 1, session: -1, starts: 1}
	first.boxes[0] = box{epoch: epoch{0, 1}, journal: history{first: 1}, starts: 1, start: 1}
	first.cloud = bureau{epoch: epoch{0, 1}, archive: history{first: 1}}
	return explore(graph[chapter]{first: first, next: w.moves, key: (*chapter).key,
		say: func(m move, c *chapter) string {
			return fmt.Sprintf("%-46s | %s", spell(chapterNames[m.what], m), c)
		}}, b)
}

func (c *chapter) String() string {
	b := &c.boxes[c.shop]
	return fmt.Sprintf("shop's box %d: epoch %d.%d, timeline %d, records %d to %d; cloud: epoch "+
		"%d.%d, timeline %d, box %d, records to %d; session %d", c.shop, b.epoch.tau, b.epoch.counter,
		b.tau, b.journal.first, b.journal.last, c.cloud.epoch.tau, c.cloud.epoch.counter, c.cloud.tau,
		c.cloud.box, c.cloud.archive.last, c.session)
}

func (c *chapter) key(k []byte) []byte {
	for i := range c.enrolled {
		k = c.boxes[i].key(k)
	}
	k = c.cloud.key(k)
	k = append(k, uint8(c.enrolled)|uint8(c.shop)<<4, uint8(c.session), uint8(c.sold), c.acked,
		c.starts, flags(c.diskUsed, c.vaultUsed, c.disk != nil, c.vault != nil),
		uint8(c.seen.seq), c.seen.id, c.seen.epoch.byte())
	for _, r := range c.kept {
		k = append(k, flags(r.kept)|uint8(r.seq)<<4, r.epoch.byte())
	}
	if c.disk != nil {
		k = c.disk.key(k)
	}
	if c.vault != nil {
		k = c.vault.key(k)
	}
	return k
}

func (e epoch) byte() uint8 { return uint8(e.tau) | uint8(e.counter)<<4 }

func (h *history) key(k []byte) []byte {
	k = append(k, uint8(h.first)|uint8(h.last)<<4)
	for n := max(1, h.first); n <= h.last; n++ {
		k = append(k, h.at[n-1].id, h.at[n-1].epoch.byte())
	}
	return k
}

func (b *box) key(k []byte) []byte {
	k = append(k, b.epoch.byte(), uint8(b.tau)|flags(b.safe, b.fenced, b.blind, b.doubted)<<4,
		uint8(b.starts)|flags(b.unnoticed)<<4, b.start)
	return b.journal.key(k)
}

func (c *bureau) key(k []byte) []byte {
	k = append(k, c.epoch.byte(), uint8(c.tau)|uint8(c.box)<<4, uint8(c.starts), c.start,
		flags(c.frozen), c.salvage)
	return c.archive.key(k)
}
