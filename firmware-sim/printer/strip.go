package printer

import (
	"bytes"
	"strings"
	"time"
)

const (
	headToKnife = 120   // dot rows, 15 mm: the paper between print head and cutter
	maxStrip    = 40000 // dot rows, 5 m: then the paper tears
)

// strip is the paper from the knife on: first what already passed the head.
type strip struct {
	width int      // dots
	rows  [][]byte // never written to once they are here
	blank []byte
	marks []mark
}

// mark is what a row says, for the transcript.
type mark struct {
	row     int
	text    string
	warning bool
	symbol  string // content of a code
}

// sheet is a piece of paper that was cut off.
type sheet struct {
	picture  *bitmap
	text     string
	symbols  []string
	warnings []string
	at       time.Time
}

func newStrip(width int) *strip {
	s := &strip{width: width, blank: make([]byte, (width+7)/8)}
	s.feed(headToKnife)
	return s
}

func (s *strip) feed(rows int) {
	for range rows {
		s.rows = append(s.rows, s.blank)
	}
}

// burn prints a picture of the full width.
func (s *strip) burn(picture *bitmap) {
	for y := range picture.height {
		s.rows = append(s.rows, picture.dots[y*picture.stride:(y+1)*picture.stride])
	}
}

func (s *strip) say(text string) {
	s.marks = append(s.marks, mark{row: len(s.rows), text: text})
}

func (s *strip) warn(text string) {
	s.marks = append(s.marks, mark{row: len(s.rows), text: text, warning: true})
}

// cut takes off what passed the knife; false if that is blank.
func (s *strip) cut() (sheet, bool) {
	at := max(0, len(s.rows)-headToKnife)
	piece := sheet{picture: newBitmap(s.width, at)}
	for y, row := range s.rows[:at] {
		copy(piece.picture.dots[y*piece.picture.stride:], row)
	}
	var text strings.Builder
	kept := s.marks[:0]
	for _, m := range s.marks {
		switch {
		case m.row >= at:
			m.row -= at
			kept = append(kept, m)
		case m.warning:
			piece.warnings = append(piece.warnings, m.text)
		default:
			text.WriteString(m.text + "\n")
			if m.symbol != "" {
				piece.symbols = append(piece.symbols, m.symbol)
			}
		}
	}
	piece.text = text.String()
	s.marks = kept
	s.rows = append([][]byte{}, s.rows[at:]...)
	return piece, len(bytes.Trim(piece.picture.dots, "\x00")) > 0
}
