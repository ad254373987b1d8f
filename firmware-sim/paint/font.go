package paint

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Slip is a bitmap font of 12x24 dots; slip.font.OFL.txt is its licence.
//
//go:embed slip.font.gz
var slipFont []byte

const (
	cellWidth  = 12
	cellHeight = 24
	gap        = 2 // columns between two letters that are set close
)

// Font draws characters of any size from the bitmaps of one.
type Font struct {
	glyphs map[rune]*Dots // each in its cell
}

// slip is the unpacked table.
var slip = sync.OnceValues(unpack)

// LoadFont gives the font, which is unpacked once.
func LoadFont() (*Font, error) { return slip() }

// unpack reads the table. A face is: width, height, number of glyphs (2 bytes),
// then per glyph its code point and its rows, leftmost dot highest (2 bytes
// each). The first face is the one of 12x24 dots.
func unpack() (*Font, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(slipFont))
	if err != nil {
		return nil, fmt.Errorf("unpack font: %w", err)
	}
	table, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, fmt.Errorf("unpack font: %w", err)
	}
	const head, glyph = 4, 2 + 2*cellHeight
	if len(table) < head || table[0] != cellWidth || table[1] != cellHeight {
		return nil, errors.New("unpack font: not a face of 12x24 dots")
	}
	count := int(binary.BigEndian.Uint16(table[2:]))
	if len(table) < head+count*glyph {
		return nil, errors.New("unpack font: table is short")
	}
	f := &Font{glyphs: make(map[rune]*Dots, count)}
	for i := range count {
		row := table[head+i*glyph:]
		cell := New(cellWidth, cellHeight)
		for y := range cellHeight {
			bits := binary.BigEndian.Uint16(row[2+2*y:])
			for x := range cellWidth {
				if bits&(0x8000>>x) != 0 {
					cell.Set(x, y)
				}
			}
		}
		f.glyphs[rune(binary.BigEndian.Uint16(row))] = cell
	}
	return f, nil
}

// Has tells whether the font can draw a character.
func (f *Font) Has(r rune) bool { return f.glyphs[r] != nil }

// glyph gives a character in its cell; an empty box for what the font lacks.
func (f *Font) glyph(r rune) *Dots {
	if g := f.glyphs[r]; g != nil {
		return g
	}
	box := New(cellWidth, cellHeight)
	for y := 4; y < 20; y++ {
		for x := 2; x < 10; x++ {
			if y == 4 || y == 19 || x == 2 || x == 9 {
				box.Set(x, y)
			}
		}
	}
	return box
}

// ink gives the first inked column of a glyph and how many there are.
func ink(g *Dots) (first, count int) {
	first, last := g.Width, -1
	for y := range g.Height {
		for x := range g.Width {
			if g.At(x, y) {
				first, last = min(first, x), max(last, x)
			}
		}
	}
	if last < 0 {
		return 0, cellWidth/2 - gap // a space
	}
	return first, last - first + 1
}

// Measure is how wide Line draws a text.
func (f *Font) Measure(text string, width int) int {
	columns := 0
	for _, r := range text {
		_, n := ink(f.glyph(r))
		columns += n + gap
	}
	return columns * width / cellHeight
}

// Line draws a text in one line, set close as in a proportional font. Height is
// that of a cell; width, in the same unit, makes it wider or narrower.
func (f *Font) Line(text string, height, width int) *Dots {
	line := New(max(1, f.Measure(text, width)), height)
	columns := 0
	for _, r := range text {
		g := f.glyph(r)
		first, n := ink(g)
		from := columns * width / cellHeight
		columns += n + gap
		wide := max(1, n*width/cellHeight)
		line.Put(cropped(g, first, n, height).Scaled(wide, height), from, 0)
	}
	return line
}

// cropped is a part of a glyph, smoothed if it will be drawn larger.
func cropped(g *Dots, first, count, height int) *Dots {
	part := New(count, g.Height)
	for y := range g.Height {
		for x := range count {
			if g.At(first+x, y) {
				part.Set(x, y)
			}
		}
	}
	for part.Height < height {
		part = part.doubled()
	}
	return part
}

// Cell draws one character in a cell of a size, as fixed-width fonts do.
func (f *Font) Cell(r rune, width, height int) *Dots {
	g := f.glyph(r)
	for g.Height < height {
		g = g.doubled()
	}
	return g.Scaled(width, height)
}
