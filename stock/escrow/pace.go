package escrow

// Pace bounds how many moves a node makes a second, all products together. The
// zero value is a node that has made none.
type Pace struct {
	second int64
	made   int
}

// MovesPerSecond is how many moves a node makes at most, unasked.
const MovesPerSecond = 50

// Take tells whether one more move may be made now, and counts it.
func (p *Pace) Take(at int64) bool {
	if s := at / second; s != p.second {
		p.second, p.made = s, 0
	}
	if p.made >= MovesPerSecond {
		return false
	}
	p.made++
	return true
}
