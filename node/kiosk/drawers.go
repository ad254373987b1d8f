package kiosk

import (
	"context"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/drawer"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/shopfloor"
)

const (
	// kickQueue is how many drawers may wait to be opened: one for each sale that
	// ends while a printer prints.
	kickQueue = 16
	// kickWithin bounds how long a drawer waits for its printer.
	kickWithin = 15 * time.Second
	// ajarEvery is how often open drawers are looked at.
	ajarEvery = 5 * time.Second
)

// kickOrder is a drawer to be opened, once for each id.
type kickOrder struct{ station, id string }

// cashDrawer asks for the station's drawer to be opened, if it has one. It never
// waits: a drawer that cannot open holds up no sale.
func (k *Kiosk) cashDrawer(station string, sale shopfloor.ID) {
	if k.station(station).Drawer == 0 {
		return
	}
	select {
	case k.kicks <- kickOrder{station, "sale/" + idString(sale)}:
	default:
		k.log.Error("too many drawers wait to be opened", "device", k.printer(station))
	}
}

// openDrawers opens the drawers that are asked for until ctx ends.
func (k *Kiosk) openDrawers(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-k.kicks:
			within, cancel := context.WithTimeout(ctx, kickWithin)
			s := k.station(o.station)
			if _, err := k.o.Devices.OpenDrawer(within, s.Printer, s.Drawer, o.id); err != nil && ctx.Err() == nil {
				k.log.Warn("cash drawer", "device", s.Printer, "err", err)
			}
			cancel()
		}
	}
}

// watchDrawers notices drawers that stand open for long, and tells the screens.
func (k *Kiosk) watchDrawers(ctx context.Context) error {
	looks := make(map[string]*drawer.Ajar)
	tick := time.NewTicker(ajarEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			for _, d := range k.o.Devices.States() {
				if d.Kind == devices.Printer {
					k.lookAtDrawer(looks, d, now)
				}
			}
		}
	}
}

func (k *Kiosk) lookAtDrawer(looks map[string]*drawer.Ajar, d devices.State, now time.Time) {
	if looks[d.Name] == nil {
		looks[d.Name] = new(drawer.Ajar)
	}
	long := looks[d.Name].Look(now, d.Drawer())
	_, told := k.ajar.Load(d.Name)
	switch {
	case long:
		k.ajar.Store(d.Name, true)
		k.log.Warn("cash drawer stands open", "device", d.Name)
	case told && d.Drawer() != hardware.DrawerOpen:
		k.ajar.Delete(d.Name)
	default:
		return
	}
	k.events.publish(event("device", "", ""))
}

// HasDrawer tells whether the station has a cash drawer.
func (v *view) HasDrawer() bool { return v.k.station(v.Station.Name).Drawer > 0 }
