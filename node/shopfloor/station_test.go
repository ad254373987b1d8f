package shopfloor_test

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"testing"
	"testing/synctest"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/token"
)

// kept is a store whose node can be started again.
func kept(t *testing.T) *store {
	s := &store{t: t, now: 1_000_000, path: filepath.Join(t.TempDir(), "store.db"),
		key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	s.start()
	return s
}

func (s *store) station(name string) shopfloor.Station {
	s.t.Helper()
	st, err := s.Station(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

func TestOpenBasketSurvivesARestartHoweverBusyTheStoreIs(t *testing.T) {
	s := kept(t)
	s.receive(2000)
	s.scan("till1", "9521234500001")
	s.scan("till1", "9521234500001")
	for range 1200 {
		s.scan("till2", "9521234500001")
	}
	s.start()
	if st := s.station("till1"); len(st.Lines) != 2 {
		t.Errorf("the basket has %d lines after the restart, want 2", len(st.Lines))
	}
	if st, err := s.FinishBasket(t.Context(), "till1"); err != nil || len(st.Lines) != 2 {
		t.Errorf("finish: %d lines, %v", len(st.Lines), err)
	}
	s.start()
	if st := s.station("till1"); len(st.Lines) != 0 {
		t.Errorf("a finished basket came back with %d lines", len(st.Lines))
	}
}

func TestScanWhoseAnswerWasLostIsInTheBasketOnce(t *testing.T) {
	s := kept(t)
	s.receive(9)
	s.scan("till1", "9521234500001")
	st := s.station("till1")
	lost := shopfloor.Scan{ID: s.id(), Data: []byte("9521234500001")}
	// The sale is durable, and the till never hears of it.
	_, err := s.Sell(t.Context(), shopfloor.Sell{Cause: shopfloor.Cause{ID: lost.ID}, Basket: st.Basket,
		Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, st, err := s.Scan(t.Context(), "till1", lost)
		if err != nil || a.Refusal != nil || len(st.Lines) != 2 {
			t.Errorf("again: %v %v, %d lines, want 2", a.Refusal, err, len(st.Lines))
		}
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 7, ledger.Sold: 2})
}

// A caller leaves while its sale is in a batch that is being committed: the
// answer is a fault, the sale is booked, and the basket must have it.
func TestScanThatEndedInAFaultIsInTheBasketAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kept(t) // whose reads do not wait for the writer
		s.receive(9)
		s.scan("till1", "9521234500001")
		gates := []chan struct{}{make(chan struct{}), make(chan struct{})}
		held := func(gate chan struct{}) {
			if err := s.j.Local(context.Background(), func(*journal.Tx) error { <-gate; return nil }); err != nil {
				t.Error(err)
			}
		}
		go held(gates[0])
		synctest.Wait() // the first batch is open
		go held(gates[1])
		synctest.Wait()
		ctx, leave := context.WithCancel(context.Background())
		fault := make(chan error)
		scan := shopfloor.Scan{ID: s.id(), Data: []byte("9521234500001")}
		go func() {
			_, _, err := s.Scan(ctx, "till1", scan)
			fault <- err
		}()
		synctest.Wait() // the sale waits in the second batch
		close(gates[0])
		synctest.Wait()
		leave()
		if err := <-fault; err == nil {
			t.Error("the caller left and heard that it was done")
		}
		close(gates[1])
		synctest.Wait()
		if st := s.station("till1"); len(st.Lines) != 2 {
			t.Errorf("the basket has %d lines, want 2", len(st.Lines))
		}
	})
}

func TestDeliveryGoesOnAtItsStationAfterARestart(t *testing.T) {
	s := kept(t)
	if _, err := s.SetMode(t.Context(), "dock", shopfloor.Receiving, "DN-1", [16]byte{}); err != nil {
		t.Fatal(err)
	}
	s.scan("dock", "9521234500001")
	s.start()
	if st := s.station("dock"); st.Mode != shopfloor.Receiving || st.Document != "DN-1" {
		t.Fatalf("after the restart: mode %d, document %q", st.Mode, st.Document)
	}
	if _, err := s.SetMode(t.Context(), "dock", shopfloor.Receiving, "DN-1", [16]byte{}); err != nil {
		t.Errorf("the same station again: %v", err)
	}
	if a := s.scan("dock", "9521234500001"); a.Refusal != nil {
		t.Errorf("next scan: %v", a.Refusal)
	}
	if _, err := s.SetMode(t.Context(), "other", shopfloor.Receiving, "DN-1", [16]byte{}); !stock.Refused(err, stock.DocumentUsed) {
		t.Errorf("another station: %v", err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 2})
}

func TestDeliveryThatWasBookedWholeTakesNoScans(t *testing.T) {
	s := open(t)
	if _, err := s.SetMode(t.Context(), "dock", shopfloor.Receiving, "DN-2", [16]byte{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Receive(t.Context(), shopfloor.Cause{ID: s.id()}, "DN-2", []*recordv1.MovementLine{{Sku: 1, Units: 4}})
	if err != nil {
		t.Fatal(err)
	}
	if a := s.scan("dock", "9521234500001"); code(a) != stock.DocumentUsed {
		t.Errorf("a scan on top: %v", a.Refusal)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 4})
}

func TestOrderThatIsExtendedWhileOthersExpireStays(t *testing.T) {
	s := open(t)
	s.receive(2)
	s.grant(2)
	s.accept("AAAAAAAA", 1)
	second := [16]byte(s.accept("BBBBBBBB", 1).Reservation)
	s.now += 24 * 3600 * 1000
	s.heed = func(e shopfloor.Event) {
		s.heed = nil // the first release; the shopper of the second one calls
		if _, err := s.Extend(t.Context(), shopfloor.Cause{ID: s.id()}, second, s.now+3600_000); err != nil {
			t.Error(err)
		}
	}
	if n, err := s.ExpireDue(t.Context()); err != nil || n != 1 {
		t.Errorf("released %d, %v, want 1", n, err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Reserved: 1, ledger.Sellable: 1})
}

func TestTokenOfAnotherTimelineTakesNoUnitsOfThisOne(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(2)
	r := s.reserve("CCCCCCCC", 2)
	text, err := token.Sign(token.Token{KeyID: 9, Tenant: 1, Store: 7, Timeline: 2, Reservation: [16]byte(r.Reservation),
		DSeq: 1, PickupUntil: r.PickupUntil, IssuedAt: s.now, Lines: []token.Line{{SKU: 1, Units: 2}}}, s.key)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.scan("counter", text); a.Refusal != nil {
		t.Fatalf("genuine token: %v", a.Refusal)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Online: 2, ledger.Collected: 2, ledger.Sellable: 1})
	if s.Mode() != recordv1.NodeMode_NODE_MODE_SAFE {
		t.Errorf("mode %v, want SAFE", s.Mode())
	}
}

func TestTokenWithOneProductOnSeveralLinesIsCoveredOnce(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(3)
	r := s.reserve("CCCCCCCC", 4)
	text, err := token.Sign(token.Token{KeyID: 9, Tenant: 1, Store: 7, Timeline: 1, Reservation: [16]byte(r.Reservation),
		DSeq: r.Directive, PickupUntil: r.PickupUntil, IssuedAt: s.now,
		Lines: []token.Line{{SKU: 1, Units: 2}, {SKU: 1, Units: 2}}}, s.key)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.scan("counter", text); a.Refusal != nil {
		t.Fatalf("genuine token: %v", a.Refusal)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Online: 0, ledger.Collected: 4, ledger.Sellable: 1})
}

func TestWeighedGoodsArePickedWholeInStagingModeToo(t *testing.T) {
	s := open(t)
	if _, err := s.Receive(t.Context(), shopfloor.Cause{ID: s.id()}, "W", []*recordv1.MovementLine{{Sku: 2, Units: 1000}}); err != nil {
		t.Fatal(err)
	}
	_, err := s.GrantUpTo(t.Context(), []shopfloor.Want{{SKU: cheese, Target: 500, Timeline: 1}})
	if err != nil {
		t.Fatal(err)
	}
	r := s.reserve("AAAAAAAA", 1)
	r.Lines[0].Sku, r.Lines[0].Units = 2, 500
	if err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: r}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetMode(t.Context(), "pick", shopfloor.Staging, "", [16]byte(r.Reservation)); err != nil {
		t.Fatal(err)
	}
	if a := s.scan("pick", "9521234500018"); a.Refusal != nil {
		t.Errorf("cheese without a weight: %v", a.Refusal)
	}
	if got := s.account(cheese).Balances[ledger.Picked]; got != 500 {
		t.Errorf("picked %d, want 500", got)
	}
}
