package ssi

import "slices"

// kind is the type of a symbol as a decoder tells it.
type kind struct {
	aim string
	// lengths are how many digits the identifier stands for. A symbol of
	// another length was sent in a short form, which has no identifier.
	lengths []int
}

var (
	ean13 = []int{13}
	ean8  = []int{8}
	addOn = []int{15, 18}
)

// kinds are the types of symbols and the AIM identifiers that they have.
var kinds = map[byte]kind{
	0x01: {aim: "]A0"}, // Code 39
	0x02: {aim: "]F0"}, // Codabar
	0x03: {aim: "]C0"}, // Code 128
	0x04: {aim: "]S0"}, // Discrete 2 of 5
	0x06: {aim: "]I0"}, // Interleaved 2 of 5
	0x07: {aim: "]G0"}, // Code 93
	0x08: {"]E0", ean13},
	0x09: {"]E0", ean13},
	0x0A: {"]E4", ean8},
	0x0B: {"]E0", ean13},
	0x0C: {aim: "]H0"}, // Code 11
	0x0E: {aim: "]M0"}, // MSI
	0x0F: {aim: "]C1"}, // GS1-128
	0x11: {aim: "]L0"}, // PDF417
	0x13: {aim: "]A4"}, // Code 39 full ASCII
	0x16: {"]E0", ean13},
	0x1B: {aim: "]d1"}, // Data Matrix
	0x1C: {aim: "]Q1"}, // QR
	0x25: {aim: "]U0"}, // MaxiCode
	0x2D: {aim: "]z0"}, // Aztec
	0x30: {aim: "]e0"}, // GS1 DataBar
	0x31: {aim: "]e0"},
	0x32: {aim: "]e0"},
	0x48: {"]E3", addOn}, // UPC-A, UPC-E and EAN-13 with an add-on of 2 digits
	0x49: {"]E3", addOn},
	0x4B: {"]E3", addOn},
	0x88: {"]E3", addOn}, // and of 5 digits
	0x89: {"]E3", addOn},
	0x8B: {"]E3", addOn},
}

// identifier gives the AIM identifier of a symbol by its type, or "" when the
// type says too little.
func identifier(kindByte byte, text []byte) string {
	k := kinds[kindByte]
	if k.lengths != nil && !slices.Contains(k.lengths, len(text)) {
		return ""
	}
	return k.aim
}
