package receipt

import (
	"fmt"
	"strings"
)

// qrBytes is how many bytes a QR code of version 1, 2, … holds at level M
// (ISO/IEC 18004, table 7).
var qrBytes = [...]int{14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412,
	450, 504, 560, 624, 666, 711, 779, 857, 911, maxQR}

const (
	// A longer code could not be read from paper this narrow, and its length
	// bytes could look like a real-time command (10 04, 10 05, 10 14).
	maxQR = 997

	quietQR       = 4   // modules on each side
	quietBar      = 10  // modules on each side
	goodQRModule  = 6   // dots; 0.75 mm reads well from a phone's distance
	largestModule = 8   // dots; all makers have 1 to 8
	barDefault    = 80  // dots
	largestBar    = 255 // dots
	longestBar    = 250 // characters that fit the length byte of every command
)

func (q QR) compose(c *composer) error {
	if err := inked(q.Content); err != nil {
		return fmt.Errorf("QR code: %w", err)
	}
	if len(q.Content) > maxQR {
		return fmt.Errorf("QR code of %d bytes: at most %d", len(q.Content), maxQR)
	}
	version := 0
	for qrBytes[version] < len(q.Content) {
		version++
	}
	modules := 17 + 4*(version+1) + 2*quietQR
	module := q.Module
	if module == 0 {
		module = min(goodQRModule, c.dots/modules)
	}
	if module < 1 || module > largestModule || module*modules > c.dots {
		return fmt.Errorf("QR code of %d modules of %d dots: does not fit the paper", modules,
			module)
	}
	c.pieces = append(c.pieces, Matrix{Content: q.Content, Module: module})
	c.mark("[QR " + c.charset.spell(q.Content) + "]")
	return nil
}

func (b Barcode) compose(c *composer) error {
	height := b.Height
	if height == 0 {
		height = barDefault
	}
	if height < 1 || height > largestBar {
		return fmt.Errorf("barcode %d dots high: want 1 to %d", height, largestBar)
	}
	modules, err := b.modules()
	if err != nil {
		return err
	}
	module := min(3, c.dots/(modules+2*quietBar))
	if module < 2 {
		return fmt.Errorf("barcode of %d modules: does not fit the paper", modules)
	}
	c.pieces = append(c.pieces, Bars{Kind: b.Kind, Content: b.Content, Module: module,
		Height: height})
	c.mark("[" + b.Kind.String() + " " + b.Content + "]")
	return nil
}

// String names the family as on packages.
func (k Kind) String() string {
	if k >= 1 && int(k) <= len(kinds) {
		return kinds[k-1].name
	}
	return fmt.Sprintf("barcode kind %d", uint8(k))
}

// kinds say of each family what may stand in it, and how wide it is: so many
// modules for each character, and around them. Wide bars are three modules.
var kinds = [...]struct {
	name         string
	allowed      string // empty: printable ASCII
	length       int    // with a check digit; 0: any
	each, around int
	pairs        bool
}{
	EAN13 - 1:   {name: "EAN-13", allowed: digits, length: 13, around: 95},
	Code128 - 1: {name: "Code 128", each: 11, around: 35},
	EAN8 - 1:    {name: "EAN-8", allowed: digits, length: 8, around: 67},
	UPCA - 1:    {name: "UPC-A", allowed: digits, length: 12, around: 95},
	Code39 - 1: {name: "Code 39", allowed: digits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ $%+-./", each: 16,
		around: 32},
	ITF - 1: {name: "ITF", allowed: digits, each: 9, around: 9, pairs: true},
}

const digits = "0123456789"

// modules checks the content and gives the width of the symbol.
func (b Barcode) modules() (int, error) {
	if b.Kind < 1 || int(b.Kind) > len(kinds) {
		return 0, fmt.Errorf("%v: unknown", b.Kind)
	}
	k := kinds[b.Kind-1]
	if err := inked(b.Content); err != nil {
		return 0, fmt.Errorf("%s: %w", k.name, err)
	}
	for i := range len(b.Content) {
		if b.Content[i] > 0x7e || k.allowed != "" &&
			strings.IndexByte(k.allowed, b.Content[i]) < 0 {
			return 0, fmt.Errorf("%s %q: character %q", k.name, b.Content, b.Content[i])
		}
	}
	n := len(b.Content)
	switch {
	case k.length != 0 && (n != k.length || !rightCheck(b.Content)):
		return 0, fmt.Errorf("%s %q: want %d digits with a right check digit", k.name, b.Content,
			k.length)
	case k.pairs && n%2 != 0:
		return 0, fmt.Errorf("%s %q: want an even number of digits", k.name, b.Content)
	case n+strings.Count(b.Content, "{") > longestBar:
		return 0, fmt.Errorf("%s of %d characters: too long", k.name, n)
	}
	return k.each*n + k.around, nil
}

// rightCheck tells whether the last digit is the check digit of GS1.
func rightCheck(s string) bool {
	sum := 0
	for i := range len(s) {
		sum += int(s[i]-'0') * (1 + 2*((len(s)-1-i)%2))
	}
	return sum%10 == 0
}

func (c *composer) mark(text string) {
	for _, line := range wrapped(text, c.width) {
		c.note(padded(line, c.width, Centre))
	}
}
