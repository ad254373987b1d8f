package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// mark begins a job that holds a document. No printer's language begins so.
const mark = "holdfast receipt 1\n"

// block is how one Block is stored: exactly one field is set.
type block struct {
	Line    *Line    `json:"line,omitempty"`
	Row     *Row     `json:"row,omitempty"`
	Rule    *Rule    `json:"rule,omitempty"`
	QR      *QR      `json:"qr,omitempty"`
	Barcode *Barcode `json:"barcode,omitempty"`
	Image   *Image   `json:"image,omitempty"`
	Feed    *Feed    `json:"feed,omitempty"`
	Cut     *Cut     `json:"cut,omitempty"`
	Kick    *Kick    `json:"kick,omitempty"`
}

type stored struct {
	Width  int     `json:"width"`
	Blocks []block `json:"blocks"`
}

// Job gives a document as a print job that any receipt printer's driver takes:
// it is encoded when it is printed, for the printer that prints it. A document
// that cannot be printed is an error now.
func Job(d Document) ([]byte, error) {
	s := stored{Width: d.Width, Blocks: make([]block, len(d.Blocks))}
	if _, err := compose(d, Paper{Columns: widest, Dots: widest * dotsOfCell,
		Charset: western}); err != nil {
		return nil, err
	}
	for i, b := range d.Blocks {
		s.Blocks[i] = wrap(b)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("store receipt: %w", err)
	}
	return append([]byte(mark), text...), nil
}

// widest is the number of columns of the widest usual paper.
const widest = 48

func wrap(b Block) (w block) {
	switch b := b.(type) {
	case Line:
		w.Line = &b
	case Row:
		w.Row = &b
	case Rule:
		w.Rule = &b
	case QR:
		w.QR = &b
	case Barcode:
		w.Barcode = &b
	case Image:
		w.Image = &b
	case Feed:
		w.Feed = &b
	case Cut:
		w.Cut = &b
	case Kick:
		w.Kick = &b
	}
	return w
}

func (b block) unwrap() Block {
	switch {
	case b.Line != nil:
		return *b.Line
	case b.Row != nil:
		return *b.Row
	case b.Rule != nil:
		return *b.Rule
	case b.QR != nil:
		return *b.QR
	case b.Barcode != nil:
		return *b.Barcode
	case b.Image != nil:
		return *b.Image
	case b.Feed != nil:
		return *b.Feed
	case b.Cut != nil:
		return *b.Cut
	case b.Kick != nil:
		return *b.Kick
	}
	return nil
}

// ErrNotADocument says that a job holds a printer's own bytes.
var ErrNotADocument = errors.New("job is not a document")

// ParseJob gives back the document of a job, or ErrNotADocument.
func ParseJob(job []byte) (Document, error) {
	text, ok := bytes.CutPrefix(job, []byte(mark))
	if !ok {
		return Document{}, ErrNotADocument
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return Document{}, fmt.Errorf("read receipt: %w", err)
	}
	d := Document{Width: s.Width, Blocks: make([]Block, len(s.Blocks))}
	for i, b := range s.Blocks {
		if d.Blocks[i] = b.unwrap(); d.Blocks[i] == nil {
			return Document{}, fmt.Errorf("read receipt: block %d is of no kind", i+1)
		}
	}
	return d, nil
}
