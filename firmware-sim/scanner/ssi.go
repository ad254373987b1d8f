package scanner

import (
	"context"
	"errors"
)

// A packet is length, opcode, source, status, data and two bytes of checksum;
// the length counts all but the checksum.
const (
	ssiHeader     = 4
	ssiChecksum   = 2
	maxPacketText = 255 - ssiHeader - 1 // one byte is the type of the symbol
)

// Who sends a packet.
const (
	sourceDecoder = 0x00
	sourceHost    = 0x04
)

// Bits of the status.
const (
	statusAgain = 0x01
	statusMore  = 0x02
)

// Opcodes.
const (
	ssiRevision    = 0xA3
	ssiRevisionIs  = 0xA4
	ssiParamSend   = 0xC6
	ssiParamAsk    = 0xC7
	ssiAck         = 0xD0
	ssiNak         = 0xD1
	ssiStart       = 0xE4
	ssiStop        = 0xE5
	ssiBeep        = 0xE6
	ssiScanEnable  = 0xE9
	ssiScanDisable = 0xEA
	ssiDecodeData  = 0xF3
	ssiEvent       = 0xF6
)

// Causes of a NAK.
const (
	causeResend  = 1
	causeContext = 2
)

// Parameters that the decoder has.
const (
	paramCodeID = 0x2D // 0 none, 1 AIM
	paramFormat = 0xEE // 0 raw, 1 packets
)

// errRefused says that the host will not have a packet.
var errRefused = errors.New("host refuses the packet")

// types of symbols by their AIM identifier.
var types = map[string]byte{
	"]A0": 0x01, "]F0": 0x02, "]C0": 0x03, "]I0": 0x06, "]G0": 0x07, "]E4": 0x0A, "]E0": 0x0B,
	"]C1": 0x0F, "]L0": 0x11, "]d1": 0x1B, "]d2": 0x1B, "]Q1": 0x1C, "]Q3": 0x1C, "]z0": 0x2D,
	"]e0": 0x30,
}

// Packet gives a packet of a decoder. Data is at most 251 bytes.
func Packet(opcode, status byte, data ...byte) []byte {
	p := make([]byte, 0, ssiHeader+len(data)+ssiChecksum)
	p = append(p, byte(ssiHeader+len(data)), opcode, sourceDecoder, status)
	p = append(p, data...)
	sum := 0
	for _, b := range p {
		sum += int(b)
	}
	sum = 0x10000 - sum&0xFFFF
	return append(p, byte(sum>>8), byte(sum))
}

// SymbolPackets gives the packets of one symbol, of so much text each.
func SymbolPackets(text string, kind byte, packetBytes int) [][]byte {
	var all [][]byte
	for first := true; first || text != ""; first = false {
		n := min(packetBytes, len(text))
		status := byte(0)
		if n < len(text) {
			status = statusMore
		}
		all = append(all, Packet(ssiDecodeData, status, append([]byte{kind}, text[:n]...)...))
		text = text[n:]
	}
	return all
}

// resent gives a packet as it is sent again.
func resent(packet []byte) []byte {
	return Packet(packet[1], packet[3]|statusAgain, packet[ssiHeader:len(packet)-ssiChecksum]...)
}

// decoder is what SSI firmware knows of its host. It has no clock and no line.
type decoder struct {
	enabled bool
	packets bool // symbols are sent as packets
	aim     bool // with their AIM identifier
	heard   []byte
}

// saying is what the decoder does about what it heard.
type saying struct {
	reply  []byte // to a command; nil: none
	answer byte   // ack or nak to what was sent; 0: none
	cause  byte   // of a nak
	beep   bool
}

// hear takes a byte of the host. A decoder that will not have a command asks
// for it once more.
func (d *decoder) hear(b byte, refuse func() bool) (say saying, ok bool) {
	d.heard = append(d.heard, b)
	for len(d.heard) > 0 {
		length := int(d.heard[0])
		switch {
		case length < ssiHeader, len(d.heard) > 2 && d.heard[2] != sourceHost:
			d.heard = d.heard[1:] // noise, or a byte to wake it up
			continue
		case len(d.heard) < length+ssiChecksum:
			return saying{}, false
		}
		sum := 0
		for _, c := range d.heard[:length] {
			sum += int(c)
		}
		sum += int(d.heard[length])<<8 | int(d.heard[length+1])
		if sum&0xFFFF != 0 {
			d.heard = d.heard[1:]
			continue
		}
		packet := d.heard[:length]
		d.heard = nil
		if packet[1] != ssiAck && packet[1] != ssiNak && refuse() {
			return saying{reply: Packet(ssiNak, 0, causeResend)}, true
		}
		return d.obey(packet[1], packet[ssiHeader:]), true
	}
	return saying{}, false
}

// obey does what a packet says.
func (d *decoder) obey(opcode byte, data []byte) saying {
	done := saying{reply: Packet(ssiAck, 0)}
	switch opcode {
	case ssiAck:
		return saying{answer: ack}
	case ssiNak:
		cause := byte(causeResend)
		if len(data) > 0 {
			cause = data[0]
		}
		return saying{answer: nak, cause: cause}
	case ssiParamSend:
		return d.set(data)
	case ssiParamAsk:
		return saying{reply: Packet(ssiParamSend, 0, 0xFF, paramFormat, bit(d.packets), paramCodeID,
			bit(d.aim))}
	case ssiRevision:
		return saying{reply: Packet(ssiRevisionIs, 0, []byte("HOLDFAST-SIM")...)}
	case ssiScanEnable:
		d.enabled = true
	case ssiScanDisable:
		d.enabled = false
	case ssiBeep:
		done.beep = true
	case ssiStart, ssiStop:
	default:
		return saying{reply: Packet(ssiNak, 0, causeContext)}
	}
	return done
}

// set changes parameters: a beep code, then pairs of number and value.
func (d *decoder) set(data []byte) saying {
	refused := saying{reply: Packet(ssiNak, 0, causeContext)}
	if len(data) < 3 || len(data)%2 == 0 {
		return refused
	}
	for pairs := data[1:]; len(pairs) > 0; pairs = pairs[2:] {
		switch pairs[0] {
		case paramFormat:
			d.packets = pairs[1] == 1
		case paramCodeID:
			d.aim = pairs[1] == 1
		default:
			return refused
		}
	}
	return saying{reply: Packet(ssiAck, 0)}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// hearPackets takes what the host says in SSI mode.
func (s *Scanner) hearPackets(b []byte) {
	for _, c := range b {
		s.mu.Lock()
		say, ok := s.decoder.hear(c, func() bool { return s.trouble.happens("refuse_host") })
		s.mu.Unlock()
		switch {
		case !ok:
		case say.answer != 0 && say.cause == causeContext || say.cause > causeContext:
			s.tellAnswer(say.cause)
		case say.answer != 0:
			s.tellAnswer(say.answer)
		default:
			s.reply(say)
		}
	}
}

// reply answers a command of the host.
func (s *Scanner) reply(say saying) {
	if say.beep {
		s.mu.Lock()
		s.beeps++
		s.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), hostPatience)
	defer cancel()
	s.transmit(ctx, say.reply, faultsOnce{}) // who is not there hears nothing
}

// sendPackets sends a symbol in SSI mode: raw until the host asks for packets,
// and then packet by packet until the host has each.
func (s *Scanner) sendPackets(ctx context.Context, symbol Symbol, t faultsOnce) error {
	s.mu.Lock()
	d := s.decoder
	s.mu.Unlock()
	if !d.enabled {
		return ErrDisabled
	}
	text := symbol.Code
	if d.aim {
		text = symbol.AIM + text
	}
	t.merge = t.merge && d.packets
	if !d.packets {
		return s.out(ctx, piece{[]byte(text + s.opts.Suffix), symbol}, t)
	}
	if t.garbage {
		if err := s.transmit(ctx, noise(t.rng), faultsOnce{}); err != nil {
			return err
		}
	}
	packets := SymbolPackets(text, types[symbol.AIM], s.opts.PacketBytes)
	for i, packet := range packets {
		last := Symbol{}
		if i == len(packets)-1 {
			last = symbol
		}
		if err := s.sendPacket(ctx, packet, last, t); err != nil {
			return err
		}
		t.damage, t.merge = false, false
	}
	return nil
}

// sendPacket sends a packet until the host has it, three times at most. The
// symbol that it ends is noted once, when it first leaves whole.
func (s *Scanner) sendPacket(ctx context.Context, packet []byte, ends Symbol, t faultsOnce) error {
	for try := 0; try <= resends; try++ {
		data, whole := packet, !t.damage
		if try > 0 {
			data = resent(packet)
		}
		if t.damage {
			data = damaged(data, len(data), t.rng)
		}
		merged := t.merge
		if merged { // an event right before the symbol
			data = append(Packet(ssiEvent, 0, 0x01), data...)
			s.forgetAnswers()
		}
		if err := s.transmit(ctx, data, t); err != nil {
			return err
		}
		t.damage, t.merge = false, false
		if whole && ends != (Symbol{}) && !s.Faults().HalfOpen {
			s.record(ends)
			ends = Symbol{}
		}
		if merged {
			s.answer(ctx) // to the event
		}
		switch s.answer(ctx) {
		case ack:
			return nil
		case 0, nak:
		default:
			return errRefused
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return ErrNotAcknowledged
}
