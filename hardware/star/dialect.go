package star

import (
	"crypto/rand"
	"encoding/binary"
	"strings"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/receipt/session"
)

const (
	statusRequest = "\x1b\x06\x01"     // ESC ACK SOH
	autoStatusOn  = "\x1b\x1ea\x01"    // ESC RS a 1
	fenceRequest  = "\x1b\x1d\x03\x01" // ESC GS ETX 1 n1 n2
	blockEnd      = "\x17"             // ETB: counted in byte 8 of the status
	counters      = 32                 // the count wraps
	counterByte   = 7
)

// dialect is one conversation with a Star printer.
type dialect struct {
	profile Profile
	parse   answers

	fence   uint16  // number of the last ESC GS ETX
	group   [2]byte // of it
	matched bool    // it was answered
	counter int     // of ETB, as last told; -1: never
	owed    int     // ETB sent and not counted
}

func newDialect(p Profile) *dialect {
	d := &dialect{profile: p, matched: true, counter: -1}
	var first [2]byte
	rand.Read(first[:]) // so that an answer to an earlier process is not taken for ours
	d.fence = binary.BigEndian.Uint16(first[:])
	return d
}

// Encode is the function of that name.
func (d *dialect) Encode(doc receipt.Document) ([]byte, error) { return Encode(doc, d.profile) }

// Questions is the request for the whole status.
func (d *dialect) Questions() []string {
	if !d.profile.BackChannel {
		return nil
	}
	return []string{statusRequest}
}

// Hear takes one byte from the printer.
func (d *dialect) Hear(b byte, asked int, c *session.Condition) session.Event {
	a, ok := d.parse.next(b)
	if !ok {
		return session.Nothing
	}
	switch a.kind {
	case status:
		adopt(c, a.state, d.profile.Drawer)
		d.count(a.state)
		if asked >= 0 {
			return session.Answered
		}
		return session.Told
	case passed:
		d.matched = d.matched || a.group == d.group
		return session.Fenced
	case flowOff:
		return session.Held
	case flowOn:
		return session.Resumed
	}
	return session.Noise
}

// count takes the counter of ETB from a status that is long enough.
func (d *dialect) count(state [maxState]byte) {
	if fiveBits(state[0]) <= counterByte {
		return
	}
	now := fiveBits(state[counterByte])
	if d.counter >= 0 {
		d.owed = max(0, d.owed-(now-d.counter+counters)%counters)
	}
	d.counter = now
}

// Fence is ESC GS ETX with two printable characters, or ETB.
func (d *dialect) Fence() string {
	switch d.profile.Fence {
	case ByGroup:
		d.fence++
		d.group = [2]byte{'!' + byte(d.fence%93), '!' + byte(d.fence/93%93)}
		d.matched = false
		return fenceRequest + string(d.group[:])
	case ByCounter:
		d.owed++
		return blockEnd
	}
	return ""
}

// Passed tells whether the last fence was answered, or all that were counted.
func (d *dialect) Passed() bool { return d.matched && d.owed == 0 }

// Weak is false: both answers come after the printing.
func (d *dialect) Weak() bool { return false }

// Clear feeds the printer what ends any command that an earlier connection left
// half sent; RS ends a barcode.
func (d *dialect) Clear() (request string, answered bool) {
	return strings.Repeat("\x00", maxCommand) + barEnd + initialize, false
}

// Listen switches automatic status on.
func (d *dialect) Listen() string {
	if !d.profile.BackChannel {
		return ""
	}
	return autoStatusOn
}

// Kick is ESC BEL and BEL or SUB.
func (d *dialect) Kick(drawer int) string { return kick(drawer) }

// adopt takes an automatic status; state begins with its header.
func adopt(c *session.Condition, state [maxState]byte, drawer session.Switch) {
	c.Online = state[2]&0x08 == 0
	c.CoverOpen = state[2]&0x20 != 0
	c.Pin = state[2]&0x04 != 0
	c.DrawerOpen = drawer.Open(c.Pin)
	c.CutterError = state[3]&0x08 != 0
	c.Broken = state[3]&0x64 != 0 // mechanical, unrecoverable, too hot
	c.PaperOut = state[5]&0x08 != 0
	c.PaperLow = state[5]&0x06 != 0
}
