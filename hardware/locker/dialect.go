package locker

import "time"

// Dialect is how a family of boards speaks. Public documents on these boards are
// thin, and makers change firmware: whoever installs a locker opens door 1 and
// looks which door it was.
type Dialect struct {
	Name  string // as a configuration says it
	Baud  int    // as the boards are sold, 8N1
	Locks int    // at most on one board

	low, high int // addresses of boards
	// single tells that a question is about one lock, not about a whole board.
	single bool
	ask    func(board, lock int) []byte
	open   func(board, lock int) []byte
	// read finds the answer of a board (and lock) in what was heard.
	read func(heard []byte, board, lock int) (reading, bool)
}

// reading is what an answer says: bit n is lock n+1.
type reading struct {
	closed uint64
	items  uint64    // of sensors that see something
	silent bool      // there was no answer
	at     time.Time // when it was complete
}

// Dialects are the families of boards that were thought of; look them up by Name.
var Dialects = []Dialect{
	{Name: "cu16", Baud: 19200, Locks: 16, low: 0, high: 15,
		ask: cu16Ask, open: cu16Open, read: cu16Read},
	{Name: "cu48", Baud: 19200, Locks: 48, low: 0, high: 255,
		ask: cu48Ask, open: cu48Open, read: cu48Read},
	{Name: "board24", Baud: 9600, Locks: 24, low: 1, high: 255, single: true,
		ask: board24Ask, open: board24Open, read: board24Read},
}

// KERONG KR-CU16: STX, address, command, ETX, sum of all bytes before.
const (
	stx byte = 0x02
	etx byte = 0x03

	cu16Status = 0x30
	cu16Pulse  = 0x31 // has no answer
	cu16Answer = 0x35
	cu16Bytes  = 9 // of the answer
)

func cu16Ask(board, _ int) []byte { return summed(stx, byte(board)<<4, cu16Status, etx) }

func cu16Open(board, lock int) []byte {
	return summed(stx, byte(board)<<4|byte(lock-1), cu16Pulse, etx)
}

// cu16Read takes both layouts that are told of: ETX as the eighth byte, after two
// bytes of item sensors, or as the sixth with two bytes that mean nothing.
func cu16Read(heard []byte, board, _ int) (reading, bool) {
	for ; len(heard) >= cu16Bytes; heard = heard[1:] {
		a := heard[:cu16Bytes]
		if a[0] != stx || a[1]>>4 != byte(board) || a[2] != cu16Answer || sum(a[:8]) != a[8] {
			continue
		}
		r := reading{closed: uint64(a[3]) | uint64(a[4])<<8}
		switch etx {
		case a[7]:
			r.items = uint64(a[5]) | uint64(a[6])<<8
		case a[5]:
		default:
			continue
		}
		return r, true
	}
	return reading{}, false
}

// KERONG boards of 12 and 48 locks, firmware "B": STX, address, lock from 0,
// command, ETX, sum.
const (
	cu48Status = 0x60
	cu48Pulse  = 0x61
	cu48Fine   = 0x75
	cu48Data   = 6  // bytes of locks
	cu48Bytes  = 12 // of the answer to a status question
)

func cu48Ask(board, _ int) []byte { return summed(stx, byte(board), 0, cu48Status, etx) }

func cu48Open(board, lock int) []byte {
	return summed(stx, byte(board), byte(lock-1), cu48Pulse, etx)
}

func cu48Read(heard []byte, board, _ int) (reading, bool) {
	for ; len(heard) >= cu48Bytes; heard = heard[1:] {
		a := heard[:cu48Bytes]
		head := a[0] == stx && a[1] == byte(board) && a[2] == 0 && a[3] == cu48Fine && a[4] == cu48Data
		if !head || sum(a[:11]) != a[11] {
			continue
		}
		var r reading
		for i, b := range a[5:11] {
			r.closed |= uint64(b) << (8 * i)
		}
		return r, true
	}
	return reading{}, false
}

// Boards of 24 locks that many makers sell: head, address, lock, value, and all of
// them XORed.
const (
	board24Status = 0x80
	board24Pulse  = 0x8a
	board24Which  = 0x33
	board24Closed = 0x11
	board24Opened = 0x00
	board24Bytes  = 5
)

func board24Ask(board, lock int) []byte {
	return xored(board24Status, byte(board), byte(lock), board24Which)
}

func board24Open(board, lock int) []byte {
	return xored(board24Pulse, byte(board), byte(lock), board24Closed)
}

// board24Read passes over the question itself, which an adapter may give back.
func board24Read(heard []byte, board, lock int) (reading, bool) {
	for ; len(heard) >= board24Bytes; heard = heard[1:] {
		a := heard[:board24Bytes]
		head := a[0] == board24Status && a[1] == byte(board) && a[2] == byte(lock)
		if !head || xor(a[:4]) != a[4] {
			continue
		}
		switch a[3] {
		case board24Closed:
			return reading{closed: 1 << (lock - 1)}, true
		case board24Opened:
			return reading{}, true
		}
	}
	return reading{}, false
}

func summed(b ...byte) []byte { return append(b, sum(b)) }

func xored(b ...byte) []byte { return append(b, xor(b)) }

func sum(bytes []byte) (s byte) {
	for _, b := range bytes {
		s += b
	}
	return s
}

func xor(bytes []byte) (x byte) {
	for _, b := range bytes {
		x ^= b
	}
	return x
}
