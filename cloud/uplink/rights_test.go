package uplink_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"holdfast.dev/cloud/uplink"
	nodeuplink "holdfast.dev/node/uplink"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

// connected is a cloud with one store that has units of SKU 1 and is online.
func connected(t *testing.T, units int) (c *cloud, n *node, stop func()) {
	t.Helper()
	c = newCloud(t, nil)
	n = c.enrol()
	c.importProducts(1, 3)
	n.floor.receive(1, units)
	stop = n.start(t, c.addr, nil)
	n.reaches(t, nodeuplink.Online)
	c.applied(n.floor)
	return c, n, stop
}

func (c *cloud) ask(units stock.Units) (map[uint32]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.server.AskGrant(ctx, store, []uplink.Need{{SKU: 1, Units: units}})
}

// hold does what a checkout does: hold, ask when short, and hold again.
func (c *cloud) hold(units int64) error {
	for range 3 {
		id := uuid.New()
		_, err := c.office.Propose(context.Background(), &recordv1.Command{Request: id[:],
			Body: &recordv1.Command_Hold{Hold: &recordv1.Hold{Hold: id[:], Store: uint32(store), TtlMs: 60_000,
				Lines: []*recordv1.WantedLine{{Sku: 1, Units: units}}}}})
		if !stock.Refused(err, stock.Short) {
			return err
		}
		if _, err := c.ask(stock.Units(units)); err != nil {
			return err
		}
	}
	return errors.New("short three times")
}

func TestRightsMoveOnDemand(t *testing.T) {
	c, n, _ := connected(t, 10)
	granted, err := c.ask(3)
	must(t, err)
	if granted[1] != 3 || n.floor.rights[1].granted != 3 {
		t.Errorf("granted %v, the store says %d", granted, n.floor.rights[1].granted)
	}
	if _, err := c.ask(3); err != nil || n.floor.rights[1].granted != 3 {
		t.Errorf("what the pool has is asked for again: %v, granted %d", err, n.floor.rights[1].granted)
	}
	_, err = c.ask(11)
	if !stock.Refused(err, stock.Short) {
		t.Errorf("a no is %v, want SHORT", err)
	}
}

// TestCartsNeverWaitForTheSameUnit lets many carts want more than there is.
func TestCartsNeverWaitForTheSameUnit(t *testing.T) {
	c, n, _ := connected(t, 10)
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range 8 {
		wg.Go(func() { errs <- c.hold(2) })
	}
	wg.Wait()
	close(errs)
	held := 0
	for err := range errs {
		switch {
		case err == nil:
			held++
		case !stock.Refused(err, stock.Short):
			t.Error(err)
		}
	}
	if held != 5 {
		t.Errorf("%d carts of 2 hold something, 10 units are there", held)
	}
	c.applied(n.floor)
	if p := c.standing(1).Pools[1]; p.Held != 10 || p.Granted != 10 {
		t.Errorf("pool is %+v", p)
	}
}

func TestAskingASilentOrAbsentStoreEnds(t *testing.T) {
	c, n, stop := connected(t, 10)
	n.floor.mu.Lock()
	n.floor.deaf = true
	n.floor.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.server.AskGrant(ctx, store, []uplink.Need{{SKU: 1, Units: 2}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a store that does not answer gives %v", err)
	}
	waiting := make(chan error, 1)
	go func() { _, err := c.ask(2); waiting <- err }()
	stop()
	if err := <-waiting; !stock.Refused(err, stock.Offline) {
		t.Errorf("a store that goes away gives %v, want OFFLINE", err)
	}
	if _, err := c.server.AskGrant(t.Context(), 99, []uplink.Need{{SKU: 1, Units: 2}}); !stock.Refused(err, stock.Offline) {
		t.Errorf("a store that was never there gives %v, want OFFLINE", err)
	}
	if _, err := c.server.AskGrant(t.Context(), store, []uplink.Need{{SKU: 1}}); !stock.Refused(err, stock.BadUnits) {
		t.Errorf("no units give %v, want BAD_UNITS", err)
	}
}

func TestTillsGetUnitsBack(t *testing.T) {
	c, n, _ := connected(t, 10)
	_, err := c.ask(6)
	must(t, err)
	must(t, n.link.AskReturn(t.Context(), []*uplinkv1.Want{{Sku: 1, Target: 4, Timeline: 1}}))
	returned := func(units int64) {
		eventually(t, func() <-chan struct{} { return n.floor.Changed(n.floor.Head().Seq) }, func() bool {
			n.floor.mu.Lock()
			defer n.floor.mu.Unlock()
			return int64(n.floor.rights[1].returned) == units
		})
	}
	returned(4)
	err = n.link.AskReturn(t.Context(), []*uplinkv1.Want{{Sku: 1, Target: 9, Timeline: 1}})
	if !stock.Refused(err, stock.Short) {
		t.Errorf("more than is free gives %v, want SHORT", err)
	}
	returned(6) // what was free comes all the same
	c.applied(n.floor)
	if p := c.standing(1).Pools[1]; p.Granted != 6 || p.Returned != 6 {
		t.Errorf("pool is %+v", p)
	}
}
