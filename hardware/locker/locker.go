// Package locker drives pickup lockers: boards with electric locks on one
// two-wire line (RS-485), of which the node is the only master.
//
// The state of a door is the truth, never the command that was sent. A door is
// opened once; again only if it was watched all the time and stayed closed.
package locker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/exchange"
)

// What Open knows when the door is not open.
var (
	// ErrStuck says that the coil was driven twice and the door stayed closed.
	ErrStuck = errors.New("door does not open")
	// ErrUnsure says that the coil was driven and the door could not be watched:
	// it may have been opened, and emptied. A person must look.
	ErrUnsure = errors.New("door may have opened")
	// ErrNoDoor says that no board of the configuration has the door.
	ErrNoDoor = errors.New("no such door")
)

const (
	turnaround = 5 * time.Millisecond   // silence before the master speaks again
	pulseGap   = 300 * time.Millisecond // between two coils: each takes 2 to 3 A
	asks       = 3                      // questions before a board counts as silent
	pulses     = 2                      // of one Open
	// unwatched is how long a door may be out of sight and still count as watched:
	// nobody opens, empties and closes it faster.
	unwatched = time.Second
	watch     = 100 * time.Millisecond // between two looks at a door that opens
)

// Board is one board on the line.
type Board struct {
	Address int
	Locks   int // wired to doors, from lock 1
}

// Config says what stands on the line. Zero durations mean the defaults.
type Config struct {
	Dialect  string // a name of Dialects
	Boards   []Board
	Reversed bool          // the sensors say open when they are closed
	Answer   time.Duration // wait for an answer; 100 ms
	Poll     time.Duration // between two looks at all doors; 1 s
	OpenWait time.Duration // for a door to open; some must be pulled; 10 s
}

// Locker is a hardware.Locker on one port.
type Locker struct {
	line    *exchange.Line
	cfg     Config
	dialect Dialect
	opening chan struct{} // held by one Open at a time
	pulsed  time.Time     // owned by the holder of opening

	mu      sync.Mutex
	doors   map[hardware.Door]known   // guarded by mu
	changed func(hardware.DoorStatus) // guarded by mu; nil unless Run runs
}

// known is the state of a door, and how old the reading is that it rests on.
type known struct {
	hardware.DoorStatus
	seen time.Time
}

// New makes a driver of the boards on a port that is open. It serves one Run,
// which closes the port.
func New(port hardware.Port, cfg Config) (*Locker, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	for _, d := range []struct {
		set *time.Duration
		to  time.Duration
	}{
		{&cfg.Answer, 100 * time.Millisecond},
		{&cfg.Poll, time.Second},
		{&cfg.OpenWait, 10 * time.Second},
	} {
		if *d.set <= 0 {
			*d.set = d.to
		}
	}
	dialect, _ := named(cfg.Dialect)
	return &Locker{
		line: exchange.New(port, turnaround), cfg: cfg, dialect: dialect,
		opening: make(chan struct{}, 1), doors: map[hardware.Door]known{},
	}, nil
}

func named(name string) (Dialect, bool) {
	i := slices.IndexFunc(Dialects, func(d Dialect) bool { return d.Name == name })
	if i < 0 {
		return Dialect{}, false
	}
	return Dialects[i], true
}

// check says what is wrong with a configuration.
func (c Config) check() error {
	d, ok := named(c.Dialect)
	if !ok {
		return fmt.Errorf("locker dialect %q is not known", c.Dialect)
	}
	if len(c.Boards) == 0 {
		return errors.New("locker has no boards")
	}
	seen := map[int]bool{}
	for _, b := range c.Boards {
		switch {
		case b.Address < d.low || b.Address > d.high:
			return fmt.Errorf("locker board %d: %s has %d to %d", b.Address, d.Name, d.low, d.high)
		case b.Locks < 1 || b.Locks > d.Locks:
			return fmt.Errorf("locker board %d has %d locks: %s has 1 to %d",
				b.Address, b.Locks, d.Name, d.Locks)
		case seen[b.Address]:
			return fmt.Errorf("two locker boards have address %d", b.Address)
		}
		seen[b.Address] = true
	}
	return nil
}

// Run looks at all doors again and again, until ctx ends (nil) or the port fails
// (a fault). A board that does not answer makes its doors unknown.
func (l *Locker) Run(ctx context.Context, changed func(hardware.DoorStatus)) error {
	defer l.use(nil)
	return l.line.Run(ctx, func(ctx context.Context) {
		l.use(changed)
		tick := time.NewTicker(l.cfg.Poll)
		defer tick.Stop()
		for ctx.Err() == nil {
			for _, b := range l.cfg.Boards {
				l.look(ctx, b)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
}

func (l *Locker) use(changed func(hardware.DoorStatus)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed = changed
}

// look asks for all doors of a board and tells what changed.
func (l *Locker) look(ctx context.Context, b Board) {
	step := b.Locks
	if l.dialect.single {
		step = 1
	}
	for first := 1; first <= b.Locks && ctx.Err() == nil; first += step {
		asked := time.Now()
		r, err := l.ask(ctx, b.Address, first)
		if err == nil && l.differs(b.Address, first, step, r) {
			// A contact that bounces, or an answer that was damaged and looks right.
			r, err = l.ask(ctx, b.Address, first)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.learn(b.Address, 1, b.Locks, reading{silent: true, at: asked})
			return // the others on a board that is silent would be, too
		}
		l.learn(b.Address, first, step, r)
	}
}

// ask asks a board up to three times.
func (l *Locker) ask(ctx context.Context, board, lock int) (r reading, err error) {
	for range asks {
		if r, err = l.askOnce(ctx, board, lock); err == nil || !errors.Is(err, hardware.ErrTimeout) {
			return r, err
		}
	}
	return r, err
}

func (l *Locker) askOnce(ctx context.Context, board, lock int) (r reading, err error) {
	_, err = l.line.Ask(ctx, l.dialect.ask(board, lock), l.cfg.Answer, func(heard []byte) bool {
		var found bool
		r, found = l.dialect.read(heard, board, lock)
		r.at = time.Now() // here, where no other question is on its way
		return found
	})
	if l.cfg.Reversed {
		r.closed = ^r.closed
	}
	return r, err
}

func (r reading) state(lock int) hardware.DoorState {
	if r.silent {
		return hardware.DoorUnknown
	}
	if r.closed>>(lock-1)&1 == 1 {
		return hardware.DoorClosed
	}
	return hardware.DoorOpen
}

func (l *Locker) differs(board, first, count int, r reading) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for lock := first; lock < first+count; lock++ {
		old, ok := l.doors[hardware.Door{Board: board, Lock: lock}]
		if ok && old.State != hardware.DoorUnknown && old.State != r.state(lock) {
			return true
		}
	}
	return false
}

// learn keeps what a reading says of some doors of a board, and tells of those
// that changed. A reading older than what is known already says nothing.
func (l *Locker) learn(board, first, count int, r reading) {
	var news []hardware.DoorStatus
	l.mu.Lock()
	for lock := first; lock < first+count; lock++ {
		door := hardware.Door{Board: board, Lock: lock}
		old, ok := l.doors[door]
		if ok && old.seen.After(r.at) {
			continue
		}
		next := known{hardware.DoorStatus{
			Door: door, State: r.state(lock), Item: r.items>>(lock-1)&1 == 1, At: r.at,
		}, r.at}
		if ok && old.State == next.State && old.Item == next.Item {
			old.seen = r.at
			l.doors[door] = old
			continue
		}
		l.doors[door] = next
		news = append(news, next.DoorStatus)
	}
	changed := l.changed
	l.mu.Unlock()
	for _, n := range news {
		if changed != nil {
			changed(n)
		}
	}
}
