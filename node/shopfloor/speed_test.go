package shopfloor_test

import (
	"testing"

	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
)

// Sales are not followed by a look at the cloud's share, because of this.
func TestSaleMakesNoGrantDue(t *testing.T) {
	for _, permille := range []uint32{1, 250, 500, 999, 1000} {
		for sellable := stock.Units(-3); sellable <= 300; sellable++ {
			for online := stock.Units(0); online <= 40; online++ {
				before := escrow.Unasked(sellable, online, permille)
				after := escrow.Unasked(sellable-1, online, permille)
				if before == 0 && after > 0 {
					t.Fatalf("share %d, sellable %d, online %d: %d due after a sale", permille, sellable, online, after)
				}
			}
		}
	}
}
