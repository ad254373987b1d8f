package shopfloor_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
)

func TestScansInSellingModeSellOrRefuseAndChangeNothingElse(t *testing.T) {
	s := open(t)
	s.receive(2)
	tests := []struct {
		name, data string
		want       stock.Code
	}{
		{"bread", "9521234500001", 0},
		{"unknown product", "9521234500025", stock.UnknownProduct},
		{"bad check digit", "9521234500002", stock.BadCheckDigit},
		{"shelf label", "SHELF-A1", stock.WrongState},
		{"cheese without a weight", "9521234500018", stock.NeedWeight},
	}
	for _, test := range tests {
		head := s.Head().Seq
		a := s.scan("till1", test.data)
		if code(a) != test.want {
			t.Errorf("%s: %v, want %v", test.name, a.Refusal, test.want)
		}
		if booked := s.Head().Seq > head; booked != (test.want == 0) {
			t.Errorf("%s: booked = %v", test.name, booked)
		}
	}
	a, _, err := s.Scan(t.Context(), "till1", shopfloor.Scan{ID: s.id(), Data: []byte{0xff, 0}, Garbage: true})
	if err != nil || code(a) != stock.Unreadable {
		t.Errorf("garbage: %v %v", a.Refusal, err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 1, ledger.Sold: 1})
}

func TestSaleByTheSameIDIsBookedOnce(t *testing.T) {
	s := open(t)
	s.receive(5)
	sale := shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()}, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 2}}}
	first, err := s.Sell(t.Context(), sale)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Sell(t.Context(), sale)
	if err != nil || again.Seq != first.Seq || !again.Repeated {
		t.Errorf("again: %+v %v", again, err)
	}
	sale.Lines = []*recordv1.SaleLine{{Sku: 1, Units: 3}}
	if _, err := s.Sell(t.Context(), sale); !stock.Refused(err, stock.IDReused) {
		t.Errorf("other sale with the id: %v", err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 3, ledger.Sold: 2})
}

func TestDeliveryIsBookedOnce(t *testing.T) {
	s := open(t)
	if _, err := s.SetMode(t.Context(), "dock", shopfloor.Receiving, "DN-1", [16]byte{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.scan("dock", "9521234500001")
	}
	if _, err := s.SetMode(t.Context(), "dock", shopfloor.Selling, "", [16]byte{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.SetMode(t.Context(), "dock", shopfloor.Receiving, "DN-1", [16]byte{})
	if !stock.Refused(err, stock.DocumentUsed) {
		t.Errorf("open again: %v", err)
	}
	_, err = s.Receive(t.Context(), shopfloor.Cause{ID: s.id()}, "DN-1", []*recordv1.MovementLine{{Sku: 1, Units: 1}})
	if !stock.Refused(err, stock.DocumentUsed) {
		t.Errorf("book again: %v", err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 3})
}

func TestLastUnitFollowsThePolicy(t *testing.T) {
	s := open(t)
	s.receive(1)
	s.grant(1)
	if a := s.scan("till1", "9521234500001"); code(a) != stock.PromisedOnline || a.Refusal.Args["level"] != "L2" {
		t.Fatalf("promised unit: %v", a.Refusal)
	}
	s.want("asked", map[ledger.Account]stock.Units{ledger.Sold: 0, ledger.Online: 1})
	st, err := s.Station(t.Context(), "till1")
	if err != nil || st.Question == nil {
		t.Fatalf("no question: %v", err)
	}
	a, _, err := s.Scan(t.Context(), "till1", shopfloor.Scan{ID: st.Question.ID, Data: st.Question.Data,
		Decided: &shopfloor.Decider{Name: "Anna"}})
	if err != nil || a.Refusal != nil {
		t.Fatalf("decided: %v %v", a.Refusal, err)
	}
	s.want("lent", map[ledger.Account]stock.Units{ledger.Sold: 1, ledger.Online: 1, ledger.Sellable: -1})
	e, err := s.Entries(t.Context(), a.Seq, 1, 1<<20)
	var rec recordv1.Record
	if err != nil || proto.Unmarshal(e[0].Data, &rec) != nil {
		t.Fatal(err)
	}
	if sale := rec.GetSale(); sale.GetMode() != recordv1.SaleMode_SALE_MODE_BORROW || sale.GetDecidedBy() != "Anna" {
		t.Errorf("recorded: %v by %q", sale.GetMode(), sale.GetDecidedBy())
	}
	if got, err := s.GrantUpTo(t.Context(), []shopfloor.Want{{SKU: bread, Target: 9, Timeline: 1}}); err != nil || got[0].Total != 1 {
		t.Errorf("grant in debt: %v %v", got, err)
	}
}

func TestReservedUnitNeedsAManagerAndMakesTheNewestShort(t *testing.T) {
	s := open(t)
	s.receive(2)
	s.grant(2)
	s.accept("AAAAAAAA", 1)
	s.now++
	s.accept("BBBBBBBB", 1)
	sale := shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()}, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}},
		Decided: &shopfloor.Decider{Name: "Anna"}}
	if _, err := s.Sell(t.Context(), sale); !stock.Refused(err, stock.ManagerNeeded) {
		t.Fatalf("staff: %v", err)
	}
	sale.Decided = &shopfloor.Decider{Name: "Bram", Manager: true}
	if _, err := s.Sell(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	s.want("bumped", map[ledger.Account]stock.Units{ledger.Sold: 1, ledger.Reserved: 1, ledger.Sellable: 0})
	if _, err := s.Collect(t.Context(), shopfloor.Cause{}, "BBBBBBBB"); !stock.Refused(err, stock.AlreadyFinished) {
		t.Errorf("newest: %v", err)
	}
	if _, err := s.Collect(t.Context(), shopfloor.Cause{}, "AAAAAAAA"); !stock.Refused(err, stock.NotReady) {
		t.Errorf("oldest: %v", err)
	}
}

func TestUnitThatTheBooksDoNotKnowIsSoldAsFound(t *testing.T) {
	s := open(t)
	if a := s.scan("till1", "9521234500001"); a.Refusal != nil || a.Done != "floor.found" {
		t.Fatalf("found: %+v", a)
	}
	s.want("found", map[ledger.Account]stock.Units{ledger.Sold: 1, ledger.Found: -1, ledger.Sellable: 0})
}

func TestOrderIsPickedStagedAndCollectedOnceByScan(t *testing.T) {
	s := open(t)
	s.receive(3)
	s.grant(2)
	r := s.accept("CCCCCCCC", 2)
	if _, err := s.SetMode(t.Context(), "pick", shopfloor.Picking, "", [16]byte(r.Reservation)); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		data string
		want stock.Code
	}{
		{"2100042004504", stock.WrongItem}, {"9521234500001", 0}, {"9521234500001", 0},
		{"9521234500001", stock.LineComplete}, {"SHELF-B2", 0}, {"SHELF-B2", stock.WrongState},
	}
	for _, step := range steps {
		if a := s.scan("pick", step.data); code(a) != step.want {
			t.Errorf("%s: %v, want %v", step.data, a.Refusal, step.want)
		}
	}
	s.want("staged", map[ledger.Account]stock.Units{ledger.Staged: 2})
	tok := s.token(r)
	if a := s.scan("counter", tok); a.Refusal != nil {
		t.Fatalf("collect: %v", a.Refusal)
	}
	if a := s.scan("counter", tok); code(a) != stock.AlreadyCollected || a.Refusal.Args["at"] == "" {
		t.Errorf("again: %v", a.Refusal)
	}
	s.want("collected", map[ledger.Account]stock.Units{ledger.Collected: 2, ledger.Staged: 0})
}

func TestTokenIsCollectedBeforeTheStoreHeardOfIt(t *testing.T) {
	s := open(t)
	s.receive(3)
	s.grant(3)
	r := s.reserve("DDDDDDDD", 2)
	tok := s.token(r)
	a := s.scan("counter", tok)
	if a.Refusal != nil {
		t.Fatalf("unheard: %v", a.Refusal)
	}
	if a := s.scan("counter", tok); code(a) != stock.AlreadyCollected {
		t.Errorf("again: %v", a.Refusal)
	}
	if err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: r}}); err != nil {
		t.Fatal(err)
	}
	s.want("after the directive", map[ledger.Account]stock.Units{ledger.Online: 1, ledger.Collected: 2})
	forged := tok[:len(tok)-1] + map[bool]string{true: "B", false: "A"}[tok[len(tok)-1] == 'A']
	if a := s.scan("counter", forged); a.Refusal == nil {
		t.Error("a changed token was accepted")
	}
}

func TestTokenWithoutUnitsIsHonouredWithAnAlarmAndStopsGrants(t *testing.T) {
	s := open(t)
	s.receive(3)
	r := s.reserve("KKKKKKKK", 2) // genuine, but this store lost the grant that covered it
	if a := s.scan("counter", s.token(r)); a.Refusal != nil {
		t.Fatalf("uncovered: %v", a.Refusal)
	}
	s.want("from the shelf", map[ledger.Account]stock.Units{ledger.Sellable: 1, ledger.Collected: 2, ledger.Online: 0})
	want := []shopfloor.Want{{SKU: bread, Target: 1, Timeline: 1}}
	if got, err := s.GrantUpTo(t.Context(), want); err != nil || got[0].Total != 0 || s.Mode() != recordv1.NodeMode_NODE_MODE_SAFE {
		t.Errorf("grant while the state is in doubt: %v %v", got, err)
	}
	if err := s.Recovered(t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.GrantUpTo(t.Context(), want); err != nil || got[0].Total != 0 {
		t.Errorf("grant before the tills were heard: %v %v", got, err)
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.GrantUpTo(t.Context(), want); err != nil || got[0].Total != 1 {
		t.Errorf("grant after the cloud accepted the history: %v %v", got, err)
	}
}

func TestFinishedTokenIsRefusedThoughItsRowIsGone(t *testing.T) {
	s := open(t)
	s.receive(3)
	s.grant(3)
	r := s.reserve("EEEEEEEE", 1)
	r.Directive = s.dseq // applied long ago; the row was pruned
	if a := s.scan("counter", s.token(r)); code(a) != stock.AlreadyFinished {
		t.Errorf("pruned: %v", a.Refusal)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Online: 3})
}

func TestCancelReleasesUnlessItEndedBefore(t *testing.T) {
	s := open(t)
	s.receive(4)
	s.grant(4)
	first, second := s.accept("FFFFFFFF", 1), s.accept("GGGGGGGG", 1)
	cancel := func(r *recordv1.Reserve) {
		t.Helper()
		err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Cancel{
			Cancel: &recordv1.CancelRequest{Reservation: r.Reservation, Timeline: 1}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel(first)
	s.want("cancelled", map[ledger.Account]stock.Units{ledger.Sellable: 1, ledger.Reserved: 1})
	if _, err := s.Pick(t.Context(), shopfloor.Cause{}, [16]byte(second.Reservation), bread, 0); err != nil {
		t.Fatal(err)
	}
	cancel(second)
	s.want("picked units wait for the shelf", map[ledger.Account]stock.Units{ledger.ToShelve: 1, ledger.Sellable: 1})
	cancel(second)
	s.want("again", map[ledger.Account]stock.Units{ledger.ToShelve: 1, ledger.Sellable: 1})
}

func TestDirectivesAreAppliedOnceAndInOrder(t *testing.T) {
	s := open(t)
	s.receive(4)
	s.grant(4)
	raw := func(seq uint64, units, total int64) []byte {
		b, _ := proto.Marshal(&recordv1.Directive{Seq: seq, Timeline: 1, Body: &recordv1.Directive_Return{
			Return: &recordv1.Return{Sku: 1, Units: units, ReturnedTotal: total, Timeline: 1}}})
		return b
	}
	one, two := raw(2, 1, 1), raw(3, 1, 2)
	for range 2 {
		if n, err := s.ApplyDirectives(t.Context(), 2, nil, [][]byte{one, two}); err != nil || n != 3 {
			t.Fatalf("applied %d: %v", n, err)
		}
	}
	if _, err := s.ApplyDirectives(t.Context(), 9, nil, [][]byte{raw(9, 1, 3)}); err == nil {
		t.Error("a gap was accepted")
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Online: 2, ledger.Sellable: 2})
}

func TestUnclaimedOrdersExpireOnlyWithATrustedClock(t *testing.T) {
	s := open(t)
	s.receive(1)
	s.grant(1)
	s.accept("HHHHHHHH", 1)
	s.now += 1000 + s.Policy().GetGraceMs()
	s.SampleClock(s.now - 3600_000)
	if n, err := s.ExpireDue(t.Context()); n != 0 || err != nil {
		t.Fatalf("jumped clock: %d %v", n, err)
	}
	s.SampleClock(s.now)
	if n, err := s.ExpireDue(t.Context()); n != 1 || err != nil {
		t.Fatalf("due: %d %v", n, err)
	}
	s.want("expired", map[ledger.Account]stock.Units{ledger.Sellable: 1, ledger.Reserved: 0})
}

func TestCloudGetsItsShareUnasked(t *testing.T) {
	s := open(t)
	s.receive(10)
	s.balance()
	s.want("share", map[ledger.Account]stock.Units{ledger.Sellable: 5, ledger.Online: 5})
}

func TestReplayOfTheJournalProvesTheBooks(t *testing.T) {
	s := open(t)
	s.receive(6)
	s.grant(3)
	s.accept("JJJJJJJJ", 2)
	s.scan("till1", "9521234500001")
	report, err := s.j.Verify(t.Context(), nil)
	if err != nil || len(report.Mismatches) > 0 || report.Records != s.Head().Seq {
		t.Errorf("verify: %+v %v", report, err)
	}
}
