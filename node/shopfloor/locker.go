package shopfloor

import (
	"context"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
	"holdfast.dev/stock/token"
)

// Lockers are the store's compartments: shelves that hold one order each, behind
// a door of their own.
type Lockers interface {
	// Compartment gives the name of the compartment that a label or a name stands
	// for; false for any other shelf.
	Compartment(shelf string) (name string, ok bool)
	// Open opens the door of a compartment. Nil means that the door is open.
	Open(ctx context.Context, name string) error
}

// compartment gives the name of a shelf, and whether it is a compartment.
func (f *Floor) compartment(shelf string) (name string, locked bool) {
	if f.o.Lockers == nil {
		return shelf, false
	}
	if name, ok := f.o.Lockers.Compartment(shelf); ok {
		return name, true
	}
	return shelf, false
}

// mayHold tells whether a compartment can take an order now: something of the
// order is picked, and nothing of another lies there.
func (f *Floor) mayHold(tx *journal.Tx, r *books.Reservation, shelf string) error {
	picked := false
	for _, l := range r.Lines {
		picked = picked || l.At(reservation.Picked) > 0
	}
	if !picked {
		return stock.Refuse(stock.WrongState, "nothing is picked").With("state", r.State()).With("step", "stage")
	}
	return f.vacant(tx, r.ID, shelf)
}

// vacant refuses a compartment that holds another order.
func (f *Floor) vacant(tx *journal.Tx, id ID, shelf string) error {
	if _, locked := f.compartment(shelf); !locked {
		return nil
	}
	taken, err := f.taken(tx)
	if owner, full := taken[shelf]; err == nil && full && owner != id {
		return stock.Refuse(stock.ShelfTaken, "%s holds order %x", shelf, owner).With("shelf", shelf)
	}
	return err
}

// taken lists the compartments that hold an order, by their names.
func (f *Floor) taken(tx *journal.Tx) (map[string]ID, error) {
	open, err := books.OpenReservations(tx, f.o.Store, maxOpen)
	all := make(map[string]ID)
	for _, r := range open {
		name, locked := f.compartment(r.Shelf)
		staged := false
		for _, l := range r.Lines {
			staged = staged || l.At(reservation.Staged) > 0
		}
		if locked && staged {
			all[name] = r.ID
		}
	}
	return all, err
}

// Compartments tells which order each compartment holds, by its name. One that
// is not there holds none: its order was handed over or given up.
func (f *Floor) Compartments(ctx context.Context) (all map[string]ID, err error) {
	err = f.j.View(ctx, func(tx *journal.Tx) error {
		all, err = f.taken(tx)
		return err
	})
	return all, err
}

// openFor opens the compartment of an order that could be handed over now. What
// cannot is left to be refused in its own words.
func (f *Floor) openFor(ctx context.Context, p Presented) error {
	if f.o.Lockers == nil {
		return nil
	}
	var shelf string
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		r, err := f.presented(tx, p.Code)
		if err != nil || r == nil {
			return err
		}
		if err := handKnown(r, new(recordv1.Record), recordv1.Verification_VERIFICATION_CODE, p); err != nil {
			return err
		}
		shelf = r.Shelf
		return nil
	})
	if _, refused := stock.AsRefusal(err); refused {
		return nil
	}
	if name, locked := f.compartment(shelf); err == nil && locked {
		err = f.OpenDoor(ctx, name)
	}
	return err
}

// OpenDoor opens a compartment. A door that is stuck is something for a person:
// it is noted once, until somebody has dealt with it.
func (f *Floor) OpenDoor(ctx context.Context, name string) error {
	err := f.o.Lockers.Open(ctx, name)
	r, refused := stock.AsRefusal(err)
	if !refused || r.Code != stock.LockerDown || r.Args["state"] == doorOffline {
		return err
	}
	_, noteErr := f.write(context.WithoutCancel(ctx), Cause{Actor: "node"},
		func(tx *journal.Tx, rec *recordv1.Record) error { return f.noteStuck(tx, rec, name) })
	if noteErr != nil {
		f.o.Logger.Error("note a stuck door", "device", name, "err", noteErr)
	}
	return err
}

// doorOffline is the state of a door whose locker does not answer.
const doorOffline = "offline"

func (f *Floor) noteStuck(tx *journal.Tx, rec *recordv1.Record, name string) error {
	open, err := books.Items(tx, books.ItemQuery{Store: f.o.Store})
	for _, i := range open {
		if i.Kind == books.ItemLocker && i.Detail == name {
			return err
		}
	}
	rec.Body = &recordv1.Record_Mark{Mark: &recordv1.Mark{Kind: recordv1.MarkKind_MARK_KIND_LOCKER, Text: name}}
	return err
}

// presented finds the order of a code or token; nil when it is not known here.
func (f *Floor) presented(tx *journal.Tx, code string) (*books.Reservation, error) {
	if human, err := token.ParseCode(code); err == nil {
		return books.FindByCode(tx, f.o.Store, human)
	}
	t, err := token.Verify(code, f.tokenKeys())
	if err != nil || t.Store != f.o.Store || t.Tenant != f.o.Tenant {
		return nil, err
	}
	r, known, err := books.Open(tx, f.o.Store).Reservation(t.Reservation)
	if err != nil || !known {
		return nil, err
	}
	return r, nil
}
