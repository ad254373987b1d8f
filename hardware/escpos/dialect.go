package escpos

import (
	"crypto/rand"
	"encoding/binary"
	"strings"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/receipt/session"
)

const (
	statusRequest = "\x10\x04"                                 // DLE EOT n
	clearBuffers  = "\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08" // DLE DC4 8
	autoStatusOn  = "\x1da\x0f"                                // GS a: drawer, online, errors, paper
	fenceByID     = "\x1d(H\x06\x0000"                         // GS ( H function 48, then four bytes
	fenceBySensor = "\x1dr\x01"                                // GS r 1, obeyed in turn with the text
)

// dialect is one conversation with an ESC/POS printer.
type dialect struct {
	profile   Profile
	questions []string
	parse     answers

	fence   uint32  // number of the last fence by id
	id      [4]byte // of the last fence by id
	matched bool    // it was answered
	asked   uint32  // fences by sensor sent
	heard   uint32  // and answered, in the same order
}

func newDialect(p Profile) *dialect {
	d := &dialect{profile: p, matched: true}
	if p.BackChannel {
		d.questions = []string{
			statusRequest + "\x01", statusRequest + "\x02", statusRequest + "\x03", statusRequest + "\x04",
		}
	}
	var first [4]byte
	rand.Read(first[:]) // so that an answer to an earlier process is not taken for ours
	d.fence = binary.BigEndian.Uint32(first[:])
	return d
}

// Encode is the function of that name.
func (d *dialect) Encode(doc receipt.Document) ([]byte, error) { return Encode(doc, d.profile) }

// Questions are DLE EOT 1 to 4.
func (d *dialect) Questions() []string { return d.questions }

// Hear takes one byte from the printer.
func (d *dialect) Hear(b byte, asked int, c *session.Condition) session.Event {
	a, ok := d.parse.next(b)
	if !ok {
		return session.Nothing
	}
	switch a.kind {
	case realTime:
		if asked < 0 {
			return session.Nothing // an answer to a question that was given up
		}
		learn(c, asked+1, a.data[0], d.profile.Drawer)
		return session.Answered
	case autoStatus:
		adopt(c, a.data, d.profile.Drawer)
		return session.Told
	case processID:
		d.matched = d.matched || a.data == d.id
		return session.Fenced
	case single:
		if d.heard < d.asked {
			d.heard++
		}
		return session.Fenced
	case cleared:
		d.heard = d.asked // the questions in the buffer are gone
		return session.Cleared
	case flowOff:
		return session.Held
	case flowOn:
		return session.Resumed
	case noise:
		return session.Noise
	}
	return session.Nothing
}

// Fence asks for an identification of four printable characters, or for the
// paper sensor.
func (d *dialect) Fence() string {
	switch d.profile.Fence {
	case ByID:
		d.fence++
		n := d.fence
		for i := range d.id {
			d.id[i] = '!' + byte(n%93) // GS ( H allows 20 to 7E
			n /= 93
		}
		d.matched = false
		return fenceByID + string(d.id[:])
	case BySensor:
		d.asked++
		return fenceBySensor
	}
	return ""
}

// Passed tells whether the last fence was answered. Answers of the sensor have
// no number, so every earlier one must have come too.
func (d *dialect) Passed() bool { return d.matched && d.heard == d.asked }

// Weak is true for the sensor: it answers when it is its turn in the buffer,
// which may be some lines ahead of the paper.
func (d *dialect) Weak() bool { return d.profile.Fence == BySensor }

// Clear empties the buffers by DLE DC4 8. A printer without it is fed what ends
// any command that an earlier connection left half sent.
func (d *dialect) Clear() (request string, answered bool) {
	if d.profile.Fence == ByID {
		return clearBuffers, true
	}
	return strings.Repeat("\x00", maxCommand) + initialize, false
}

// Listen is GS a 15 where there is a back channel.
func (d *dialect) Listen() string {
	if d.profile.Fence == ByID {
		return autoStatusOn
	}
	return ""
}

// Kick is ESC p.
func (d *dialect) Kick(drawer int) string { return kick(drawer) }
