package scale

import (
	"math/bits"

	"holdfast.dev/hardware"
)

// badParity stands for a byte that came damaged; no protocol here has it.
const badParity = 0x80

// sevenBits carries seven bits and parity over a line of eight bits without: the
// frame on the wire is the same, so the line needs no other setting, and what
// came damaged is known here.
type sevenBits struct {
	hardware.Port
	odd uint8 // 1 for odd parity, 0 for even
}

func (p sevenBits) Write(b []byte) (int, error) {
	out := make([]byte, len(b))
	for i, x := range b {
		out[i] = p.coded(x)
	}
	return p.Port.Write(out)
}

func (p sevenBits) Read(b []byte) (int, error) {
	n, err := p.Port.Read(b)
	for i, x := range b[:n] {
		b[i] = x & 0x7f
		if p.coded(x) != x {
			b[i] = badParity
		}
	}
	return n, err
}

func (p sevenBits) coded(b byte) byte {
	b &= 0x7f
	if uint8(bits.OnesCount8(b))&1 != p.odd {
		b |= 0x80
	}
	return b
}
