package escrow

import "slices"

// maxCuts is how many cuts a store remembers, the newest.
const maxCuts = 64

// Cuts are how long the line of one store was down, the newest last.
type Cuts struct {
	Lengths []int64 // milliseconds
}

// usualCuts is what is believed of a line that was never seen to fail: half of
// its cuts are over after 20 minutes, one of 20 lasts for more than six hours.
// They weigh as much as eight cuts that were seen.
var usualCuts = [...]int64{81 * second, 253 * second, 508 * second, 911 * second, 1581 * second,
	2833 * second, 5703 * second, 17_777 * second}

// Add remembers one more cut.
func (c *Cuts) Add(length int64) {
	if len(c.Lengths) >= maxCuts {
		c.Lengths = slices.Delete(c.Lengths, 0, len(c.Lengths)-maxCuts+1)
	}
	c.Lengths = append(c.Lengths, length)
}

// Left is how much longer a cut that has lasted for elapsed goes on: so many
// thousandths of such cuts are over by then. What nobody has seen may last as
// long again.
func (c Cuts) Left(elapsed int64, permille int) int64 {
	var room [maxCuts + len(usualCuts) + 1]int64
	left := c.left(room[:0], elapsed)
	return left[min(len(left)-1, len(left)*permille/1000)]
}

// outlook is how much longer a cut goes on, in the ways that it may.
func (c Cuts) outlook(elapsed int64) (all [len(outlook)]int64) {
	var room [maxCuts + len(usualCuts) + 1]int64
	left := c.left(room[:0], elapsed)
	for i, o := range outlook {
		all[i] = left[min(len(left)-1, len(left)*o.permille/1000)]
	}
	return all
}

// left lists what was left of the cuts that lasted for longer, in order.
func (c Cuts) left(room []int64, elapsed int64) []int64 {
	for _, l := range usualCuts {
		if l > elapsed {
			room = append(room, l-elapsed)
		}
	}
	for _, l := range c.Lengths[max(0, len(c.Lengths)-maxCuts):] {
		if l > elapsed {
			room = append(room, l-elapsed)
		}
	}
	if elapsed > 0 || len(room) == 0 {
		room = append(room, elapsed)
	}
	slices.Sort(room)
	return room
}
