package ssi

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
)

const (
	// resends is how often either side sends a packet again.
	resends = 2
	// minPacket is the shortest packet. Less noise than that was none.
	minPacket = minLength + checksumBytes
	// maxNAKs is how often in a row a packet is asked for again.
	maxNAKs = 3
)

// errDenied says that the decoder knows a command and will not do it.
var errDenied = errors.New("scanner denies the command")

// command is what the host wants of the decoder.
type command struct {
	name   string
	opcode byte
	data   []byte
	answer byte            // what the decoder answers with
	done   func(err error) // is told once
	sent   int             // how often
}

// dialogue is the host's side of the protocol. It has no clock and no port:
// Run tells it what came and what time it is, and gives it the means to send.
type dialogue struct {
	send     func([]byte) error
	deliver  func(hardware.Read)
	maxFrame int
	aim      barcode.AIM
	wait     time.Duration // for ACK or NAK, on either side

	stopping func() bool // whether what was delivered may not have been taken

	parts    []byte    // of a symbol that goes on, with its type before it
	spoilt   bool      // it is too long, or its beginning is missing
	aimSince time.Time // since when the decoder sends AIM identifiers; zero: not known

	last    packet    // the last decode data that was acknowledged
	lastAt  time.Time // when
	damaged int       // bytes since then that were no packet
	naks    int       // in a row
	pending *command
	askedAt time.Time // when pending was sent
	broken  error     // why the dialogue cannot go on
}

// hear takes a packet that came in at this time.
func (d *dialogue) hear(p packet, at time.Time) {
	switch p.opcode {
	case opAck, opNak:
		d.answered(p)
		return
	case opDecodeData:
		if !d.repeated(p, at) {
			d.decoded(p, at)
		}
		if d.stopping() {
			return // nobody may have taken it: the decoder must complain
		}
		d.naks, d.damaged = 0, 0
		d.ack()
		d.lastAt = time.Now()
		return
	case opRevisionIs:
		d.answered(p)
	case opEvent, opParamSend, opCapabilities:
	default:
		d.say(opNak, nakDenied)
		return
	}
	d.ack()
}

// repeated tells whether a packet is sent again because its acknowledgement was
// lost. It is not if what was damaged since may have been another like it.
func (d *dialogue) repeated(p packet, at time.Time) bool {
	return p.status&again != 0 && at.Sub(d.lastAt) < d.giveUp() &&
		2*d.damaged < len(p.data)+minPacket &&
		p.status&continues == d.last.status&continues && bytes.Equal(p.data, d.last.data)
}

// decoded delivers what a packet completes. Each packet of a symbol begins with
// the symbol's type.
func (d *dialogue) decoded(p packet, at time.Time) {
	d.last = p
	if len(p.data) == 0 {
		return
	}
	if d.parts != nil && !d.goesOn(p, at) {
		d.garbage(d.parts, at) // the decoder has given the rest of it up
		d.parts, d.spoilt = nil, false
	}
	if d.parts == nil {
		d.parts = p.data[:1:1]
		d.spoilt = d.identified(at) && !begins(p)
	}
	more := p.data[1:]
	if room := d.maxFrame + 1 - len(d.parts); len(more) > room {
		d.spoilt, more = true, more[:room]
	}
	d.parts = append(d.parts, more...)
	if p.status&continues != 0 {
		return
	}
	kind, text, spoilt := d.parts[0], d.parts[1:], d.spoilt
	d.parts, d.spoilt = nil, false
	if len(text) == 0 {
		return
	}
	if spoilt {
		d.garbage(text, at)
		return
	}
	if read := d.symbol(kind, text, at); len(read.Data) > 0 {
		d.deliver(read)
	}
}

// giveUp is longer than a decoder sends one packet again and again, and shorter
// than the time after which it has given up.
func (d *dialogue) giveUp() time.Duration { return d.wait*resends + d.wait/2 }

// identified tells whether each symbol begins with an AIM identifier by now. A
// symbol that the decoder had begun before it was set up so may come later.
func (d *dialogue) identified(at time.Time) bool {
	return d.aim == barcode.AIMAlways || !d.aimSince.IsZero() && at.Sub(d.aimSince) > d.giveUp()
}

// begins tells whether a packet begins with an AIM identifier.
func begins(p packet) bool {
	aim, _ := barcode.SplitAIM(p.data[1:])
	return aim != ""
}

// goesOn tells whether a packet is the next one of the symbol that has begun.
// Where no identifiers tell, time must: a decoder sends the next packet as soon
// as it hears the acknowledgement of the one before. After that, unless it
// sends it again, it has given the symbol up, and this is another.
func (d *dialogue) goesOn(p packet, at time.Time) bool {
	if p.data[0] != d.parts[0] {
		return false
	}
	if d.identified(at) {
		return !begins(p)
	}
	limit := d.wait
	if p.status&again != 0 {
		limit = d.giveUp()
	}
	return at.Sub(d.lastAt) < limit
}

// symbol tells the identifier by what the decoder puts before the text, or by
// the type of the symbol.
func (d *dialogue) symbol(kind byte, text []byte, at time.Time) hardware.Read {
	if d.aim != barcode.AIMNever {
		if aim, data := barcode.SplitAIM(text); aim != "" {
			return hardware.Read{Data: data, AIM: aim, At: at}
		}
	}
	return hardware.Read{Data: text, AIM: identifier(kind, text), At: at}
}

// noise takes bytes that were no packet, and asks for what they may have been.
// A scanner at another speed makes noise for ever and is not asked for ever.
func (d *dialogue) noise(first []byte, total int, at time.Time) {
	if total == 0 {
		return
	}
	d.garbage(first, at)
	d.damaged += total
	if total < minPacket || d.stopping() {
		return
	}
	if d.naks++; d.naks <= maxNAKs {
		d.say(opNak, nakResend)
	}
}

func (d *dialogue) garbage(b []byte, at time.Time) {
	d.deliver(hardware.Read{Data: b[:min(len(b), garbageBytes)], At: at, Garbage: true})
}

// ask sends a command. There must be none pending.
func (d *dialogue) ask(c *command, now time.Time) {
	d.pending, d.askedAt = c, now
	status := byte(0)
	if c.sent > 0 {
		status = again
	}
	c.sent++
	d.write(encode(c.opcode, status, c.data...))
}

// late asks again, or gives up, when the decoder has not answered by now.
func (d *dialogue) late(now time.Time) {
	c := d.pending
	switch {
	case c == nil || now.Sub(d.askedAt) < d.wait:
	case c.sent > resends:
		d.finish(fmt.Errorf("no answer to %s: %w", c.name, hardware.ErrTimeout))
	default:
		d.ask(c, now)
	}
}

// answered takes an answer to the pending command.
func (d *dialogue) answered(p packet) {
	c := d.pending
	switch {
	case c == nil:
	case p.opcode == c.answer:
		d.finish(nil)
	case p.opcode != opNak:
	case len(p.data) > 0 && p.data[0] == nakResend && c.sent <= resends:
		d.ask(c, time.Now())
	case len(p.data) > 0 && p.data[0] == nakResend:
		d.finish(fmt.Errorf("%s does not reach the scanner: %w", c.name, hardware.ErrTimeout))
	default:
		d.finish(fmt.Errorf("%s: %w", c.name, errDenied))
	}
}

func (d *dialogue) finish(err error) {
	c := d.pending
	d.pending = nil
	c.done(err)
}

func (d *dialogue) ack() { d.say(opAck) }

func (d *dialogue) say(opcode byte, data ...byte) { d.write(encode(opcode, 0, data...)) }

func (d *dialogue) write(b []byte) {
	if d.broken == nil {
		d.broken = d.send(b)
	}
}
