package escpos

// answer is one thing that a printer said.
type answer struct {
	kind answerKind
	data [4]byte // realTime: first byte; autoStatus: all; processID: the id
}

type answerKind uint8

const (
	realTime   answerKind = 1 + iota // DLE EOT n, one byte
	autoStatus                       // automatic status back, four bytes
	processID                        // GS ( H, after all printing before it
	cleared                          // DLE DC4 8, buffers are empty
	flowOff                          // XOFF
	flowOn                           // XON
	single                           // GS r, GS I 1-3
	text                             // GS I 65-69, memory answers
	noise                            // cannot be an answer
)

const (
	xon  = 0x11
	xoff = 0x13

	headProcess = 0x37 // answers of GS ( H and DLE DC4
	headText    = 0x5f // GS I
	headMemory  = 0x3d
	maxBlock    = 80 // bytes of a block up to its 00
)

// answers cuts the byte stream of a printer into answers. Bit patterns tell
// them apart: 0xx1xx10 is real-time, 0xx1xx00 starts an automatic status of
// which the rest is 0xx0xxxx, and blocks run from a head to 00. XON and XOFF
// may stand anywhere.
type answers struct {
	held  [maxBlock]byte // an answer that is not complete
	count int
}

// next takes one byte and reports at most one answer.
func (a *answers) next(b byte) (answer, bool) {
	switch b {
	case xon:
		return answer{kind: flowOn}, true
	case xoff:
		return answer{kind: flowOff}, true
	}
	if a.count > 0 {
		return a.resume(b)
	}
	switch {
	case b&0x93 == 0x12:
		return answer{kind: realTime, data: [4]byte{b}}, true
	case b&0x93 == 0x10, b == headProcess, b == headText, b == headMemory:
		a.hold(b)
		return answer{}, false
	case b&0x90 == 0:
		return answer{kind: single, data: [4]byte{b}}, true
	}
	return answer{kind: noise}, true
}

func (a *answers) hold(b byte) {
	a.held[a.count] = b
	a.count++
}

func (a *answers) resume(b byte) (answer, bool) {
	head := a.held[0]
	if head&0x93 == 0x10 {
		return a.resumeStatus(b)
	}
	if b == 0 {
		return a.endBlock()
	}
	if b < ' ' && b&0x93 == 0x12 { // a real-time answer that cut in
		return answer{kind: realTime, data: [4]byte{b}}, true
	}
	// No block holds control bytes but the separator 1F of GS ( k sizes.
	if (b < ' ' && b != 0x1f) || b > 0x7e || a.count == maxBlock {
		return a.restart(b)
	}
	a.hold(b)
	return answer{}, false
}

func (a *answers) resumeStatus(b byte) (answer, bool) {
	if b&0x90 != 0 {
		return a.restart(b)
	}
	a.hold(b)
	if a.count < 4 {
		return answer{}, false
	}
	a.count = 0
	return answer{kind: autoStatus, data: [4]byte(a.held[:4])}, true
}

func (a *answers) endBlock() (answer, bool) {
	block := a.held[:a.count]
	a.count = 0
	if block[0] != headProcess {
		return answer{kind: text}, true
	}
	switch {
	case len(block) == 6 && block[1] == 0x22:
		return answer{kind: processID, data: [4]byte(block[2:])}, true
	case len(block) == 2 && block[1] == 0x25:
		return answer{kind: cleared}, true
	}
	return answer{kind: text}, true
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
