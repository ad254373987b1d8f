package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
)

// rememberedKicks bounds how many commands a drawer knows again.
const rememberedKicks = 256

var errDrawerStuck = errors.New("drawer did not open")

// CashDrawer is a hardware.Drawer on a printer's port.
type CashDrawer struct {
	printer *Printer
	number  int

	mu   sync.Mutex
	done []kicked // guarded by mu; the newest last
}

// kicked is what became of one command.
type kicked struct {
	id    string
	state hardware.DrawerState
	err   error
}

// Drawer gives one of the two drawers that a printer's cable can drive, 1 or 2.
// Both share one switch. There must be one CashDrawer for each.
func (p *Printer) Drawer(number int) *CashDrawer { return &CashDrawer{printer: p, number: number} }

// State is what the switch last said.
func (d *CashDrawer) State() hardware.DrawerState {
	d.printer.mu.Lock()
	t := d.printer.talk
	d.printer.mu.Unlock()
	if t == nil {
		return hardware.DrawerUnknown
	}
	return d.state(t)
}

func (d *CashDrawer) state(t *talk) hardware.DrawerState {
	now := t.condition()
	switch {
	case d.printer.noSwitch || now.At.IsZero() || !t.answers:
		return hardware.DrawerUnknown
	case now.DrawerOpen:
		return hardware.DrawerOpen
	}
	return hardware.DrawerClosed
}

// Open drives the coil once for each id, and waits for the switch to move. It
// refuses a printer that cannot print, because that would kick later or never,
// and a second kick so soon after another that the coil could burn. Without a
// switch the answer is DrawerUnknown.
func (d *CashDrawer) Open(ctx context.Context, id string) (hardware.DrawerState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.done {
		if k.id == id {
			return k.state, k.err
		}
	}
	state, sent, err := d.open(ctx)
	if sent {
		d.done = append(d.done, kicked{id, state, err})
		d.done = d.done[max(0, len(d.done)-rememberedKicks):]
	}
	return state, err
}

// open tells as well whether the command may have reached the coil.
func (d *CashDrawer) open(ctx context.Context) (state hardware.DrawerState, sent bool, err error) {
	if d.number != 1 && d.number != 2 {
		return hardware.DrawerUnknown, false, fmt.Errorf("open drawer %d: want 1 or 2", d.number)
	}
	t, done, err := d.printer.begun(ctx)
	if err != nil {
		return hardware.DrawerUnknown, false, err
	}
	defer done()
	if t.answers {
		if err := t.preflight(ctx); err != nil {
			return d.state(t), false, fmt.Errorf("open drawer: %w", err)
		}
		if d.state(t) == hardware.DrawerOpen {
			return hardware.DrawerOpen, false, nil
		}
	}
	if wait := d.printer.cooling(); wait > 0 {
		return d.state(t), false, fmt.Errorf("open drawer: its coil cools for %v more", wait)
	}
	return d.kick(ctx, t)
}

// cooling is how long the coil still needs; if it needs no time, it is used now.
func (p *Printer) cooling() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.timing.Drawer - time.Since(p.kicked); !p.kicked.IsZero() && wait > 0 {
		return wait
	}
	p.kicked = time.Now()
	return 0
}

// looks is how often the switch is looked at while a drawer may move.
const looks = 10

func (d *CashDrawer) kick(ctx context.Context, t *talk) (hardware.DrawerState, bool, error) {
	t.mu.Lock()
	request := t.dialect.Kick(d.number)
	t.mu.Unlock()
	if n, err := t.port.Write([]byte(request)); err != nil {
		return hardware.DrawerUnknown, n > 0 ||
			!errors.Is(err, hardware.ErrGone), fmt.Errorf("open drawer: %w", err)
	}
	if !t.answers || d.printer.noSwitch {
		return hardware.DrawerUnknown, true, nil
	}
	late := time.NewTimer(t.timing.Drawer)
	defer late.Stop()
	tick := time.NewTicker(t.timing.Drawer / looks)
	defer tick.Stop()
	for {
		select {
		case <-late.C:
			return d.state(t), true, errDrawerStuck
		case <-t.ended:
			return hardware.DrawerUnknown, true, fmt.Errorf("open drawer: %w", hardware.ErrGone)
		case <-ctx.Done():
			return hardware.DrawerUnknown, true, fmt.Errorf("open drawer: %w", ctx.Err())
		case <-tick.C:
		}
		if t.ask(ctx) == nil && d.state(t) == hardware.DrawerOpen {
			return hardware.DrawerOpen, true, nil
		}
	}
}
