package model

// Bounds of one state.
const (
	maxLog   = 10 // records that somebody may still need
	maxLost  = 4  // records that a lost box had and the cloud had not
	maxChain = 8  // directives of one timeline
)

// Event is something that a scenario allows to happen.
type Event uint32

// Events beyond the ordinary day: a sale, a grant, a hold, a confirm, a
// hand-over, an expiry, the two logs.
const (
	Borrowing    Event = 1 << iota // a promised unit is sold
	Bumping                        // a reserved unit is sold
	Picking                        // goods are picked and staged
	Receiving                      // goods come in
	Shrinking                      // a unit disappears
	Counting                       // people count the shelf; where units disappear, also wrongly
	Surplus                        // there is a unit that nobody booked
	Cancelling                     // shoppers ask to cancel
	Returning                      // the cloud gives rights back
	LateTargets                    // an old request for rights comes again
	Voiding                        // a box does not know a directive, and it is taken back
	Dying                          // the box is lost and rebuilt
	Salvaging                      // the lost box comes back
	Resubmitting                   // tills repeat what they had asked
	Restoring                      // the box is restored from its own backup
	NewTimeline                    // the cloud is restored from its backup
	BothTails                      // the box and the cloud lose their tails
	Abandoning                     // the cloud gives a silent store up
)

// Scenario is what may happen in one walk, and how often.
type Scenario struct {
	Name       string
	Rules      Rules
	Can        Event
	Units      int8   // on the shelf at first
	Quantities []int8 // of each reservation
	Sales      int8
	Hands      int8 // hand-overs
	Grants     int8 // units granted in all
	Returns    int8 // units returned in all
	Tail       int8 // records that the cloud does not have
	Directives int8 // of one timeline
}

func (sc *Scenario) can(e Event) bool { return sc.Can&e != 0 }

// phase is how far the cloud is with a reservation.
type phase uint8

const (
	unheard phase = iota
	held
	confirmed
	freed
)

// order is what a directive says.
type order uint8

const (
	toReserve order = 1 + iota
	toReturn
	toCancel
	toSalvage
	toVoid
)

var orderNames = [...]string{"", "Reserve", "Return", "Cancel", "SalvageFacts", "Void"}

type directive struct {
	order order
	r     int8
	n     int8
	total int8 // of a return: R afterwards; of salvaged facts: 1 for the last
}

// cloud is what head office decides; what it knows of the store is the mirror.
type cloud struct {
	stages             [maxPromises]phase
	asked              [maxPromises]bool // to cancel
	again              [maxPromises]bool // issued again after a restore
	tau                [maxPromises]int8 // in which timeline it was promised
	returned, assigned int8              // of the current timeline; older ones are forgotten
	chain              [maxChain]directive
	length             int8
	timeline           int8
	fenced             bool // the store's box is given up
}

// token is what a shopper carries.
type token struct {
	held   bool
	number int8 // of the directive
	tau    int8
}

// lostBox says what became of a box that was lost.
type lostBox uint8

const (
	none lostBox = iota
	gone
	queued // its records are on their way as a directive
	booked
)

// saved is a backup of the cloud. The log of a walk begins where it was made.
type saved struct {
	mirror books
	stages [maxPromises]phase
	asked  [maxPromises]bool
	tau    [maxPromises]int8
}

// counters bound what happens, and remember what explains a debt.
type counters struct {
	sales, hands, grants, returns, borrowed, shrunk, surplus, counts, miscounts, receipts, voids int8
}

// state is all of it at one moment.
type state struct {
	node, mirror books
	log          [maxLog]record // what somebody may need, up to the store's newest
	written, up  int8           // records in log; of these, the mirror has
	hole         int8           // of these, only the cloud has
	lost         [maxLost]record
	lostLen      int8
	box          lostBox
	cloud        cloud
	shelf        int8 // usable units that are really there
	off          int8 // by how much the books should differ from the shelf
	tokens       [maxPromises]token
	hand         [maxPromises]int8 // units really handed over
	used         counters
	oldBox       bool // the box does not know the directive Reserve
	cloudSave    *saved
	restored     bool   // the cloud was
	nodeSave     *books // a backup of the box
	since        int8   // records written since then
	nodeRestored bool
}

func (s *state) head() int8 { return s.written - s.up }

func (s *state) heldUnits(sc *Scenario) (n int8) {
	for r := range sc.Quantities {
		if s.cloud.stages[r] == held && s.cloud.tau[r] == s.cloud.timeline {
			n += sc.Quantities[r]
		}
	}
	return n
}

// pool is what the cloud may promise.
func (s *state) pool(sc *Scenario) int8 {
	c := &s.cloud
	return s.mirror.granted[c.timeline] - c.returned - c.assigned - s.heldUnits(sc)
}

// connected tells whether the store and the cloud speak.
func (s *state) connected() bool {
	return s.node.timeline == s.cloud.timeline && !s.cloud.fenced
}

// whole tells whether everything that a lost box had written is booked again;
// hands and sales alone if all is false.
func (s *state) whole(all bool) bool {
	if s.box == none || s.box == booked {
		return true
	}
	for _, x := range s.lost[:s.lostLen] {
		switch x.kind {
		case sale:
			if s.node.sales&(1<<x.uid) == 0 {
				return false
			}
		case collect, collectByToken:
			if s.node.hands&(1<<x.uid) == 0 {
				return false
			}
		case receipt, count, runShort, replace, giveAway, reshelve:
			if all {
				return false
			}
		}
	}
	return true
}

// key appends what distinguishes states. Places outside of the store are left
// out: they follow from the rest and nothing depends on them.
func (s *state) key(k []byte, sc *Scenario) []byte {
	k = s.node.key(k, sc)
	k = s.mirror.key(k, sc)
	k = append(k, uint8(s.written), uint8(s.up), uint8(s.hole))
	for _, x := range s.log[:s.written] {
		k = x.key(k)
	}
	k = append(k, uint8(s.lostLen), uint8(s.box))
	for _, x := range s.lost[:s.lostLen] {
		k = x.key(k)
	}
	c, u := &s.cloud, &s.used
	k = append(k, uint8(c.returned), uint8(c.assigned), uint8(c.timeline), uint8(c.length),
		flags(c.fenced, s.oldBox, s.restored, s.nodeRestored, s.cloudSave != nil, s.nodeSave != nil))
	for _, d := range c.chain[:c.length] {
		k = append(k, uint8(d.order)|uint8(d.r)<<4, uint8(d.n)|uint8(d.total)<<4)
	}
	for r := range sc.Quantities {
		t := &s.tokens[r]
		k = append(k, uint8(c.stages[r])|flags(c.asked[r], c.again[r], t.held)<<4,
			uint8(c.tau[r])|uint8(t.tau)<<4, uint8(t.number), uint8(s.hand[r]))
	}
	k = append(k, uint8(s.shelf), uint8(s.off), uint8(u.sales)|uint8(u.hands)<<4,
		uint8(u.grants)|uint8(u.returns)<<4, uint8(u.borrowed)|uint8(u.shrunk)<<4,
		uint8(u.surplus)|uint8(u.counts)<<4, uint8(u.miscounts)|uint8(u.receipts)<<4,
		uint8(u.voids), uint8(s.since))
	if s.cloudSave != nil {
		k = s.cloudSave.mirror.key(k, sc)
		for r := range sc.Quantities {
			k = append(k, uint8(s.cloudSave.stages[r])|flags(s.cloudSave.asked[r])<<4,
				uint8(s.cloudSave.tau[r]))
		}
	}
	if s.nodeSave != nil {
		k = s.nodeSave.key(k, sc)
	}
	return k
}

func (b *books) key(k []byte, sc *Scenario) []byte {
	k = append(k, uint8(b.at[sellable]), uint8(b.at[shelving]), b.sales, b.hands, uint8(b.timeline),
		flags(b.counted, b.drained))
	for t := range maxTimelines {
		k = append(k, uint8(b.online[t]), uint8(b.granted[t])|uint8(b.returned[t])<<4,
			uint8(b.assigned[t])|uint8(b.directives[t])<<4)
	}
	for r := range sc.Quantities {
		p := &b.promises[r]
		k = append(k, flags(p.known, p.heard, p.taken)|uint8(p.bare)<<4,
			uint8(p.number)|uint8(p.tau)<<4)
		if p.known {
			k = append(k, uint8(p.at[reserved])|uint8(p.at[picked])<<4,
				uint8(p.at[staged])|uint8(p.at[collected])<<4,
				uint8(p.at[released])|uint8(p.at[short])<<4)
		}
	}
	return k
}

func (x record) key(k []byte) []byte {
	return append(k, uint8(x.kind), uint8(x.r)|uint8(x.uid)<<4, uint8(x.n),
		uint8(x.k), uint8(x.bump)|uint8(x.q)<<4, uint8(x.number)|uint8(x.tau)<<4, flags(x.debt, x.dir))
}

func flags(all ...bool) (b uint8) {
	for i, set := range all {
		if set {
			b |= 1 << i
		}
	}
	return b
}
