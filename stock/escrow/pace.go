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
	if p.Left(at) == 0 {
		return false
	}
	p.second, p.made = at/second, MovesPerSecond-p.Left(at)+1
	return true
}

// Left is how many more moves may be made now.
func (p *Pace) Left(at int64) int {
	if at/second != p.second {
		return MovesPerSecond
	}
	return MovesPerSecond - p.made
}
