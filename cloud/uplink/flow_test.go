package uplink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holdfast.dev/cloud/uplink"
	nodeuplink "holdfast.dev/node/uplink"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

func TestJournalGoesUpAndDirectivesComeDown(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	n.floor.receive(1, 1200)
	n.start(t, c.addr, nil)
	n.reaches(t, nodeuplink.Online)
	c.applied(n.floor)
	if d := c.standing().Directives; n.floor.applied.Seq != d || d == 0 {
		t.Errorf("directives applied are %d, written %d", n.floor.applied.Seq, d)
	}
	n.floor.receive(1, 3)
	c.applied(n.floor)
	eventually(t, n.link.Watch, func() bool { return n.link.State().Backlog == 0 })
	if s := n.link.State(); s.Acked != n.floor.Head().Seq || s.Session != 1 {
		t.Errorf("link is %+v", s)
	}
	if on, since := c.server.Connected(store); !on || since.IsZero() {
		t.Errorf("connected is %t since %s", on, since)
	}
}

// TestCutsAtAnyByteLoseAndRepeatNothing cuts every connection after a random
// number of bytes, again and again, while both sides have much to say.
func TestCutsAtAnyByteLoseAndRepeatNothing(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	random := rand.New(rand.NewPCG(1, 2))
	cuts := 0
	p := newProxy(t, c.addr, func() int64 {
		if cuts++; cuts > 30 {
			return 1 << 60
		}
		return 1500 + random.Int64N(60_000)
	})
	n.floor.receive(1, 5000)
	n.start(t, p.addr(), nil)
	for i := range 40 {
		c.propose(&recordv1.Command{Body: &recordv1.Command_SetPolicy{SetPolicy: &recordv1.SetPolicy{
			Store: uint32(store), Policy: policy(int64(i + 1))}}})
		n.floor.receive(2, 50)
	}
	eventually(t, func() <-chan struct{} { return c.log.Watch(store) }, func() bool {
		s := c.standing()
		n.floor.mu.Lock()
		defer n.floor.mu.Unlock()
		return n.floor.applied.Seq == s.Directives && s.Applied == n.floor.head().Seq
	})
	c.applied(n.floor)
	if p.cuts.Load() < 10 {
		t.Errorf("only %d cuts", p.cuts.Load())
	}
}

func policy(floor int64) *recordv1.Policy {
	return &recordv1.Policy{LastUnit: recordv1.LastUnitPolicy_LAST_UNIT_POLICY_ASK, FloorUnits: floor,
		PickupWindowMs: time.Hour.Milliseconds(), HoldMs: time.Hour.Milliseconds()}
}

func TestCatalogueComesBesideTheJournalAndResumes(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	random := rand.New(rand.NewPCG(3, 4))
	cuts := 0
	p := newProxy(t, c.addr, func() int64 {
		if cuts++; cuts > 6 {
			return 1 << 60
		}
		return 100_000 + random.Int64N(100_000)
	})
	has := func(version uint64) func() bool {
		return func() bool { v, _ := n.shelf.Version(t.Context()); return v >= version }
	}
	first := c.importProducts(1, 3000)
	n.start(t, p.addr(), nil)
	eventually(t, n.shelf.watch, has(first))
	if got := len(n.shelf.products); got != 3000 {
		t.Errorf("%d products", got)
	}
	if n.shelf.applied > 3000+500*cuts {
		t.Errorf("%d products in %d attempts: it does not resume", n.shelf.applied, cuts)
	}
	second := c.importProducts(2900, 200) // announced without a new session
	eventually(t, n.shelf.watch, has(second))
	if got := len(n.shelf.products); got != 3099 {
		t.Errorf("%d products", got)
	}
}

// importProducts returns the version that the catalogue has then.
func (c *cloud) importProducts(first, count int) uint64 {
	version := uint64(0)
	for part := range slices.Chunk(numbers(first, count), 500) {
		in := &recordv1.ImportProducts{Source: "test"}
		for _, i := range part {
			in.Products = append(in.Products, &recordv1.Product{
				Gtin: withCheckDigit(fmt.Sprintf("%013d", i)), Unit: "each", PriceMinor: 100, Currency: "EUR",
				Name: fmt.Sprintf("Product %d of import at %d", i, first)})
		}
		version = c.propose(&recordv1.Command{Body: &recordv1.Command_ImportProducts{
			ImportProducts: in}}).GetImport().GetVersion()
	}
	return version
}

func numbers(first, count int) []int {
	all := make([]int, count)
	for i := range all {
		all[i] = first + i
	}
	return all
}

func withCheckDigit(digits string) string {
	sum := 0
	for i, d := range digits {
		weight := 3
		if i%2 == 1 {
			weight = 1
		}
		sum += weight * int(d-'0')
	}
	return digits + string(rune('0'+(10-sum%10)%10))
}

func TestMemberThatStopsSendsItsNodesAway(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	n.start(t, c.addr, nil)
	n.reaches(t, nodeuplink.Online)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c.server.Drain(ctx, 50*time.Millisecond)
	if ctx.Err() != nil {
		t.Fatal("the session did not end")
	}
	eventually(t, n.link.Watch, func() bool { return n.link.State().Refused == stock.Busy.String() })
}

func TestTooManyNodesAtOnceAreSpread(t *testing.T) {
	c := newCloud(t, func(o *uplink.Options) { o.HelloRate = 1 })
	n := c.enrol()
	p := newProxy(t, c.addr, nil)
	n.start(t, p.addr(), nil)
	eventually(t, n.link.Watch, func() bool {
		if n.link.State().Phase == nodeuplink.Online {
			p.cut()
		}
		return n.link.State().Refused == stock.Busy.String()
	})
}
