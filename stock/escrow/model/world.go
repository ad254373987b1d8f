package model

import (
	"fmt"
	"strings"
)

// what happens in a move.
type what uint8

const (
	receives what = 1 + iota
	sells
	borrows
	bumps
	sellsFound
	grants
	reshelves
	picks
	stages
	hands
	handsByToken
	releases
	findsMissing
	replaces
	counts
	miscounts
	shrinks
	surplusAppears
	holds
	drops
	confirms
	cancels
	voids
	returns
	targetsAgain
	abandons
	uploads
	delivers
	upgrades
	dies
	comesBack
	resubmits
	saves
	restores
	savesCloud
	restoresCloud
	changesTimeline
	issuesAgain
	windowEnds
	drains
	reinjects
)

var whatNames = map[what]string{
	receives: "shop: 1 unit is delivered", sells: "shop: sells 1",
	borrows: "shop: sells 1 that the cloud may promise",
	bumps:   "shop: sells 1 that r%d had reserved", sellsFound: "shop: sells 1 that nobody had booked",
	grants: "shop: grants %[2]d", reshelves: "shop: puts 1 back on the shelf",
	picks: "shop: picks r%d", stages: "shop: stages r%d", hands: "shop: hands over %[2]d of r%[1]d",
	handsByToken: "shop: hands over %[2]d of r%[1]d, known by its token alone",
	releases:     "shop: gives r%d up, its window has passed",
	findsMissing: "shop: a unit of r%d is missing",
	replaces:     "shop: a unit of r%d is missing, another takes its place",
	counts:       "shop: counts the shelf", miscounts: "shop: counts the shelf and misses 1",
	shrinks: "world: 1 unit disappears", surplusAppears: "world: there is 1 unit that nobody booked",
	holds: "cloud: holds r%d", drops: "cloud: the hold of r%d ends",
	confirms: "cloud: confirms r%d and signs its token", cancels: "cloud: asks to cancel r%d",
	voids: "cloud: takes the directive of r%d back", returns: "cloud: returns %[2]d",
	targetsAgain: "cloud: the request for return %[2]d in all comes again",
	abandons:     "cloud: gives the store up", uploads: "line: the cloud gets the next record",
	delivers: "line: the store gets the next directive", upgrades: "shop: the box is upgraded",
	dies:      "fault: the box is lost and rebuilt",
	comesBack: "cloud: the lost box is read, its records are sent",
	resubmits: "till: repeats what lost record %d was for", saves: "shop: the box is backed up",
	restores: "fault: the box is restored from its backup", savesCloud: "cloud: is backed up",
	restoresCloud:   "fault: the cloud is restored from its backup, a new timeline begins",
	changesTimeline: "shop: begins the new timeline", issuesAgain: "cloud: orders r%d again",
	windowEnds: "world: the pickup window of r%d has passed for good",
	drains:     "shop: takes the old timeline's rights back",
	reinjects:  "cloud: promises r%d anew in the new timeline",
}

// walker makes the moves out of a state of the units.
type walker struct {
	sc    *Scenario
	base  *state
	next  state // where the move being made leads
	found func(m move, to *state, wrong string)
}

// Explore walks through every state that the scenario can reach.
func Explore(sc Scenario, b Bounds) Report {
	w := &walker{sc: &sc}
	return explore(graph[state]{first: w.first(), next: w.moves, say: w.say,
		key: func(s *state, k []byte) []byte { return s.key(k, &sc) }}, b)
}

func (w *walker) first() (s state) {
	s.shelf = w.sc.Units
	s.node.at[sellable], s.node.at[supplier] = s.shelf, -s.shelf
	s.mirror = s.node
	s.oldBox = w.sc.can(Voiding)
	return s
}

func (w *walker) moves(s *state, found func(m move, to *state, wrong string)) {
	w.base, w.found = s, found
	w.atTill()
	w.onShelf()
	for r := range int8(len(w.sc.Quantities)) {
		w.atOffice(r)
		w.atCounter(r)
	}
	w.rightsOfCloud()
	w.onLine()
	w.faults()
	w.backups()
	if w.sc.can(NewTimeline) {
		w.timelines()
	}
}

// try begins a move: the caller changes what it returns and calls done.
func (w *walker) try() *state {
	w.next = *w.base
	return &w.next
}

func (w *walker) done(m move) { w.found(m, &w.next, w.wrong(m)) }

// write lets the store write a record in the state that try returned.
func (w *walker) write(m move, x record) {
	s := &w.next
	if s.head() >= w.sc.Tail || s.written == maxLog {
		return
	}
	if no := s.append(x, w.sc.Rules); no != "" {
		w.found(m, s, "the store cannot book it ("+x.kind.String()+"): "+no)
		return
	}
	w.done(m)
}

// append books a record at the node and puts it in the log.
func (s *state) append(x record, rules Rules) (no string) {
	no = s.node.apply(x, law{rules, s.lost[:s.lostLen]})
	s.log[s.written] = x
	s.written++
	if s.nodeSave != nil {
		s.since++
	}
	return no
}

func (w *walker) say(m move, s *state) string {
	name := spell(whatNames[m.what], m)
	if m.what == delivers || m.what == uploads {
		name += ": " + w.carried(m, s)
	}
	return fmt.Sprintf("%-62s | %s", name, s)
}

// spell fills in what a text names of a move; what it does not name is cut off.
func spell(text string, m move) string {
	text, _, _ = strings.Cut(fmt.Sprintf(text, m.r, m.n), "%!(EXTRA")
	return text
}

// carried says what a line brought.
func (w *walker) carried(m move, s *state) string {
	if m.what == uploads {
		return kind(m.n).String()
	}
	if s.written == 0 || !s.log[s.written-1].dir {
		return fmt.Sprintf("%s r%d, which it does not know", orderNames[m.n], m.r)
	}
	return fmt.Sprintf("%s r%d, booked as %s", orderNames[m.n], m.r, s.log[s.written-1].kind)
}

func (s *state) String() string {
	text := fmt.Sprintf("shelf %d; sellable %d online %v", s.shelf, s.node.at[sellable], s.node.online)
	for r := range s.node.promises {
		if p := &s.node.promises[r]; p.known {
			text += fmt.Sprintf(" r%d[open %d collected %d released %d short %d]", r, p.open(),
				p.at[collected], p.at[released], p.at[short])
		}
	}
	c := &s.cloud
	return text + fmt.Sprintf("; G/R/A store %d/%d/%d cloud %d/%d/%d; unsent %d",
		s.node.granted[s.node.timeline], s.node.returned[s.node.timeline],
		s.node.assigned[s.node.timeline], s.mirror.granted[c.timeline], c.returned, c.assigned, s.head())
}
