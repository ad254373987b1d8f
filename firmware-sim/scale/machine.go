package scale

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

const (
	settles  = 600 * time.Millisecond // until a load is at rest
	step     = 5                      // grams; the verification interval of a 15 kg scale
	capacity = 15000
	least    = 40                 // grams; less may not be sold by weight
	zeroSpan = capacity * 2 / 100 // what may be taken for zero
	maxFrame = 64                 // bytes of a record; longer ones are forgotten
)

// platform is what a person sees and touches.
type platform struct {
	load     int       // grams that lie there; below zero is a pan taken off
	rest     time.Time // when the load comes to rest
	shaken   bool
	offset   int  // grams that were taken for zero
	tare     int  // grams
	zeroed   bool // since it was switched on
	moved    bool // since the last weighing that was sold
	switched bool // it has power
}

// put replaces the load.
func (p *platform) put(grams int, now time.Time) {
	p.load, p.rest, p.moved = grams, now.Add(settles), true
	p.zero(false)
}

// zero takes the load for zero: of a scale that was not zeroed yet, or because a
// person pressed the button.
func (p *platform) zero(button bool) {
	if p.switched && (button || !p.zeroed) && p.load <= zeroSpan && p.load >= -zeroSpan {
		p.offset, p.zeroed = p.load, true
	}
}

func (p *platform) moving(now time.Time) bool { return p.shaken || now.Before(p.rest) }

// gross is what lies there beyond zero, in steps.
func (p *platform) gross() int {
	grams := p.load - p.offset
	half := step / 2
	if grams < 0 {
		half = -half
	}
	return (grams + half) / step * step
}

func (p *platform) over() bool  { return p.gross() > capacity+9*step }
func (p *platform) under() bool { return p.gross() < -4*step }

// parity adds the eighth bit that a line of seven bits carries.
func parity(text string, odd int) []byte {
	out := []byte(text)
	for i, b := range out {
		if bits.OnesCount8(b)%2 != odd {
			out[i] |= 0x80
		}
	}
	return out
}

// plain takes the parity bit off; false if the byte was damaged.
func plain(b byte, odd int) (byte, bool) {
	return b & 0x7f, bits.OnesCount8(b)%2 == odd
}

// toledo is the firmware of an 8217 scale: 7 bits, even parity.
type toledo struct {
	platform
	echo    bool
	unknown int
}

func (m *toledo) Wake() time.Time { return time.Time{} }

func (m *toledo) Step(now time.Time, in []byte) (out []byte) {
	for _, raw := range in {
		b, whole := plain(raw, 0)
		switch {
		case !m.switched:
		case !whole:
			m.unknown++
		default:
			out = append(out, parity(m.command(b, now), 0)...)
		}
	}
	return out
}

func (m *toledo) command(b byte, now time.Time) string {
	switch {
	case m.echo && b != 'F':
		return string(rune(b))
	case b == 'W':
		return "\x02" + m.weight(now) + "\r"
	case b == 'Z':
		m.zero(!m.moving(now))
	case b == 'T':
		if !m.moving(now) && m.gross() > 0 {
			m.tare = m.gross()
		}
	case b == 'C':
		m.tare = 0
	case b == 'E':
		m.echo = true
		return "\x02E\r"
	case b == 'F':
		m.echo = false
		return "\x02F\r"
	default:
		m.unknown++
	}
	return ""
}

// weight is what stands between STX and CR: kilograms, or a status.
func (m *toledo) weight(now time.Time) string {
	status := byte(0x40)
	if m.tare > 0 {
		status |= 0x20
	}
	switch {
	case !m.zeroed:
		status |= 0x08
	case m.over():
		status |= 0x02
	case m.under():
		status |= 0x04
	case m.moving(now):
	default:
		net := ""
		if m.tare > 0 {
			net = "N"
		}
		grams := max(0, m.gross()-m.tare)
		return fmt.Sprintf("%02d.%03d%s", grams/1000, grams%1000, net)
	}
	if m.moving(now) {
		status |= 0x01
	}
	return "?" + string(rune(status))
}

// dialog06 is the firmware of a scale that computes prices: 7 bits, odd parity.
type dialog06 struct {
	platform
	price   int // minor units for a kilogram; 0 is none
	frame   []byte
	open    bool // EOT came
	error   string
	unknown int
}

func (m *dialog06) Wake() time.Time { return time.Time{} }

func (m *dialog06) Step(now time.Time, in []byte) (out []byte) {
	for _, raw := range in {
		b, whole := plain(raw, 1)
		if !m.switched {
			continue
		}
		if !whole {
			m.error, m.open, m.frame = "02", false, nil
			continue
		}
		out = append(out, parity(m.take(b, now), 1)...)
	}
	return out
}

// take collects EOT, then ENQ or a record from STX to ETX.
func (m *dialog06) take(b byte, now time.Time) string {
	switch {
	case b == 0x04:
		m.open, m.frame = true, nil
		return ""
	case !m.open:
		m.unknown++
		return ""
	case b == 0x05 && len(m.frame) == 0:
		m.open = false
		return m.result(now)
	}
	m.frame = append(m.frame, b)
	switch {
	case m.frame[0] != 0x02 || len(m.frame) > maxFrame:
		m.unknown++
		m.open = false
		return "\x15"
	case b != 0x03:
		return ""
	}
	record := string(m.frame[1 : len(m.frame)-1])
	m.open = false
	return m.record(record, now)
}

func (m *dialog06) record(r string, now time.Time) string {
	if r == "08" {
		return "\x0209\x1b" + m.status(now) + "\x03"
	}
	digits, isPrice := strings.CutPrefix(r, "01\x1b")
	digits, ended := strings.CutSuffix(digits, "\x1b")
	price, err := strconv.ParseUint(digits, 10, 20)
	if !isPrice || !ended || len(digits) != 6 || err != nil {
		m.error = "10"
		return "\x15"
	}
	m.price, m.error = int(price), ""
	return "\x06"
}

// result is record 02, or NAK; why, record 08 asks.
func (m *dialog06) result(now time.Time) string {
	if s := m.reason(now); s != "00" {
		m.error = s
		return "\x15"
	}
	m.moved, m.error = false, ""
	grams := m.gross()
	amount := (grams*m.price + 500) / 1000
	return fmt.Sprintf("\x0202\x1b3\x1b%05d\x1b%06d\x1b%06d\x03", grams, m.price, amount)
}

// reason is why there is no weighing, as a number of record 09.
func (m *dialog06) reason(now time.Time) string {
	switch {
	case m.price == 0:
		return "22"
	case m.over():
		return "32"
	case m.under() || !m.zeroed:
		return "31"
	case m.moving(now):
		return "20"
	case !m.moved:
		return "21"
	case m.gross() < least:
		return "30"
	}
	return "00"
}

// status is what record 09 says: the last error, or how the load is now.
func (m *dialog06) status(now time.Time) string {
	if m.error != "" {
		s := m.error
		m.error = ""
		return s
	}
	switch {
	case m.over():
		return "32"
	case m.under():
		return "31"
	case m.moving(now):
		return "20"
	}
	return "00"
}
