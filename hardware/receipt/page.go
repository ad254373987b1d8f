package receipt

import (
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Page is one code table of a printer: what its bytes 80 to FF print. Bytes 20
// to 7E are ASCII on every page.
type Page struct {
	name  string
	bytes map[rune]byte
}

// Charset is the pages of a printer, the best first.
type Charset []*Page

// standard are the pages that makers agree on.
var standard = map[string]*charmap.Charmap{
	"cp437": charmap.CodePage437, "cp850": charmap.CodePage850, "cp852": charmap.CodePage852,
	"cp858": charmap.CodePage858, "cp865": charmap.CodePage865, "cp866": charmap.CodePage866,
	"cp1252": charmap.Windows1252, "latin9": charmap.ISO8859_15,
}

// StandardPage gives a page by its name, such as "cp1252".
func StandardPage(name string) (*Page, error) {
	table, ok := standard[name]
	if !ok {
		return nil, fmt.Errorf("code page %q is not known", name)
	}
	p := &Page{name: name, bytes: make(map[rune]byte, 128)}
	for b := 0x80; b <= 0xff; b++ {
		p.set(table.DecodeByte(byte(b)), byte(b))
	}
	return p, nil
}

// OwnPage makes the page of a printer that has a table of its own from its 128
// characters. A byte that prints nothing useful stands as U+FFFD.
func OwnPage(name, upper string) (*Page, error) {
	if n := utf8.RuneCountInString(upper); n != 128 {
		return nil, fmt.Errorf("code page %q of %d characters: want 128", name, n)
	}
	p := &Page{name: name, bytes: make(map[rune]byte, 128)}
	b := byte(0x80)
	for _, r := range upper {
		p.set(r, b)
		b++
	}
	return p, nil
}

// set keeps a character that leaves ink; the lowest byte wins.
func (p *Page) set(r rune, b byte) {
	if r <= '\u00a0' || r == '\u00ad' || r == utf8.RuneError {
		return
	}
	if _, taken := p.bytes[r]; !taken {
		p.bytes[r] = b
	}
}

// Name is what a profile calls the page.
func (p *Page) Name() string { return p.name }

// Byte gives the byte that prints a character on the page.
func (p *Page) Byte(r rune) (byte, bool) {
	if r >= ' ' && r < 0x7f {
		return byte(r), true
	}
	b, ok := p.bytes[r]
	return b, ok
}

// Find gives the page and the byte of a character. The page in use stays in
// use as long as it has the character.
func (c Charset) Find(r rune, inUse int) (page int, b byte, ok bool) {
	if inUse >= 0 && inUse < len(c) {
		if b, ok := c[inUse].Byte(r); ok {
			return inUse, b, true
		}
	}
	for i, p := range c {
		if b, ok := p.Byte(r); ok {
			return i, b, true
		}
	}
	return 0, 0, false
}

func (c Charset) has(r rune) bool {
	_, _, ok := c.Find(r, 0)
	return ok
}

// western is the charset of a text that is not for any one printer.
var western = mustCharset("cp1252")

func mustCharset(names ...string) Charset {
	var c Charset
	for _, name := range names {
		p, err := StandardPage(name)
		if err != nil {
			panic(err)
		}
		c = append(c, p)
	}
	return c
}
