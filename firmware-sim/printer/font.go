package printer

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Slip is a bitmap font of 12x24 and 8x16 dots; slip.font.OFL.txt is its licence.
//
//go:embed slip.font.gz
var slipFont []byte

// face is one size of the font in its cell.
type face struct {
	width, height int // of the cell, in dots
	rows          map[rune][]uint16
}

// loadFaces gives font A (12x24) and font B (the 8x16 face in its 9x17 cell).
// Unpacked, each face is: width, height, number of glyphs (2 bytes), then per
// glyph its code point and its rows, leftmost dot highest (2 bytes each).
func loadFaces() ([2]face, error) {
	var faces [2]face
	unpacked, err := gzip.NewReader(bytes.NewReader(slipFont))
	if err != nil {
		return faces, fmt.Errorf("unpack font: %w", err)
	}
	table, err := io.ReadAll(unpacked)
	if err != nil {
		return faces, fmt.Errorf("unpack font: %w", err)
	}
	for i := range faces {
		if faces[i], table, err = loadFace(table); err != nil {
			return faces, err
		}
	}
	faces[1].width, faces[1].height = 9, 17
	return faces, nil
}

func loadFace(table []byte) (face, []byte, error) {
	if len(table) < 4 {
		return face{}, nil, errors.New("font table is short")
	}
	f := face{width: int(table[0]), height: int(table[1]), rows: map[rune][]uint16{}}
	count := int(binary.BigEndian.Uint16(table[2:]))
	table = table[4:]
	glyph := 2 + 2*f.height
	if len(table) < count*glyph {
		return face{}, nil, errors.New("font table is short")
	}
	for range count {
		rows := make([]uint16, f.height)
		for y := range rows {
			rows[y] = binary.BigEndian.Uint16(table[2+2*y:])
		}
		f.rows[rune(binary.BigEndian.Uint16(table))] = rows
		table = table[glyph:]
	}
	return f, table, nil
}

// draw burns a glyph into a picture, its cell at x.
func (f face) draw(into *bitmap, rows []uint16, x int) {
	for y, row := range rows {
		for dx := range f.width {
			if row&(0x8000>>dx) != 0 {
				into.set(x+dx, y)
			}
		}
	}
}
