package fleet

import "time"

// clock is a wall clock that may be wrong.
type clock struct {
	w       *World
	offset  time.Duration
	drift   int64 // parts in a million
	stopped bool
	at      int64 // what it shows while it is stopped, Unix ms
}

// now is what the clock shows, Unix ms.
func (c *clock) now() int64 {
	if c.stopped {
		return c.at
	}
	run := c.w.now + time.Duration(int64(c.w.now)/1_000_000*c.drift)
	return birth.Add(run + c.offset).UnixMilli()
}

// stop freezes the clock.
func (c *clock) stop() { c.at, c.stopped = c.now(), true }

// mend sets the clock right.
func (c *clock) mend() { c.offset, c.drift, c.stopped = 0, 0, false }
