// Package paper lays out what a store prints: receipts, pick slips and
// handover receipts, each in the language of its reader.
package paper

import (
	"time"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/stock/words"
)

// Width is the number of columns of the usual 80 mm paper.
const Width = 42

// Mark says what a paper is that was printed before.
type Mark uint8

// Marks; the zero value is an original.
const (
	Original Mark = iota
	Copy
	Duplicate // the first may or may not have come out
)

// Paper is something that can be printed, and kept as JSON to print it again.
type Paper interface {
	// Title names it in lists.
	Title() string
	// Document lays it out.
	Document(m Mark) receipt.Document
}

// Store is the head of every paper.
type Store struct {
	Name   string
	Street string
	Town   string
	Zone   string // IANA name
}

func (s Store) at(ms int64) time.Time {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		zone = time.Local
	}
	return time.UnixMilli(ms).In(zone)
}

// sheet collects blocks.
type sheet struct {
	lang   words.Lang
	blocks []receipt.Block
}

func (s *sheet) add(b ...receipt.Block) { s.blocks = append(s.blocks, b...) }

func (s *sheet) text(key string, args ...any) string { return words.T(s.lang, "receipt."+key, args...) }

// begin writes the mark and the store.
func begin(lang words.Lang, store Store, m Mark) *sheet {
	s := &sheet{lang: lang}
	switch m {
	case Copy:
		s.add(receipt.Line{Text: "*** " + s.text("copy") + " ***", Align: receipt.Centre, Bold: true})
	case Duplicate:
		s.add(receipt.Line{Text: "*** " + s.text("duplicate") + " ***", Align: receipt.Centre, Bold: true})
	case Original:
	}
	s.add(receipt.Line{Text: store.Name, Align: receipt.Centre, Bold: true, Tall: 2})
	for _, line := range []string{store.Street, store.Town} {
		if line != "" {
			s.add(receipt.Line{Text: line, Align: receipt.Centre})
		}
	}
	s.add(receipt.Feed{Lines: 1})
	return s
}

func (s *sheet) end() receipt.Document {
	s.add(receipt.Cut{})
	return receipt.Document{Width: Width, Blocks: s.blocks}
}

// Headed is a paper with a logo at its head, if there is one.
func Headed(d receipt.Document, logo receipt.Image) receipt.Document {
	if logo.Height > 0 {
		d.Blocks = append([]receipt.Block{logo}, d.Blocks...)
	}
	return d
}

// dateTime writes a moment in full: paper is read later.
func (s *sheet) dateTime(t time.Time) string {
	return words.Date(s.lang, t) + " " + words.Time(s.lang, t)
}
