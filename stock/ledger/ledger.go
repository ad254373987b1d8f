// Package ledger holds the rules of accounts: double entry for units, so that
// every unit in a store is on exactly one account and none appears from nowhere.
package ledger

import "holdfast.dev/stock"

// Account is where units of one SKU are in one store.
type Account uint8

// Accounts. Those from Supplier on are boundaries: sources and sinks outside
// the store, whose balance is negative for what came in and positive for what
// went out. The sum over all accounts of a SKU is always zero.
const (
	Sellable    Account = 1 + iota // the store's own free units; negative is debt to promises
	Online                         // units whose right lies with the cloud, not bound to an order here
	Reserved                       // bound to a reservation, on the shelf
	Picked                         // bound, taken from the shelf
	Staged                         // bound, in the pickup area
	ToShelve                       // on the premises, waiting for a shelf scan
	Damaged                        // on the premises, not usable
	InTransfer                     // packed for another store, not yet gone
	Suspense                       // what could not be explained; never lost, always visible
	Supplier                       // came from a supplier or another store
	Sold                           // left over a till
	Collected                      // left as a pickup
	Returned                       // came back from customers
	Missing                        // was not there when somebody looked
	Found                          // was there although the books did not know
	TransferOut                    // left for another store
	Writeoff                       // thrown away

	// NumAccounts is the length of Balances; index 0 is not used.
	NumAccounts = int(Writeoff) + 1
)

var names = [NumAccounts]string{"", "sellable", "online", "reserved", "picked", "staged",
	"to_shelve", "damaged", "in_transfer", "suspense", "supplier", "sold", "collected",
	"returned", "missing", "found", "transfer_out", "writeoff"}

// String gives the name used in APIs and tables, for example "to_shelve".
func (a Account) String() string {
	if int(a) >= NumAccounts {
		return "unknown"
	}
	return names[a]
}

// unguarded accounts may go below zero by any movement: the boundaries, and
// suspense, whose negative balance is what nobody could explain.
func (a Account) unguarded() bool { return a >= Suspense }

// MaxUnits bounds one movement; more is a typing error.
const MaxUnits stock.Units = 1_000_000_000

// Balances holds one SKU's units by account.
type Balances [NumAccounts]stock.Units

// OnHand counts the units that are believed to be on the premises.
func (b Balances) OnHand() stock.Units {
	var n stock.Units
	for a := Sellable; a <= InTransfer; a++ {
		n += b[a]
	}
	return n
}

// Available counts the units that are not bound to anybody: the store's own
// and those that the cloud may still promise. It is not below zero.
func (b Balances) Available() stock.Units { return max(0, b[Sellable]+b[Online]) }

// Sum is zero for every balance that Post made from an empty one.
func (b Balances) Sum() stock.Units {
	var n stock.Units
	for _, u := range b {
		n += u
	}
	return n
}

// Movement is one transfer of units between two accounts of one SKU.
type Movement struct {
	From, To Account
	Units    stock.Units
	// Debt lets sellable go below zero: a person decided, or a person counted.
	Debt bool
}

// Post returns the balances after m, or a refusal if m would break a rule.
// It does not change b: the same book and movement give the same answer on a
// kiosk, in the cloud and in a simulation.
func Post(b Balances, m Movement) (Balances, error) {
	switch {
	case m.Units <= 0 || m.Units > MaxUnits:
		return b, stock.Refuse(stock.BadUnits, "move %d units", m.Units)
	case m.From == m.To || m.From == 0 || m.To == 0 ||
		int(m.From) >= NumAccounts || int(m.To) >= NumAccounts:
		return b, stock.Refuse(stock.BadAccount, "move from %s to %s", m.From, m.To)
	}
	covered := m.From.unguarded() || m.Debt && m.From == Sellable || b[m.From] >= m.Units
	if !covered {
		return b, stock.Refuse(stock.Short, "%s has %d, need %d", m.From, b[m.From], m.Units).
			With("available", max(0, b[m.From])).With("wanted", m.Units)
	}
	b[m.From] -= m.Units
	b[m.To] += m.Units
	return b, nil
}
