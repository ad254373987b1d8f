package devices

import (
	"context"
	"strings"

	"holdfast.dev/hardware"
	"holdfast.dev/stock"
)

// ShelfPrefix begins the label of every pickup shelf and compartment, so that a
// scanner can tell it from goods.
const ShelfPrefix = "SHELF-"

// Compartments are the doors of all lockers of a set, by their names.
type Compartments struct {
	set   *Set
	doors map[string]Door
}

// Compartments gives the doors of all lockers.
func (s *Set) Compartments() Compartments {
	c := Compartments{s, make(map[string]Door)}
	for _, d := range s.devices {
		for _, door := range d.cfg.Doors() {
			c.doors[door.String()] = door
		}
	}
	return c
}

// Compartment gives the name of the compartment that a label or a name stands
// for; false for any other shelf.
func (c Compartments) Compartment(shelf string) (name string, ok bool) {
	name = strings.TrimPrefix(shelf, ShelfPrefix)
	_, ok = c.doors[name]
	return name, ok
}

// Open opens a compartment by its name and returns nil when its door is open.
func (c Compartments) Open(ctx context.Context, name string) error {
	door, ok := c.doors[name]
	if !ok {
		return stock.Refuse(stock.LockerDown, "no compartment is called %q", name).With("shelf", name)
	}
	return c.set.OpenDoor(ctx, door)
}

// Free lists the compartments that could take an order, as far as their doors
// tell: closed, nothing inside, and not stuck when they were last opened.
func (c Compartments) Free() (names []string) {
	for _, s := range c.set.States() {
		stuck := make(map[hardware.Door]bool)
		for _, f := range s.Stuck {
			stuck[f.Door] = true
		}
		for _, d := range s.Doors {
			if d.State == hardware.DoorClosed && !d.Item && !stuck[d.Door] {
				names = append(names, Door{s.Name, d.Door.Board, d.Door.Lock}.String())
			}
		}
	}
	return names
}

// Any tells whether there is a compartment at all.
func (c Compartments) Any() bool { return len(c.doors) > 0 }
