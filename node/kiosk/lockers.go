package kiosk

import (
	"context"

	"holdfast.dev/hardware"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock"
)

// assignTries bounds how many doors are tried for one order: a second one when
// the first is stuck or was taken meanwhile.
const assignTries = 3

// vacant lists the compartments that could take an order now.
func (k *Kiosk) vacant(ctx context.Context) ([]string, error) {
	taken, err := k.o.Floor.Compartments(ctx)
	if err != nil {
		return nil, err
	}
	var free []string
	for _, name := range k.o.Devices.Compartments().Free() {
		if _, holds := taken[name]; !holds {
			free = append(free, name)
		}
	}
	return free, nil
}

// assign opens a free compartment and books what is picked of an order there.
func (k *Kiosk) assign(ctx context.Context, c shopfloor.Cause, id shopfloor.ID) error {
	before, err := k.o.Floor.Asked(ctx, c.ID)
	if err != nil {
		return err
	}
	if before != nil {
		_, err = k.o.Floor.Stage(ctx, c, id, before.GetStage().GetShelf())
		return err
	}
	free, err := k.vacant(ctx)
	if err != nil {
		return err
	}
	last := error(stock.Refuse(stock.ShelfTaken, "no compartment is free"))
	for _, name := range free[:min(len(free), assignTries)] {
		if _, last = k.o.Floor.Stage(ctx, c, id, name); last == nil {
			return nil
		}
		if !stock.Refused(last, stock.LockerDown) && !stock.Refused(last, stock.ShelfTaken) {
			return last
		}
	}
	return last
}

// postAssign puts an order into a compartment that the node chooses.
func (k *Kiosk) postAssign(v *visit) (string, error) {
	return v.onOrder(func(c shopfloor.Cause, id shopfloor.ID) error { return k.assign(v.r.Context(), c, id) })
}

// postDoor opens a compartment that holds no order, for a person who is signed
// in: to take out what was given up, or to clean.
func (k *Kiosk) postDoor(v *visit) (string, error) {
	ctx, name := v.r.Context(), v.r.PathValue("door")
	if v.Station.Staff == "" {
		return "", stock.Refuse(stock.NotSignedIn, "nobody opens %.20q", name)
	}
	taken, err := k.o.Floor.Compartments(ctx)
	if err != nil {
		return "", err
	}
	if _, holds := taken[name]; holds {
		return "", stock.Refuse(stock.ShelfTaken, "%s holds an order", name).With("shelf", name)
	}
	if !k.o.Devices.Compartments().Any() {
		return "", stock.Refuse(stock.LockerDown, "no compartment is called %.20q", name).With("shelf", name)
	}
	err = k.o.Floor.OpenDoor(ctx, name)
	if err == nil {
		k.log.Info("compartment opened by hand", "device", name, "actor", v.Station.Staff)
	}
	return "/devices", err
}

// Vacant counts the compartments that could take an order; -1 without a locker.
func (v *view) Vacant() (int, error) {
	for _, d := range v.k.o.Devices.States() {
		if d.Kind == devices.Locker {
			free, err := v.k.vacant(context.Background())
			return len(free), err
		}
	}
	return -1, nil
}

// compartment is one door on the page of devices.
type compartment struct {
	Name  string
	Word  string // of its state: open, closed, unknown, stuck, unsure
	State string // how bad that is
	Item  bool
	Order string // code of the order that it holds; empty: none
	ID    string // of that order
	Mine  bool   // it may be opened from here
}

// compartments lists the doors of a locker with what they hold.
func (k *Kiosk) compartments(ctx context.Context, v *view, d devices.State) ([]compartment, error) {
	taken, err := k.o.Floor.Compartments(ctx)
	if err != nil {
		return nil, err
	}
	stuck := make(map[hardware.Door]devices.DoorFault)
	for _, f := range d.Stuck {
		stuck[f.Door] = f
	}
	all := make([]compartment, 0, len(d.Doors))
	for _, door := range d.Doors {
		c := compartment{Name: devices.Door{Device: d.Name, Board: door.Door.Board, Lock: door.Door.Lock}.String(),
			Word: door.State.String(), Item: door.Item, State: "ok"}
		fault, failed := stuck[door.Door]
		switch {
		case door.State == hardware.DoorUnknown:
			c.State = "bad"
		case failed && fault.Unsure:
			c.Word, c.State = "unsure", "bad"
		case failed:
			c.Word, c.State = "stuck", "bad"
		case door.State == hardware.DoorOpen:
			c.State = "warn"
		}
		if id, holds := taken[c.Name]; holds {
			r, err := k.reservation(ctx, id)
			if err != nil {
				return nil, err
			}
			c.Order, c.ID = codeOf(r), idString(id)
		}
		c.Mine = c.Order == "" && v.Station.Staff != ""
		all = append(all, c)
	}
	return all, nil
}
