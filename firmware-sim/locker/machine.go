package locker

import "time"

const (
	springs   = 80 * time.Millisecond // from the coil to a door that stands open
	unlocked  = 5 * time.Second       // how long a door without a spring may be pulled
	frameGap  = 50 * time.Millisecond // silence after which a board forgets half a frame
	maxBuffer = 64                    // bytes that may wait for a frame
)

// door is one compartment with its lock, sensor and spring.
type door struct {
	closed  bool
	opens   time.Time // when the spring will have opened it; zero: it will not
	free    time.Time // until when it may be pulled
	stuck   bool      // the lock never lets go
	held    bool      // something keeps it from closing
	item    bool
	pulses  int
	useless int // of the pulses: the door was open already
}

func (d *door) isClosed(now time.Time) bool {
	if !d.opens.IsZero() && !now.Before(d.opens) {
		d.closed, d.opens = false, time.Time{}
	}
	return d.closed
}

// pulse drives the coil.
func (d *door) pulse(now time.Time, spring bool) {
	d.pulses++
	if !d.isClosed(now) {
		d.useless++
		return
	}
	if d.stuck {
		return
	}
	if spring {
		d.opens = now.Add(springs)
		return
	}
	d.free = now.Add(unlocked)
}

// board is one controller with its doors.
type board struct {
	address int
	doors   []door
	dead    bool // does not answer, and does nothing
}

// machine is all boards of a line.
type machine struct {
	dialect  dialect
	boards   []board
	spring   bool
	reversed bool
	legacy   bool // cu16: ETX as the sixth byte of an answer

	in      []byte
	heard   time.Time // last byte
	noise   int       // bytes that were part of no frame
	closest time.Duration
	pulsed  time.Time
}

// Wake is never: doors are looked at when they are asked for.
func (m *machine) Wake() time.Time { return time.Time{} }

// Step cuts what comes in into frames and lets the boards obey.
func (m *machine) Step(now time.Time, in []byte) (out []byte) {
	if len(in) > 0 {
		if now.Sub(m.heard) > frameGap {
			m.noise += len(m.in)
			m.in = nil
		}
		m.heard = now
		m.in = append(m.in, in...)
	}
	for len(m.in) >= m.dialect.bytes {
		c, ok := m.dialect.parse(m.in[:m.dialect.bytes])
		if !ok {
			m.noise++
			m.in = m.in[1:]
			continue
		}
		m.in = m.in[m.dialect.bytes:]
		out = append(out, m.obey(c, now)...)
	}
	m.in = append([]byte(nil), m.in[max(0, len(m.in)-maxBuffer):]...)
	return out
}

// command is a frame that was understood.
type command struct {
	board, lock int // lock from 1; 0 is the whole board
	pulse       bool
}

func (m *machine) obey(c command, now time.Time) []byte {
	b := m.board(c.board)
	if b == nil || b.dead || c.lock > len(b.doors) {
		return nil
	}
	if c.pulse {
		m.drive(b, c.lock, now)
	}
	return m.dialect.answer(m, b, c, now)
}

// drive pulses one coil, or all of them for lock 0.
func (m *machine) drive(b *board, lock int, now time.Time) {
	if gap := now.Sub(m.pulsed); !m.pulsed.IsZero() && (m.closest == 0 || gap < m.closest) {
		m.closest = gap
	}
	m.pulsed = now
	for i := range b.doors {
		if lock == 0 || lock == i+1 {
			b.doors[i].pulse(now, m.spring)
		}
	}
}

func (m *machine) board(address int) *board {
	for i := range m.boards {
		if m.boards[i].address == address {
			return &m.boards[i]
		}
	}
	return nil
}

func (m *machine) door(address, lock int) *door {
	b := m.board(address)
	if b == nil || lock < 1 || lock > len(b.doors) {
		return nil
	}
	return &b.doors[lock-1]
}

// sensed is what the contact of a door says.
func (m *machine) sensed(d *door, now time.Time) bool { return d.isClosed(now) != m.reversed }

// bits are the closed doors of a board, and its item sensors; bit n is lock n+1.
// Locks without a door say closed.
func (m *machine) bits(b *board, now time.Time) (closed, items uint64) {
	closed = ^uint64(0)
	if m.reversed {
		closed = 0
	}
	for i := range b.doors {
		closed &^= 1 << i
		if m.sensed(&b.doors[i], now) {
			closed |= 1 << i
		}
		if b.doors[i].item {
			items |= 1 << i
		}
	}
	return closed, items
}
