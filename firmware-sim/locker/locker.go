// Package locker is the firmware of pickup lockers: boards with doors on one
// RS-485 line, on a pseudo terminal or a TCP port. It shares no code with the
// driver, so that the two do not agree on a mistake.
package locker

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"holdfast.dev/firmware-sim/wire"
)

// Dialects.
const (
	CU16    = "cu16"
	CU48    = "cu48"
	Board24 = "board24"
)

// Options say what locker it is and where it is plugged in.
type Options struct {
	wire.Options
	Dialect  string // CU16, which is the default, CU48 or Board24
	Boards   []int  // addresses; none: 0, or 1 for Board24
	Doors    int    // of each board; 0: all that the board can have
	Pulled   bool   // doors have no spring: someone must pull them
	Reversed bool   // sensors say open when closed
	Legacy   bool   // the other layout of CU16 answers
}

// Door is what a bystander sees of a door.
type Door struct {
	Board, Lock int
	Closed      bool
	Item        bool // something lies inside
	Stuck       bool // its lock never lets go
	Held        bool // something keeps it from closing
	Pulses      int  // times its coil was driven
	Useless     int  // of these, while it stood open
}

// Locker is a locker that is switched on, with all doors closed.
type Locker struct {
	Cable   *wire.Cable
	name    string
	machine *machine
}

// Start switches a locker on and plugs it in.
func Start(o Options) (*Locker, error) {
	l, err := newLocker(o)
	if err != nil {
		return nil, err
	}
	if l.Cable, err = wire.Start(o.Options, l.machine); err != nil {
		return nil, err
	}
	return l, nil
}

// On switches a locker on at the other end of a connection.
func On(conn io.ReadWriteCloser, o Options) (*Locker, error) {
	l, err := newLocker(o)
	if err != nil {
		return nil, err
	}
	l.Cable = wire.Attach(conn, l.machine)
	return l, nil
}

func newLocker(o Options) (*Locker, error) {
	if o.Dialect == "" {
		o.Dialect = CU16
	}
	d, ok := dialects[o.Dialect]
	if !ok {
		return nil, fmt.Errorf("locker dialect %q: want %s, %s or %s", o.Dialect, CU16, CU48, Board24)
	}
	if o.Doors == 0 {
		o.Doors = d.locks
	}
	if o.Doors < 1 || o.Doors > d.locks {
		return nil, fmt.Errorf("board of %d doors: want 1 to %d", o.Doors, d.locks)
	}
	if len(o.Boards) == 0 {
		o.Boards = []int{0}
		if o.Dialect == Board24 {
			o.Boards = []int{1} // 0 is all boards
		}
	}
	m := &machine{dialect: d, spring: !o.Pulled, reversed: o.Reversed, legacy: o.Legacy}
	for _, address := range o.Boards {
		b := board{address: address, doors: make([]door, o.Doors)}
		for i := range b.doors {
			b.doors[i].closed = true
		}
		m.boards = append(m.boards, b)
	}
	return &Locker{name: o.Dialect, machine: m}, nil
}

// on does something to a door; the error says that there is none.
func (l *Locker) on(board, lock int, do func(d *door, now time.Time)) (err error) {
	l.Cable.Do(func(now time.Time) {
		d := l.machine.door(board, lock)
		if d == nil {
			err = fmt.Errorf("no door %d on board %d", lock, board)
			return
		}
		d.isClosed(now) // what the spring did until now
		do(d, now)
	})
	return err
}

// Shut closes a door, unless something keeps it open.
func (l *Locker) Shut(board, lock int) error {
	return l.on(board, lock, func(d *door, _ time.Time) {
		if !d.held {
			d.closed, d.opens, d.free = true, time.Time{}, time.Time{}
		}
	})
}

// Pull pulls at a door, which opens if its lock let go a moment ago.
func (l *Locker) Pull(board, lock int) error {
	return l.on(board, lock, func(d *door, now time.Time) {
		if now.Before(d.free) {
			d.closed = false
		}
	})
}

// Stick keeps a lock from letting go, or lets it.
func (l *Locker) Stick(board, lock int, stuck bool) error {
	return l.on(board, lock, func(d *door, _ time.Time) { d.stuck = stuck })
}

// Hold keeps a door from closing, or lets it.
func (l *Locker) Hold(board, lock int, held bool) error {
	return l.on(board, lock, func(d *door, _ time.Time) { d.held = held })
}

// Fill puts something into a compartment, or takes it out.
func (l *Locker) Fill(board, lock int, item bool) error {
	return l.on(board, lock, func(d *door, _ time.Time) { d.item = item })
}

// SetBoard kills a board, or brings it back. Its locks stay as they are.
func (l *Locker) SetBoard(address int, alive bool) error {
	var err error
	l.Cable.Do(func(time.Time) {
		b := l.machine.board(address)
		if b == nil {
			err = fmt.Errorf("no board %d", address)
			return
		}
		b.dead = !alive
	})
	return err
}

// Doors are all doors as they are at this moment.
func (l *Locker) Doors() (all []Door) {
	l.Cable.Do(func(now time.Time) {
		for _, b := range l.machine.boards {
			for i := range b.doors {
				d := &b.doors[i]
				all = append(all, Door{Board: b.address, Lock: i + 1, Closed: d.isClosed(now),
					Item: d.item, Stuck: d.stuck, Held: d.held, Pulses: d.pulses, Useless: d.useless})
			}
		}
	})
	return all
}

// Noise counts the bytes that were part of no frame.
func (l *Locker) Noise() (n int) {
	l.Cable.Do(func(time.Time) { n = l.machine.noise })
	return n
}

// Closest is the shortest time between two coils; 0 before there were two.
func (l *Locker) Closest() (d time.Duration) {
	l.Cable.Do(func(time.Time) { d = l.machine.closest })
	return d
}

// Close takes the locker away.
func (l *Locker) Close() error { return l.Cable.Close() }

// Panel is the locker's page.
func (l *Locker) Panel() wire.Panel {
	onDoor := func(do func(board, lock int, on bool) error) func(url.Values) error {
		return func(f url.Values) error {
			board, err := wire.Number(f, "board", 0)
			if err != nil {
				return err
			}
			lock, err := wire.Number(f, "lock", 0)
			if err != nil {
				return err
			}
			return do(board, lock, f.Get("on") == "true")
		}
	}
	return wire.Panel{
		Title: "Pickup locker, " + l.name, Cable: l.Cable, View: l.view,
		Do: map[string]func(url.Values) error{
			"shut":  onDoor(func(b, n int, _ bool) error { return l.Shut(b, n) }),
			"pull":  onDoor(func(b, n int, _ bool) error { return l.Pull(b, n) }),
			"stick": onDoor(l.Stick),
			"hold":  onDoor(l.Hold),
			"fill":  onDoor(l.Fill),
			"board": onDoor(func(b, _ int, on bool) error { return l.SetBoard(b, on) }),
		},
	}
}

func (l *Locker) view() wire.View {
	v := wire.View{Facts: []wire.Fact{{Name: "bytes of noise", Value: fmt.Sprint(l.Noise())}}}
	l.Cable.Do(func(time.Time) {
		for _, b := range l.machine.boards {
			label := map[bool]string{true: "Revive board %d", false: "Kill board %d"}[b.dead]
			v.Actions = append(v.Actions, wire.Action{Label: fmt.Sprintf(label, b.address), Do: "board",
				Fields: map[string]string{"board": fmt.Sprint(b.address), "on": fmt.Sprint(b.dead)}})
		}
	})
	for _, d := range l.Doors() {
		v.Cells = append(v.Cells, d.cell())
	}
	return v
}

// cell is a door on the page.
func (d Door) cell() wire.Cell {
	act := func(label, do string, on bool) wire.Action {
		return wire.Action{Label: label, Do: do, Fields: map[string]string{
			"board": fmt.Sprint(d.Board), "lock": fmt.Sprint(d.Lock), "on": fmt.Sprint(on)}}
	}
	name := fmt.Sprintf("%d-%d", d.Board, d.Lock)
	c := wire.Cell{Name: name, Value: "closed", Bad: d.Stuck || d.Held}
	if d.Closed {
		c.Actions = []wire.Action{act("Pull", "pull", true)}
	} else {
		c.Value, c.Lit = "open", true
		c.Actions = []wire.Action{act("Shut", "shut", true)}
	}
	if d.Stuck {
		c.Value += ", stuck"
	}
	if d.Held {
		c.Value += ", blocked"
	}
	fill := "Put in"
	if d.Item {
		c.Value += ", full"
		fill = "Take out"
	}
	c.Actions = append(c.Actions, act(fill, "fill", !d.Item))
	if d.Closed {
		c.Actions = append(c.Actions, act("Stick", "stick", !d.Stuck))
	} else {
		c.Actions = append(c.Actions, act("Block", "hold", !d.Held))
	}
	return c
}
