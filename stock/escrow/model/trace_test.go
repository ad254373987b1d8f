package model

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// quantities of the reservations in these walks.
var quantities = []int8{1, 2, 3}

// TestRandomRecordsAreBookedAsTheModelSays proposes records that make sense and
// records that do not. The store's books must refuse exactly those that the
// model refuses, and agree on every unit after the others; so must the mirror,
// which gets what was not refused.
func TestRandomRecordsAreBookedAsTheModelSays(t *testing.T) {
	walks := uint64(150)
	if testing.Short() {
		walks = 30
	}
	answers := map[kind]*[2]int{} // booked, refused
	for k := receipt; k < numKinds; k++ {
		answers[k] = new([2]int)
	}
	for seed := range walks {
		proposeAll(t, seed, answers)
	}
	for _, k := range append([]kind{salvage}, proposed...) {
		if n := answers[k]; n[0] == 0 || n[1] == 0 && !always(k) {
			t.Errorf("%s: %d booked, %d refused; both should happen", k, n[0], n[1])
		}
	}
}

// always tells whether nothing that is proposed here is refused: what was
// counted, and what was promised.
func always(k kind) bool { return k == count || k == accept }

func proposeAll(t *testing.T, seed uint64, answers map[kind]*[2]int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	node, mirror := openStrict(t), openTotal(t)
	var b books
	for range 80 {
		x, lost := randomProposal(rng, &b)
		if differs(x, lost, &b) {
			continue
		}
		rec := wire(x, lost, &b)
		repeats := x.kind == salvage && b.knows(lost[0])
		no := b.apply(x, law{lost: lost})
		refused := node.book(x, lost, rec)
		if repeats && refused != repeated || !repeats && (no == "") != (refused == "") {
			t.Fatalf("seed %d, %s %+v %+v: the model says %q, the books say %q", seed, x.kind, x, lost, no,
				refused)
		}
		if refused != "" {
			answers[x.kind][1]++
			continue
		}
		answers[x.kind][0]++
		if why := mirror.book(x, lost, rec); why != "" {
			t.Fatalf("seed %d, %s %+v: the mirror refuses: %s", seed, x.kind, x, why)
		}
		node.mustAgree(x, lost, &b)
		mirror.mustAgree(x, lost, &b)
	}
}

// knows tells whether a fact was booked before.
func (b *books) knows(x record) bool {
	switch x.kind {
	case sale:
		return b.sales&(1<<x.uid) != 0
	case collect, collectByToken:
		return b.hands&(1<<x.uid) != 0
	}
	return false
}

// differs lists where the books do not do what the model does.
func differs(x record, lost []record, b *books) bool {
	switch x.kind {
	case accept:
		// A drained promise without units is kept as debt, and does not run short.
		return b.drained && x.tau == 0 && b.at[sellable] < x.q
	case salvage:
		return factDiffers(lost[0], b)
	}
	return false
}

func factDiffers(x record, b *books) bool {
	p := &b.promises[x.r]
	switch x.kind {
	case collect, runShort, replace:
		// Such a fact names no product. Without the reservation it is dropped.
		return !p.known || x.kind != replace && countedPicked(p, b)
	case collectByToken:
		return p.known && countedPicked(p, b)
	}
	return false
}

// countedPicked tells whether units of an order were off the shelf when it was
// counted. The books know that such a count has not missed them; the model has
// one count for all.
func countedPicked(p *promise, b *books) bool {
	return b.counted && p.at[picked]+p.at[staged] > 0
}

// proposed are the kinds of records that the books know.
var proposed = []kind{receipt, sale, refund, refundDamaged, count, damage, writeOff, reshelve,
	grant, applyReturn, accept, pick, unpick, stage, unstage, collect, collectByToken, release,
	runShort, giveAway, replace}

// lateFacts are the kinds of proposed that a lost box may have had.
var lateFacts = []kind{receipt, sale, refund, refundDamaged, count, damage, writeOff, reshelve,
	collect, collectByToken, release, runShort, giveAway, replace}

func few(rng *rand.Rand, least, most int) int8 { return int8(least + rng.IntN(most-least+1)) }

// randomProposal is a record, and what a lost box had written.
func randomProposal(rng *rand.Rand, b *books) (record, []record) {
	switch rng.IntN(12) {
	case 0, 1:
		fact := randomRecord(rng, lateFacts[rng.IntN(len(lateFacts))], b)
		if fact.n = max(1, fact.n); fact.kind == collectByToken {
			fact.n = min(fact.n, fact.q) // or the lost box would have refused it
		}
		return record{kind: salvage}, []record{fact}
	case 2:
		if b.timeline > 0 && b.online[0] > 0 && rng.IntN(4) == 0 {
			return record{kind: drain}, nil
		}
		if b.timeline == 0 && rng.IntN(4) == 0 {
			return record{kind: changeTimeline}, nil
		}
	}
	x := randomRecord(rng, proposed[rng.IntN(len(proposed))], b)
	if (x.kind == collect || x.kind == collectByToken) && b.knows(x) {
		x = record{kind: receipt, n: 1} // a person never asks twice with one id
	}
	return x, nil
}

func randomRecord(rng *rand.Rand, k kind, b *books) record {
	x := record{kind: k, r: few(rng, 0, len(quantities)-1), n: few(rng, -1, 3)}
	if rng.IntN(2) == 0 {
		x.n = 1
	}
	x.q, x.uid = quantities[x.r], few(rng, 0, 7)
	x.tau, x.number = few(rng, 0, int(b.timeline)), 1
	switch k {
	case receipt:
		x.n = few(rng, 0, 4)
	case damage, writeOff, reshelve, replace:
		if x.n == 0 { // the books take it for nothing
			x.n = 1
		}
	case sale:
		x.k, x.debt = few(rng, 0, 4)/4, rng.IntN(8) == 0
		if rng.IntN(4) == 0 {
			x.bump = few(rng, 1, 2)
		}
	case grant, applyReturn:
		x.k = few(rng, 0, 5) / 5 // the total is rarely wrong
	case collectByToken:
		x.n, x.k = few(rng, 0, 3), max(0, few(rng, -6, 4))
	}
	return x
}

// TestWalksThroughTheDayAreBookedAsTheModelSays follows random days of the
// whole model, the cloud and the line included: what the store writes is booked
// by its books, what the line brings by the mirror's.
func TestWalksThroughTheDayAreBookedAsTheModelSays(t *testing.T) {
	days := uint64(200)
	if testing.Short() {
		days = 40
	}
	sc := Scenario{Units: 6, Quantities: quantities, Sales: 4, Hands: 5, Grants: 9, Returns: 3,
		Tail: 4, Directives: 6, Can: Borrowing | Bumping | Picking | Receiving | Shrinking | Counting |
			Surplus | Cancelling | Returning}
	written := map[kind]int{}
	for seed := range days {
		followDay(t, &sc, seed, written)
	}
	for _, k := range []kind{sale, count, grant, applyReturn, accept, pick, stage, collect,
		collectByToken, release, runShort, replace, reshelve} {
		if written[k] == 0 {
			t.Errorf("no day had a %s", k)
		}
	}
}

func followDay(t *testing.T, sc *Scenario, seed uint64, written map[kind]int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	node, mirror := openStrict(t), openTotal(t)
	w := &walker{sc: sc}
	s := w.first()
	node.open(s.node)
	mirror.open(s.mirror)
	for range 60 {
		var ways []state
		w.moves(&s, func(_ move, to *state, wrong string) {
			if wrong != "" {
				t.Fatalf("seed %d: %s", seed, wrong)
			}
			ways = append(ways, *to)
		})
		if len(ways) == 0 {
			break
		}
		next := ways[rng.IntN(len(ways))]
		followMove(t, fmt.Sprintf("seed %d", seed), [2]*side{node, mirror}, &s, &next, written)
		s = next
	}
}

// followMove books what a move has added to the store's log, or taken from it.
func followMove(t *testing.T, day string, sides [2]*side, from, to *state, written map[kind]int) {
	t.Helper()
	node, mirror := sides[0], sides[1]
	if to.written > from.written {
		x := to.log[to.written-1]
		written[x.kind]++
		if why := node.book(x, nil, wire(x, nil, &from.node)); why != "" {
			t.Fatalf("%s: %s %+v: the books refuse: %s", day, x.kind, x, why)
		}
		node.mustAgree(x, nil, &to.node)
	}
	if to.written < from.written {
		x := from.log[0]
		if why := mirror.book(x, nil, wire(x, nil, &from.mirror)); why != "" {
			t.Fatalf("%s: %s %+v: the mirror refuses: %s", day, x.kind, x, why)
		}
		mirror.mustAgree(x, nil, &to.mirror)
	}
}
