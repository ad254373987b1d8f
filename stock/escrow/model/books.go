package model

// maxPromises bounds the reservations of one walk, maxTimelines the
// incarnations of the cloud.
const (
	maxPromises  = 3
	maxTimelines = 2
)

// place is where units are that are not bound to anybody, in the store or
// outside of it. Units whose right lies with the cloud stand in books.online.
type place uint8

const (
	sellable place = iota
	shelving       // on the premises, waiting for a shelf scan
	damaged
	supplier // from here on outside
	sold
	collectedOut
	returnedIn
	missing
	found
	thrown
	numPlaces
)

// part is what became of units of a reservation.
type part uint8

const (
	reserved part = iota
	picked
	staged
	collected // from here on final
	released
	short
	numParts
)

// promise is a reservation as the store knows it.
type promise struct {
	known bool
	heard bool // the cloud's directive was applied; false: known by its token alone
	taken bool // ever taken out of online; for the checks, outlives the row
	bare  int8 // units that online did not cover
	// Which directive of which timeline first carried it.
	number, tau int8
	at          [numParts]int8
}

func (p *promise) open() int8 { return p.at[reserved] + p.at[picked] + p.at[staged] }

func (p *promise) final() bool { return p.known && p.open() == 0 }

// books are what the records of one store add up to, for one SKU: at the node,
// and in the cloud's mirror of it. Rights are kept by timeline.
type books struct {
	at                                  [numPlaces]int8
	online, granted, returned, assigned [maxTimelines]int8
	promises                            [maxPromises]promise
	directives                          [maxTimelines]int8 // applied
	timeline                            int8
	sales, hands                        uint8 // uids, one bit each
	counted                             bool  // somebody counted since this incarnation began
	drained                             bool  // the first timeline's rights were taken back
}

// kind says what a record does.
type kind uint8

const (
	receipt kind = 1 + iota
	sale
	refund
	refundDamaged
	count
	damage
	writeOff
	reshelve
	grant
	applyReturn
	accept
	pick
	unpick
	stage
	unstage
	collect
	collectByToken
	release
	runShort
	giveAway
	replace
	void
	changeTimeline
	drain
	salvage
	resubmit
	begin
	noted // a directive that changed nothing
	numKinds
)

var kindNames = [numKinds]string{"", "receipt", "sale", "refund", "refund damaged", "count",
	"damage", "write off", "reshelve", "grant", "apply return", "accept", "pick", "unpick", "stage",
	"unstage", "collect", "collect by token", "release", "run short", "give away", "replace", "void",
	"change timeline", "drain", "salvage", "resubmit", "begin", "note"}

func (k kind) String() string { return kindNames[k] }

// record is one entry of a store's journal.
type record struct {
	kind kind
	r    int8 // the reservation
	n    int8 // units; of a count the difference
	q    int8 // of an accept or a token: the reservation's units
	// Of an accept, a token or a void: the promise's timeline, and its directive.
	tau, number int8
	// k is, of a sale, the units that the books did not know; of a token, those
	// that online does not cover; of a grant or a return, by how much its total
	// is wrong; of a salvage or a resubmission, which lost record it is about.
	k    int8
	bump int8 // of a sale: units of r that were given away for it
	uid  int8
	debt bool // of a sale: sellable may go below zero
	dir  bool // applies a directive
}

// law is what a record is booked by: the rules, and what a lost box had written.
type law struct {
	rules Rules
	lost  []record
}

// apply books one record, or returns why not and changes nothing.
func (b *books) apply(x record, l law) (no string) {
	was := *b
	if no = b.body(x, l); no != "" {
		*b = was
		return no
	}
	if x.dir {
		b.directives[b.timeline]++
	}
	return ""
}

func (b *books) body(x record, l law) string {
	switch x.kind {
	case receipt:
		return b.from(supplier, sellable, x.n)
	case sale:
		return b.sell(x)
	case refund:
		return b.from(returnedIn, shelving, x.n)
	case refundDamaged:
		return b.from(returnedIn, damaged, x.n)
	case count:
		b.counted = true
		b.differ(x.n)
	case damage:
		return b.guarded(sellable, damaged, x.n)
	case writeOff:
		return b.guarded(damaged, thrown, x.n)
	case reshelve:
		return b.guarded(shelving, sellable, x.n)
	case grant, applyReturn, drain, changeTimeline:
		return b.rights(x)
	case accept, collectByToken, void:
		return b.promised(x, l)
	case pick, unpick, stage, unstage, collect, release, runShort, giveAway, replace:
		return b.step(x, l)
	case salvage:
		b.late(l.lost[x.k], l)
	case resubmit:
		b.late(l.lost[x.k].atTill(), l)
	case begin:
		b.begin(l)
	}
	return ""
}

// move books units from one place to another, whatever stands there.
func (b *books) move(from, to place, n int8) {
	b.at[from] -= n
	b.at[to] += n
}

func (b *books) from(outside, to place, n int8) string {
	if n <= 0 {
		return "no units"
	}
	b.move(outside, to, n)
	return ""
}

func (b *books) guarded(from, to place, n int8) string {
	switch {
	case n <= 0:
		return "no units"
	case b.at[from] < n:
		return "too few units"
	}
	b.move(from, to, n)
	return ""
}

// differ books the difference that a count found.
func (b *books) differ(n int8) {
	if n < 0 {
		b.move(sellable, missing, -n)
	} else {
		b.move(found, sellable, n)
	}
}

// sell books what left with a customer, with what made it possible.
func (b *books) sell(x record) string {
	if x.n <= 0 {
		return "no units"
	}
	if b.sales&(1<<x.uid) != 0 {
		return "booked before"
	}
	b.move(found, sellable, x.k)
	if x.bump > 0 {
		if no := b.give(x.r, x.bump); no != "" {
			return no
		}
	}
	if !x.debt && b.at[sellable] < x.n {
		return "too few units"
	}
	b.move(sellable, sold, x.n)
	b.sales |= 1 << x.uid
	return ""
}

// give takes reserved units from a promise.
func (b *books) give(r, n int8) string {
	p := &b.promises[r]
	switch {
	case !p.known:
		return "unknown reservation"
	case n <= 0 || p.at[reserved] < n:
		return "too few units reserved"
	}
	p.at[reserved] -= n
	p.at[short] += n
	b.at[sellable] += n
	return ""
}

// rights books what changes the counters of the rights.
func (b *books) rights(x record) string {
	t := b.timeline
	switch x.kind {
	case grant:
		if x.n <= 0 || x.k != 0 {
			return "the total is wrong"
		}
		if b.at[sellable] < x.n {
			return "too few units"
		}
		b.at[sellable] -= x.n
		b.online[t] += x.n
		b.granted[t] += x.n
	case applyReturn:
		if x.n <= 0 || x.k != 0 || x.n > b.online[t] {
			return "the total is wrong"
		}
		b.online[t] -= x.n
		b.returned[t] += x.n
		b.at[sellable] += x.n
	case drain:
		n := b.online[0]
		if n <= 0 || t == 0 {
			return "there is nothing to take back"
		}
		b.online[0], b.returned[0], b.drained = 0, b.returned[0]+n, true
		b.at[sellable] += n
	case changeTimeline:
		b.timeline++
	}
	return ""
}

// begin starts an incarnation from a snapshot of the mirror.
func (b *books) begin(l law) {
	b.counted = false
	for r := range b.promises {
		p := &b.promises[r]
		// A row may be forgotten once the number of its directive tells that it
		// has ended. The older form forgot every row that had ended.
		told := p.number <= b.directives[p.tau]
		if p.final() && (told || !l.rules.on(FinishedByNumber)) {
			*p = promise{taken: p.taken}
		}
	}
	if !l.rules.on(UIDsAreKept) {
		b.sales, b.hands = 0, 0
	}
}

// onHand counts the units that the books believe to be on the premises.
func (b *books) onHand() int8 {
	n := b.at[sellable] + b.at[shelving] + b.at[damaged]
	for t := range b.online {
		n += b.online[t]
	}
	for r := range b.promises {
		n += b.promises[r].open()
	}
	return n
}

// usable counts the units that can still be sold or handed over.
func (b *books) usable() int8 { return b.onHand() - b.at[shelving] - b.at[damaged] }
