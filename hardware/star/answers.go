package star

// answer is one thing that a printer said.
type answer struct {
	kind  answerKind
	state [maxState]byte // automatic status: its bytes, the header first
	group [2]byte        // which ESC GS ETX was answered
}

type answerKind uint8

const (
	status answerKind = 1 + iota // automatic status, or the answer to ESC ACK SOH
	passed                       // ESC GS ETX, after all printing before it
	flowOff
	flowOn
	noise
)

const (
	xon  = 0x11
	xoff = 0x13

	minState   = 7  // bytes of the shortest automatic status
	maxState   = 15 // of the longest that is looked at
	passedHead = "\x1b\x1d\x03\x01"
	passedSize = 8 // head, n1, n2, counter, 00
)

// answers cuts the byte stream of a printer into answers. The first byte of an
// automatic status, 0xx0xxx1, carries its length; the others are 0xx0xxx0. The
// answer to ESC GS ETX begins as the request. XON and XOFF may stand anywhere.
type answers struct {
	held  [maxState]byte
	count int
	size  int // of the answer that is being collected
}

// fiveBits reads a number that is spread over a byte so that it cannot be
// taken for XON or XOFF.
func fiveBits(b byte) int { return int(b&0x60)>>2 | int(b&0x0e)>>1 }

// next takes one byte and reports at most one answer.
func (a *answers) next(b byte) (answer, bool) {
	switch {
	case a.count > 0 && a.held[0] == passedHead[0]:
		return a.resumePassed(b)
	case b == xon:
		return answer{kind: flowOn}, true
	case b == xoff:
		return answer{kind: flowOff}, true
	case a.count > 0:
		return a.resumeStatus(b)
	case b == passedHead[0]:
		a.begin(b, passedSize)
		return answer{}, false
	case b&0x91 == 0x01 && fiveBits(b) >= minState && fiveBits(b) <= maxState:
		a.begin(b, fiveBits(b))
		return answer{}, false
	}
	return answer{kind: noise}, true
}

func (a *answers) begin(b byte, size int) {
	a.held[0], a.count, a.size = b, 1, size
}

func (a *answers) resumePassed(b byte) (answer, bool) {
	at := a.count
	wrong := at < len(passedHead) && b != passedHead[at] || at == passedSize-1 && b != 0
	if wrong {
		return a.restart(b)
	}
	a.held[at] = b
	if a.count++; a.count < passedSize {
		return answer{}, false
	}
	a.count = 0
	return answer{kind: passed, group: [2]byte(a.held[4:6])}, true
}

func (a *answers) resumeStatus(b byte) (answer, bool) {
	if b&0x91 != 0 {
		return a.restart(b)
	}
	a.held[a.count] = b
	if a.count++; a.count < a.size {
		return answer{}, false
	}
	got := answer{kind: status}
	copy(got.state[:], a.held[:a.size])
	a.count = 0
	return got, true
}

// restart gives up a broken answer and lets b begin the next one. The broken
// one is reported as noise unless b alone is an answer.
func (a *answers) restart(b byte) (answer, bool) {
	a.count = 0
	if got, ok := a.next(b); ok {
		return got, true
	}
	return answer{kind: noise}, true
}
