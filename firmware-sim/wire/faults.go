package wire

import "time"

// Faults are what is wrong with a line. Chances are per thousand and follow the
// seed of the cable, so that a run can be repeated.
type Faults struct {
	Deaf  bool          `json:"deaf"`  // the device hears nothing
	Mute  bool          `json:"mute"`  // nothing of what it says arrives
	Echo  bool          `json:"echo"`  // the adapter gives back what the host sends
	Delay time.Duration `json:"delay"` // answers leave so much later
	Flip  int           `json:"flip"`  // bytes of which a bit turns, both ways
	Lose  int           `json:"lose"`  // bytes that get lost, both ways
	Burst int           `json:"burst"` // answers with noise before them
	Cut   int           `json:"cut"`   // the cable is pulled after so many bytes more; 0 never
}

// SetFaults replaces the line's faults.
func (c *Cable) SetFaults(f Faults) {
	c.order(func() {
		c.fault = f
		c.left = max(0, f.Cut)
		c.fault.Cut = 0
	})
}

// Faults gives the line's faults.
func (c *Cable) Faults() (f Faults) {
	c.order(func() { f = c.fault })
	return f
}

// spoil loses and turns bytes as chance has it.
func (c *Cable) spoil(b []byte) []byte {
	if c.fault.Flip == 0 && c.fault.Lose == 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for _, x := range b {
		if c.luck.IntN(1000) < c.fault.Lose {
			continue
		}
		if c.luck.IntN(1000) < c.fault.Flip {
			x ^= 1 << c.luck.IntN(8)
		}
		out = append(out, x)
	}
	return out
}

// noise is what a line without termination hears.
func (c *Cable) noise() []byte {
	b := make([]byte, 1+c.luck.IntN(12))
	for i := range b {
		b[i] = byte(c.luck.Uint32())
	}
	return b
}
