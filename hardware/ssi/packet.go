package ssi

import "encoding/binary"

// A packet is its length, which counts everything but the checksum, an opcode,
// who sends it, a status, data, and the checksum.
const (
	headerBytes   = 4
	checksumBytes = 2
	minLength     = headerBytes
	maxLength     = 255
	maxData       = maxLength - headerBytes
)

// Who sends a packet.
const (
	fromDecoder = 0x00
	fromHost    = 0x04
)

// Bits of a status. Decoders set others, which mean nothing to a host.
const (
	again     = 1 << 0 // sent before
	continues = 1 << 1 // the symbol goes on in the next packet
)

// Opcodes.
const (
	opParamSend    = 0xC6
	opAck          = 0xD0
	opNak          = 0xD1
	opBeep         = 0xE6
	opScanEnable   = 0xE9
	opDecodeData   = 0xF3
	opEvent        = 0xF6
	opRevision     = 0xA3
	opRevisionIs   = 0xA4
	opSegment      = 0x73
	opSSIManage    = 0x80
	opImageData    = 0xB1
	opVideoData    = 0xB4
	opCapabilities = 0xD4
	opBatchData    = 0xD6
)

// Causes of a NAK.
const (
	nakResend = 1
	nakDenied = 6
)

// fromDecoders are the opcodes that a decoder sends. Anything else at the
// place of an opcode shows that no packet begins there.
var fromDecoders = map[byte]bool{
	opDecodeData: true, opAck: true, opNak: true, opEvent: true, opParamSend: true,
	opRevisionIs: true, opCapabilities: true, opSegment: true, opSSIManage: true,
	opImageData: true, opVideoData: true, opBatchData: true,
}

// packet is one packet of a decoder, checked.
type packet struct {
	opcode byte
	status byte
	data   []byte
}

// encode gives a packet of the host. Data is at most maxData bytes.
func encode(opcode, status byte, data ...byte) []byte {
	b := append([]byte{byte(headerBytes + len(data)), opcode, fromHost, status}, data...)
	return binary.BigEndian.AppendUint16(b, checksum(b))
}

// checksum is the two's complement of the sum of all bytes before it.
func checksum(b []byte) uint16 {
	var sum uint16
	for _, c := range b {
		sum += uint16(c)
	}
	return -sum
}

// garbageBytes is how much of what is no packet is worth keeping.
const garbageBytes = 64

// assembler finds packets in a stream of bytes. It has no clock: the same
// bytes and gaps give the same packets, however they were cut into chunks.
type assembler struct {
	buffer  []byte // less than one packet, once next says that there is none
	dropped []byte // the first of the bytes that are part of no packet
	lost    int    // how many there are
}

func (a *assembler) push(b []byte) { a.buffer = append(a.buffer, b...) }

// next takes the next whole packet. It drops bytes that cannot begin one.
func (a *assembler) next() (packet, bool) {
	for len(a.buffer) > 0 {
		whole, possible := a.look()
		switch {
		case !possible:
			a.drop()
		case !whole:
			return packet{}, false
		default:
			end := int(a.buffer[0])
			p := packet{a.buffer[1], a.buffer[3], append([]byte(nil), a.buffer[headerBytes:end]...)}
			a.buffer = a.buffer[end+checksumBytes:]
			return p, true
		}
	}
	a.buffer = nil
	return packet{}, false
}

// look tells whether the buffer begins with a whole packet, or may with more.
func (a *assembler) look() (whole, possible bool) {
	b := a.buffer
	length := int(b[0])
	switch {
	case length < minLength,
		len(b) > 1 && !fromDecoders[b[1]],
		len(b) > 2 && b[2] != fromDecoder:
		return false, false
	case len(b) < length+checksumBytes:
		return false, true
	}
	right := binary.BigEndian.Uint16(b[length:]) == checksum(b[:length])
	return right, right
}

func (a *assembler) drop() {
	if len(a.dropped) < garbageBytes {
		a.dropped = append(a.dropped, a.buffer[0])
	}
	a.lost++
	a.buffer = a.buffer[1:]
}

// gap says that nothing came for a while: what is in the buffer will not be
// completed, but a whole packet may stand behind what looked like one.
func (a *assembler) gap() (p packet, ok bool) {
	for len(a.buffer) > 0 && !ok {
		a.drop()
		p, ok = a.next()
	}
	return p, ok
}

// noise takes what was dropped since it was asked last.
func (a *assembler) noise() (first []byte, total int) {
	first, total = a.dropped, a.lost
	a.dropped, a.lost = nil, 0
	return first, total
}
