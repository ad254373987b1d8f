package printer

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/charmap"
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

// pages are the character code tables of ESC t that are known.
var pages = map[byte]*charmap.Charmap{
	0: charmap.CodePage437, 2: charmap.CodePage850, 3: charmap.CodePage860, 4: charmap.CodePage863,
	5: charmap.CodePage865, 15: charmap.ISO8859_7, 16: charmap.Windows1252, 17: charmap.CodePage866,
	18: charmap.CodePage852, 19: charmap.CodePage858, 34: charmap.CodePage855,
	36: charmap.CodePage862, 39: charmap.ISO8859_2, 40: charmap.ISO8859_15,
	45: charmap.Windows1250, 46: charmap.Windows1251, 47: charmap.Windows1253,
	48: charmap.Windows1254, 49: charmap.Windows1255, 50: charmap.Windows1256,
	51: charmap.Windows1257, 52: charmap.Windows1258,
}

// varying are the positions that ESC R replaces; countries what stands there.
const varying = "#$@[\\]^`{|}~"

var countries = [...]string{
	"#$@[\\]^`{|}~", "#$à°ç§^`éùè¨", "#$§ÄÖÜ^`äöüß", "£$@[\\]^`{|}~", "#$@ÆØÅ^`æøå~",
	"#¤ÉÄÖÅÜéäöåü", "#$@°\\é^ùàòèì", "₧$@¡Ñ¿^´¨ñ}~", "#$@[¥]^`{|}~", "#¤ÉÆØÅÜéæøåü",
	"#$ÉÆØÅÜéæøåü", "#$á¡Ñ¿é`íñóú", "#$á¡Ñ¿éüíñóú", "#$@[₩]^`{|}~",
}

// decode gives the character that byte b prints on a page in a country.
func decode(b, page, country byte) rune {
	if b < 0x80 {
		if int(country) < len(countries) {
			for i := range len(varying) {
				if varying[i] == b {
					return []rune(countries[country])[i]
				}
			}
		}
		return rune(b)
	}
	if p, ok := pages[page]; ok {
		return p.DecodeByte(b)
	}
	return '\uFFFD'
}
