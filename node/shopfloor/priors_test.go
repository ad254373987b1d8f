package shopfloor_test

import (
	"fmt"
	"testing"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
)

// grocer has products of two categories: those with even numbers sell online,
// the others in the shop.
type grocer struct{ shelf }

func (grocer) BySKU(_ *journal.Tx, sku stock.SKU) (*recordv1.Product, error) {
	category := "shop"
	if sku%2 == 0 {
		category = "web"
	}
	return &recordv1.Product{Sku: uint32(sku), Gtin: fmt.Sprintf("%014d", sku), Category: category}, nil
}

func TestAProductThatWasNeverSeenIsExpectedToBeLikeItsCategory(t *testing.T) {
	const hour = int64(3600_000)
	s := furnish(&store{t: t, catalogue: grocer{}})
	s.now = 2000 * hour
	often, seldom := escrow.Rate{Units: 400_000, Time: 400 * hour}, escrow.Rate{Units: 100, Time: 400 * hour}
	for sku := stock.SKU(10); sku < 90; sku++ {
		d := escrow.Demand{Shop: often, Web: seldom, At: s.now}
		if sku%2 == 0 {
			d.Shop, d.Web = seldom, often
		}
		err := s.j.Local(t.Context(), func(tx *journal.Tx) error {
			_, err := tx.Exec(`INSERT INTO local_demand (sku, demand) VALUES (?,?)`, sku, d.Append(nil))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	granted := func(sku stock.SKU) stock.Units {
		t.Helper()
		_, err := s.Receive(t.Context(), shopfloor.Cause{ID: s.id()}, fmt.Sprint("D", s.ids),
			[]*recordv1.MovementLine{{Sku: uint32(sku), Units: 12}})
		if err != nil {
			t.Fatal(err)
		}
		s.balance()
		return s.account(sku).Rights.Granted
	}
	if a, b := granted(101), granted(102); a != b {
		t.Errorf("before it has learned: %d and %d", a, b)
	}
	if err := s.SweepDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if shop, web := granted(103), granted(104); web <= shop {
		t.Errorf("the web has %d of what sells in the shop, and %d of what sells online", shop, web)
	}
}
