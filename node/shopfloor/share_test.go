package shopfloor_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/ledger"
)

func sellLines(s *store, lines ...*recordv1.SaleLine) shopfloor.Sell {
	return shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()}, Lines: lines}
}

func TestSaleOfSeveralProductsIsCoveredAsAWhole(t *testing.T) {
	s := open(t)
	s.receive(2)
	s.grant(2)
	if _, err := s.Receive(t.Context(), shopfloor.Cause{ID: s.id()}, "W", []*recordv1.MovementLine{{Sku: 2, Units: 100}}); err != nil {
		t.Fatal(err)
	}
	sale := sellLines(s, &recordv1.SaleLine{Sku: 2, Units: 150}, &recordv1.SaleLine{Sku: 1, Units: 1})
	_, err := s.Sell(t.Context(), sale)
	refusal, _ := stock.AsRefusal(err)
	if refusal == nil || refusal.Code != stock.PromisedOnline || refusal.Args["sku"] != "1" {
		t.Fatalf("one unit is promised: %v", err)
	}
	sale.Decided = &shopfloor.Decider{Name: "Eva"}
	w, err := s.Sell(t.Context(), sale)
	if err != nil {
		t.Fatal(err)
	}
	got := w.Record.GetSale()
	if got.GetMode() != recordv1.SaleMode_SALE_MODE_BORROW || got.GetDecidedBy() != "Eva" || len(got.GetFound()) != 1 {
		t.Errorf("sale: %v", got)
	}
	s.want("bread", map[ledger.Account]stock.Units{ledger.Sellable: -1, ledger.Online: 2, ledger.Sold: 1})
	if c := s.account(cheese).Balances; c[ledger.Sellable] != 0 || c[ledger.Sold] != 150 || c[ledger.Found] != -50 {
		t.Errorf("cheese: %v", c)
	}
}

func TestSaleThatBumpsOneProductNeedsAManagerForTheWhole(t *testing.T) {
	s := open(t)
	s.receive(1)
	s.grant(1)
	s.accept("AAAAAAAA", 1)
	sale := sellLines(s, &recordv1.SaleLine{Sku: 2, Units: 50}, &recordv1.SaleLine{Sku: 1, Units: 1})
	sale.Decided = &shopfloor.Decider{Name: "Eva"}
	if _, err := s.Sell(t.Context(), sale); !stock.Refused(err, stock.ManagerNeeded) {
		t.Errorf("without a manager: %v", err)
	}
	sale.Decided.Manager = true
	w, err := s.Sell(t.Context(), sale)
	if err != nil || w.Record.GetSale().GetMode() != recordv1.SaleMode_SALE_MODE_BUMP {
		t.Errorf("with a manager: %v %v", w.Record.GetSale(), err)
	}
}

func TestRiskCountsUnitsThatWereLentBefore(t *testing.T) {
	s := open(t)
	s.receive(2)
	s.grant(2)
	risk := func() int {
		_, err := s.Sell(t.Context(), sellLines(s, &recordv1.SaleLine{Sku: 1, Units: 1}))
		refusal, _ := stock.AsRefusal(err)
		n, err := strconv.Atoi(refusal.Args["risk"])
		if err != nil {
			t.Fatal(err, refusal)
		}
		return n
	}
	first := risk()
	sale := sellLines(s, &recordv1.SaleLine{Sku: 1, Units: 1})
	sale.Decided = &shopfloor.Decider{Name: "Eva"}
	if _, err := s.Sell(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	if second := risk(); second <= first || first == 0 {
		t.Errorf("lending the last of two units is as safe as the first: %d, then %d", first, second)
	}
}

func TestRiskGrowsWithTheSilenceOfTheCloud(t *testing.T) {
	s := open(t)
	s.receive(1)
	s.grant(1)
	s.SampleClock(s.now)
	var last int
	for _, hours := range []int64{0, 2, 40} {
		s.now += hours * 3600_000
		_, err := s.Sell(t.Context(), sellLines(s, &recordv1.SaleLine{Sku: 1, Units: 1}))
		refusal, _ := stock.AsRefusal(err)
		n, err := strconv.Atoi(refusal.Args["risk"])
		if err != nil || hours > 0 && n <= last {
			t.Errorf("after %d more hours: risk %d, was %d (%v)", hours, n, last, err)
		}
		last = n
	}
}

func TestSplitFollowsDemand(t *testing.T) {
	online := map[string]stock.Units{}
	for _, kind := range []string{"shop", "web"} {
		s := open(t)
		s.receive(10)
		for range 40 { // five hours of nothing but one kind of customer
			s.now += 450_000
			s.receive(1)
			if kind == "shop" {
				s.scan("till1", "9521234500001")
			} else {
				s.now++
				s.grantSome()
				s.accept("AAAAAAAA", 1)
			}
			s.balance()
		}
		if err := s.SaveForecast(t.Context()); err != nil {
			t.Fatal(err)
		}
		online[kind] = s.account(bread).Rights.Online()
	}
	if online["shop"] >= online["web"] || online["web"] == 0 {
		t.Errorf("the cloud is given %d where customers come to the shelf and %d where they come online",
			online["shop"], online["web"])
	}
}

// grantSome lets the cloud have a unit if it has none.
func (s *store) grantSome() {
	if s.account(bread).Rights.Online() == 0 {
		s.grant(1)
	}
}

// line is a cloud that returns what it is asked for.
type line struct {
	s     *store
	cut   bool
	asked []shopfloor.Want
}

// balance looks at the split with a line to the cloud.
func (s *store) balance() {
	s.t.Helper()
	s.SetLink(&line{s: s})
	if err := s.BalanceOnce(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (l *line) Connected() bool { return !l.cut }

func (*line) Watch() <-chan struct{} { return nil }

func (l *line) Wish(wants []shopfloor.Want) { _ = l.AskReturn(l.s.t.Context(), wants) }

func (l *line) AskReturn(_ context.Context, wants []shopfloor.Want) error {
	l.asked = append(l.asked, wants...)
	for _, w := range wants {
		a := l.s.account(w.SKU)
		n := w.Target - a.Rights.Returned
		if n > a.Rights.Online() {
			return errors.New("asked for more than there is")
		}
		err := l.s.direct(&recordv1.Directive{Body: &recordv1.Directive_Return{Return: &recordv1.Return{
			Sku: uint32(w.SKU), Units: int64(n), ReturnedTotal: int64(w.Target), Timeline: 1}}})
		if err != nil {
			return err
		}
	}
	return nil
}

func TestTillRecallsWhatTheCloudHasAlthoughItIsNotEnough(t *testing.T) {
	s := open(t)
	s.receive(2)
	s.grant(2)
	l := &line{s: s}
	s.SetLink(l)
	w, err := s.Sell(t.Context(), sellLines(s, &recordv1.SaleLine{Sku: 1, Units: 3}))
	if err != nil {
		t.Fatalf("two units come back and one was not known: %v", err)
	}
	if w.Record.GetSale().GetMode() != recordv1.SaleMode_SALE_MODE_FOUND || len(l.asked) != 1 || l.asked[0].Target != 2 {
		t.Errorf("sale %v, asked %v", w.Record.GetSale(), l.asked)
	}
}

func TestCloudGetsItsShareOfWhatComesBackFromOrders(t *testing.T) {
	s := open(t)
	s.share(500)
	s.receive(4)
	s.grant(4)
	id := [16]byte(s.accept("AAAAAAAA", 4).Reservation)
	s.balance()
	_, err := s.Release(t.Context(), shopfloor.Cause{ID: s.id()}, id, recordv1.ReleaseReason_RELEASE_REASON_STAFF)
	if err != nil {
		t.Fatal(err)
	}
	s.balance()
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 2, ledger.Online: 2})
}

func TestNothingIsSetAsideForACloudThatCannotHearOfIt(t *testing.T) {
	s := open(t)
	l := &line{s: s, cut: true}
	s.SetLink(l)
	s.receive(10)
	for range 2 {
		if err := s.BalanceOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.want("while the line is cut", map[ledger.Account]stock.Units{ledger.Sellable: 10, ledger.Online: 0})
	l.cut = false
	if err := s.BalanceOnce(t.Context()); err != nil { // nothing happened but the line
		t.Fatal(err)
	}
	s.want("when it is back", map[ledger.Account]stock.Units{ledger.Sellable: 5, ledger.Online: 5})
}

func TestMovesThatWaitForTheirTurnAreMade(t *testing.T) {
	s := open(t)
	const products = 2*escrow.MovesPerSecond + 10
	for sku := range uint32(products) {
		_, err := s.Receive(t.Context(), shopfloor.Cause{ID: s.id()}, fmt.Sprint("D", sku),
			[]*recordv1.MovementLine{{Sku: 101 + sku, Units: 12}})
		if err != nil {
			t.Fatal(err)
		}
	}
	var made []int
	for range 4 {
		s.balance()
		s.now += 1000
		granted := 0
		for sku := range stock.SKU(products) {
			if s.account(101+sku).Rights.Granted > 0 {
				granted++
			}
		}
		made = append(made, granted)
	}
	want := []int{escrow.MovesPerSecond, 2 * escrow.MovesPerSecond, products, products}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("products with a share after each second (-want +got):\n%s", diff)
	}
}

func TestShareThatACrashLeftUndoneIsGrantedAfterTheRestart(t *testing.T) {
	s := kept(t)
	s.receive(4)
	s.start()
	s.balance()
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 2, ledger.Online: 2})
}

func TestShareFollowsThePolicyAndTheEndOfDoubt(t *testing.T) {
	s := open(t)
	s.receive(4)
	s.balance()
	p := &recordv1.Policy{LastUnit: recordv1.LastUnitPolicy_LAST_UNIT_POLICY_ASK, SharePermille: 1000}
	if err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Policy{Policy: &recordv1.PolicyUpdate{Policy: p}}}); err != nil {
		t.Fatal(err)
	}
	s.balance()
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 0, ledger.Online: 4})
}

// share fixes the cloud's part of the free units, in thousandths.
func (s *store) share(permille uint32) {
	p := &recordv1.Policy{LastUnit: recordv1.LastUnitPolicy_LAST_UNIT_POLICY_ASK, SharePermille: permille}
	err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Policy{Policy: &recordv1.PolicyUpdate{Policy: p}}})
	if err != nil {
		s.t.Fatal(err)
	}
}
