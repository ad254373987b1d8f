package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock/escrow"
)

const (
	testSeeds    = 2
	testProducts = 200
)

// small is a game that was played once for all tests.
var small = sync.OnceValue(func() *game {
	g := &game{seeds: testSeeds, products: testProducts}
	if err := g.play(context.Background(), io.Discard); err != nil {
		panic(err)
	}
	return g
})

// each calls f for every policy in every cut.
func each(g *game, f func(w workload, length int64, policy string, t tally, all []tally)) {
	for w, seeds := range g.played {
		for _, o := range seeds {
			for l, tallies := range o.tallies {
				for i, policy := range policies() {
					f(workloads[w], cutLengths[l], policy.name, tallies[i], tallies)
				}
			}
		}
	}
}

func TestStrictNeverOversells(t *testing.T) {
	each(small(), func(w workload, length int64, policy string, got tally, _ []tally) {
		switch policy {
		case "strict", "half", "fifth", "ask", oracleName:
			if got.oversold != 0 || got.lent != 0 {
				t.Errorf("%s, %s, %s: %+v", w.name, lengthText(length), policy, got)
			}
			if got.cancelled != 0 && !w.wrong {
				t.Errorf("%s, %s, %s: books are right: %+v", w.name, lengthText(length), policy, got)
			}
		case "lend":
			if got.oversold > got.lent {
				t.Errorf("%s, %s: more oversold than lent: %+v", w.name, lengthText(length), got)
			}
		}
	})
}

func TestLastWriteWinsOversells(t *testing.T) {
	sum := int64(0)
	each(small(), func(_ workload, _ int64, policy string, got tally, _ []tally) {
		if policy == "lww" {
			sum += got.oversold
		}
	})
	if sum == 0 {
		t.Error("not once: nothing is measured")
	}
}

func TestNobodyIsBetterThanTheOracle(t *testing.T) {
	each(small(), func(w workload, length int64, policy string, got tally, all []tally) {
		oracle := all[index(oracleName)]
		if got.money() < oracle.money() || got.wanted != oracle.wanted {
			t.Errorf("%s, %s, %s: %+v, the oracle %+v", w.name, lengthText(length), policy, got, oracle)
		}
	})
}

func TestNoUnitIsSoldThatIsNotThere(t *testing.T) {
	each(small(), func(w workload, length int64, policy string, got tally, all []tally) {
		if least := all[index("lww")].lostShop; got.lostShop < least {
			t.Errorf("%s, %s, %s: %d lost in the store, of empty shelves alone %d",
				w.name, lengthText(length), policy, got.lostShop, least)
		}
	})
}

func TestLongerCutsLoseMore(t *testing.T) {
	for w, seeds := range small().played {
		for _, o := range seeds {
			for l := 1; l < len(cutLengths); l++ {
				for i, policy := range policies() {
					before, after := o.tallies[l-1][i], o.tallies[l][i]
					if policy.name != informedName && after.money() < before.money() {
						t.Errorf("%s, %s: %s loses %g after %g", workloads[w].name,
							lengthText(cutLengths[l]), policy.name, after.money(), before.money())
					}
				}
			}
		}
	}
}

func TestASeedGivesTheSameStoreAgain(t *testing.T) {
	g := small()
	for w := range workloads {
		again := g.store(w, 1)
		if diff := cmp.Diff(g.played[w][1], again, cmp.AllowUnexported(outcome{}, tally{})); diff != "" {
			t.Errorf("%s: %s", workloads[w].name, diff)
		}
		other := g.played[w][0]
		if cmp.Equal(other, again, cmp.AllowUnexported(outcome{}, tally{})) {
			t.Errorf("%s: another seed gives the same store", workloads[w].name)
		}
	}
}

func TestRightsMoveOnDemandOnlyWhenTheyMust(t *testing.T) {
	for _, test := range []struct {
		name         string
		free, online int64
		web          bool
		left         int64
		moved        bool
	}{
		{"a shopper, and the cloud has some", 3, 2, true, 1, false},
		{"a shopper, and the cloud has none", 3, 0, true, 0, true},
		{"a customer, and the store has some", 3, 2, false, 2, false},
		{"a customer, and the cloud has all", 3, 3, false, 2, true},
	} {
		s := split{online: []int64{test.online}}
		if moved := s.take(0, test.free, test.web); moved != test.moved || s.online[0] != test.left {
			t.Errorf("%s: moved %v, the cloud has %d", test.name, moved, s.online[0])
		}
	}
}

func TestDemandIsWhatWasPlanned(t *testing.T) {
	for _, w := range workloads {
		wanted, expected := 0.0, 0.0
		for seed := range uint64(6) {
			p := newPast(makeWorld(w, testProducts, rand.New(rand.NewPCG(seed, 3))), w.lean)
			length := cutLengths[len(cutLengths)-1]
			for p.next = 0; p.wants[p.next].at < p.cut; p.next++ {
			}
			wanted += float64(len(p.during(length)))
			for i := range p.products {
				expected += p.expected(i, false, p.cut+length) + p.expected(i, true, p.cut+length)
			}
		}
		if math.Abs(wanted/expected-1) > 0.1 {
			t.Errorf("%s: %g units wanted, %g expected", w.name, wanted, expected)
		}
	}
}

func TestBestSplitIsTheCheapest(t *testing.T) {
	shop, web := escrow.NB{Shape: 1e6, Mean: 16}, escrow.NB{Shape: 1e6, Mean: 2.4}
	promise, sell := bestSplit(24, shop, web)
	if promise != 5 || sell != 21 { // found by going through all pairs of outcomes
		t.Errorf("promise %d and sell %d of 24", promise, sell)
	}
	if promise, sell := bestSplit(0, shop, web); promise != 0 || sell != 0 {
		t.Errorf("promise %d and sell %d of none", promise, sell)
	}
}

func TestRatioHasAnInterval(t *testing.T) {
	same := ratio([]float64{2, 4, 6}, []float64{1, 2, 3})
	if same.Mean != 2 || math.Abs(same.High-same.Low) > 1e-6 {
		t.Errorf("the same ratio three times: %+v", same)
	}
	wide := ratio([]float64{1, 2, 3}, []float64{1, 1, 1})
	// For a mean, the jackknife is the usual standard error: 1 by the root of 3.
	if want := 4.303 / math.Sqrt(3); math.Abs(wide.High-2-want) > 1e-9 {
		t.Errorf("1, 2 and 3: %+v, want 2 ± %g", wide, want)
	}
	if none := ratio([]float64{1, 1}, []float64{0, 0}); none.finite() {
		t.Errorf("a ratio to nothing: %+v", none)
	}
	b, err := json.Marshal(ratio([]float64{1, 1}, []float64{0, 0}))
	if err != nil || string(b) != "null" {
		t.Errorf("a ratio to nothing in JSON: %s %v", b, err)
	}
}

func TestReportTellsEverything(t *testing.T) {
	r := small().report()
	if want := len(workloads) * len(cutLengths) * len(policies()); len(r.Rows) != want {
		t.Errorf("%d rows, want %d", len(r.Rows), want)
	}
	var text, encoded bytes.Buffer
	if err := errors.Join(r.print(&text), r.printJSON(&encoded)); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Rows  []json.RawMessage
		Goals []json.RawMessage
	}
	if err := json.Unmarshal(encoded.Bytes(), &back); err != nil || len(back.Rows) != len(r.Rows) {
		t.Errorf("%d rows in JSON, %v", len(back.Rows), err)
	}
	for _, want := range []string{"Oversold by Holdfast, strict: 0 units", "Money lost at 8 h",
		"lean shelves, 3 days", "knows the future"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table does not say %q", want)
		}
	}
	d := xml.NewDecoder(bytes.NewReader(plot(r)))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunCanBeStoppedAndIsBounded(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := Run(ctx, Options{Seeds: 2, Out: io.Discard}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	for _, seeds := range []int{0, 1, maxSeeds + 1} {
		if err := Run(t.Context(), Options{Seeds: seeds, Out: io.Discard}); err == nil {
			t.Errorf("%d seeds are played", seeds)
		}
	}
}
