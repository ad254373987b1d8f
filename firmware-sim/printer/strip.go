package printer

import (
	"bytes"
	"fmt"
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
	done  []Parsed // commands since the last cut
	more  int      // commands that are not in done
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
	done     []Parsed
	at       time.Time
}

// Parsed is a command that a printer carried out, or a text that it set.
type Parsed struct {
	Name    string `json:"name"`
	Bytes   string `json:"bytes,omitempty"` // hexadecimal, the first of them
	Text    string `json:"text,omitempty"`
	Ignored bool   `json:"ignored,omitempty"`
	Times   int    `json:"times,omitempty"` // of a question that was asked more than once
}

// questions are the commands by which hosts ask all day how the printer is.
var questions = map[string]bool{"DLE EOT": true, "GS r": true, "ESC ACK": true, "ENQ": true}

const (
	maxParsed = 5000 // commands of a receipt that are listed
	maxMarks  = 5000 // lines and warnings of a receipt that are written down
	textName  = "text"
)

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

func (s *strip) say(text string) { s.mark(mark{row: len(s.rows), text: text}) }

func (s *strip) warn(text string) { s.mark(mark{row: len(s.rows), text: text, warning: true}) }

func (s *strip) mark(m mark) {
	if len(s.marks) < maxMarks {
		s.marks = append(s.marks, m)
	}
}

// tag says that the last line is a code.
func (s *strip) tag(symbol string) {
	if last := len(s.marks) - 1; last >= 0 {
		s.marks[last].symbol = symbol
	}
}

// log writes down a command, and a question once for as long as nothing else
// comes: hours of them would leave no room for the receipt.
func (s *strip) log(p Parsed) {
	for i := len(s.done) - 1; questions[p.Name] && i >= 0 && questions[s.done[i].Name]; i-- {
		if asked := &s.done[i]; asked.Bytes == p.Bytes {
			asked.Times = max(1, asked.Times) + 1
			return
		}
	}
	if len(s.done) == maxParsed {
		s.more++
		return
	}
	s.done = append(s.done, p)
}

// logText writes down a character, together with those before it.
func (s *strip) logText(char rune) {
	if last := len(s.done) - 1; last >= 0 && s.done[last].Name == textName {
		s.done[last].Text += string(char)
		return
	}
	s.log(Parsed{Name: textName, Text: string(char)})
}

// text is the transcript of what stands above a row.
func (s *strip) text(at int) string {
	var text strings.Builder
	for _, m := range s.marks {
		if m.row < at && !m.warning {
			text.WriteString(m.text + "\n")
		}
	}
	return text.String()
}

// picture is the paper above a row.
func (s *strip) picture(at int) *bitmap {
	b := newBitmap(s.width, at)
	for y, row := range s.rows[:at] {
		copy(b.dots[y*b.stride:], row)
	}
	return b
}

// cut takes off what passed the knife; false if that is blank.
func (s *strip) cut() (sheet, bool) {
	at := max(0, len(s.rows)-headToKnife)
	piece := sheet{picture: s.picture(at), text: s.text(at), done: s.done}
	if s.more > 0 {
		piece.done = append(piece.done, Parsed{Name: fmt.Sprintf("and %d more", s.more)})
	}
	kept := s.marks[:0]
	for _, m := range s.marks {
		switch {
		case m.row >= at:
			m.row -= at
			kept = append(kept, m)
		case m.warning:
			piece.warnings = append(piece.warnings, m.text)
		case m.symbol != "":
			piece.symbols = append(piece.symbols, m.symbol)
		}
	}
	s.marks = kept
	s.rows = append([][]byte{}, s.rows[at:]...)
	inked := len(bytes.Trim(piece.picture.dots, "\x00")) > 0
	if inked { // what led to a blank piece belongs to the next one
		s.done, s.more = nil, 0
	}
	return piece, inked
}
