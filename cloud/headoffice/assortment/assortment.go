// Package assortment reads a retailer's product list: rows of text in, products
// and the reasons why a row is no product out.
package assortment

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/gtin"
)

// Bounds of what a file may hold.
const (
	MaxLine     = 64 << 10 // bytes of one row
	maxColumns  = 200
	maxName     = 200 // characters
	maxText     = 100 // characters of any other text
	maxProblems = 100_000
)

// Row is a product and the line of the file that it came from.
type Row struct {
	Line    int64
	Product *recordv1.Product
}

// Problem says why a row was refused.
type Problem struct {
	Line   int64
	GTIN   string // as written, when the row had one
	Code   stock.Code
	Reason string // for the person who made the file, English
}

// List is what a file holds.
type List struct {
	Rows     []Row
	Problems []Problem
	columns  map[string]bool // those that the file has
}

// Over returns the product as the file wants it, given what the catalogue has:
// a column that the file does not have stays as it is.
func (l *List) Over(known, row *recordv1.Product) *recordv1.Product {
	next := proto.CloneOf(row)
	for name, c := range columns {
		if !l.columns[name] {
			c.keep(next, known)
		}
	}
	return next
}

// Parse reads rows of comma, semicolon or tab separated text. The first row
// names the columns: gtin and name are required, columns it does not know are
// ignored. A broken row becomes a problem and the others go in. firstLine is
// the number of the first row after the names, for parts of a larger file; 0
// means 2. The error is a *stock.Refusal when the columns cannot be understood,
// and the reader's own otherwise.
//
// A quoted field may not contain a line break, so that one missing quote
// spoils one row and not the rest of the file.
func Parse(r io.Reader, firstLine int64) (*List, error) {
	p := parser{in: bufio.NewReaderSize(r, MaxLine), seen: make(map[string]int64)}
	if err := p.header(); err != nil {
		return nil, err
	}
	p.line = 1
	if firstLine > 0 {
		p.line = firstLine - 1
	}
	for {
		text, err := p.next()
		if errors.Is(err, io.EOF) {
			return &p.list, nil
		}
		if err != nil && !errors.Is(err, errLong) {
			return nil, err
		}
		if err == nil && strings.TrimSpace(text) == "" {
			continue
		}
		if refusal := p.row(text, err != nil); refusal != nil {
			p.list.Problems = append(p.list.Problems, *refusal)
		}
		if len(p.list.Problems) > maxProblems {
			return nil, stock.Refuse(stock.TooMany, "more than %d broken rows", maxProblems).
				With("limit", maxProblems).With("what", "lines")
		}
	}
}

var errLong = errors.New("row is too long")

type parser struct {
	in      *bufio.Reader
	comma   byte
	columns []*column // nil: one that is ignored
	gtinAt  int
	line    int64
	seen    map[string]int64 // GTIN to line
	list    List
	fields  []string
}

// next returns the next row without its line break. A row that is too long is
// read to its end and given up.
func (p *parser) next() (string, error) {
	b, err := p.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = p.in.ReadSlice('\n')
		}
		p.line++
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return "", errLong
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(b) == 0) {
		return "", err
	}
	p.line++
	return strings.TrimRight(string(b), "\r\n"), nil
}

// header learns the separator and the columns from the first row.
func (p *parser) header() error {
	text, err := p.next()
	if errors.Is(err, io.EOF) {
		return badHeader("the file is empty")
	}
	if errors.Is(err, errLong) {
		return badHeader("the row of column names is too long")
	}
	if err != nil {
		return err
	}
	text = strings.TrimPrefix(text, "\uFEFF")
	if !utf8.ValidString(text) {
		return badHeader("the column names are not UTF-8")
	}
	p.comma = separator(text)
	names, reason := split(nil, text, p.comma)
	if reason != "" {
		return badHeader("the column names: " + reason)
	}
	if len(names) > maxColumns {
		return badHeader("too many columns")
	}
	return p.learn(names)
}

func (p *parser) learn(names []string) error {
	found := make(map[string]bool, len(names))
	p.columns = make([]*column, len(names))
	p.list.columns = found
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		c, known := columns[name]
		if !known {
			continue
		}
		if found[name] {
			return badHeader("the column " + name + " is there twice")
		}
		found[name] = true
		p.columns[i] = &c
		if name == "gtin" {
			p.gtinAt = i
		}
	}
	for _, name := range []string{"gtin", "name"} {
		if !found[name] {
			return badHeader("there is no column " + name)
		}
	}
	return nil
}

func badHeader(what string) error {
	return stock.Refuse(stock.BadRequest, "product list: %s", what).With("what", what)
}

// separator is the one that the row of names uses most.
func separator(names string) byte {
	best, most := byte(','), 0
	for _, c := range []byte{',', ';', '\t'} {
		if n := strings.Count(names, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// row takes one row in, or says why not.
func (p *parser) row(text string, long bool) *Problem {
	bad := func(number string, code stock.Code, reason string) *Problem {
		return &Problem{Line: p.line, GTIN: number, Code: code, Reason: reason}
	}
	if long {
		return bad("", stock.TooMany, "the row is too long")
	}
	if !utf8.ValidString(text) {
		return bad("", stock.BadRequest, "the row is not UTF-8")
	}
	var reason string
	p.fields, reason = split(p.fields[:0], text, p.comma)
	if reason != "" {
		return bad("", stock.BadRequest, reason)
	}
	if len(p.fields) != len(p.columns) {
		return bad("", stock.BadRequest, countReason(len(p.fields), len(p.columns)))
	}
	number := strings.TrimSpace(p.fields[p.gtinAt])
	shown := shorten(number)
	product := &recordv1.Product{}
	for i, c := range p.columns {
		if c == nil {
			continue
		}
		if reason := put(product, c.set, p.fields[i]); reason != "" {
			return bad(shown, stock.BadRequest, reason)
		}
	}
	g, err := gtin.Parse(number)
	if err != nil {
		code, reason := whyNoGTIN(err)
		return bad(shown, code, reason)
	}
	product.Gtin = g.Digits()
	if reason := complete(product); reason != "" {
		return bad(shown, stock.BadRequest, reason)
	}
	if before, twice := p.seen[product.Gtin]; twice {
		return bad(shown, stock.BadRequest, twiceReason(before))
	}
	p.seen[product.Gtin] = p.line
	p.list.Rows = append(p.list.Rows, Row{Line: p.line, Product: product})
	return nil
}

// put cleans a field and gives it to its column.
func put(product *recordv1.Product, set setter, field string) string {
	field = strings.TrimSpace(field)
	for _, r := range field {
		switch {
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return "a control character in the text"
		case unicode.Is(unicode.Bidi_Control, r):
			return "a character that turns the direction of the text"
		}
	}
	return set(product, field)
}

// whyNoGTIN turns the refusal of a number into a reason for this list.
func whyNoGTIN(err error) (stock.Code, string) {
	r, ok := stock.AsRefusal(err)
	switch {
	case !ok:
		return stock.Unreadable, "gtin is no product number"
	case r.Code == stock.BadCheckDigit:
		return r.Code, "gtin has a wrong check digit"
	case r.Detail != "":
		return r.Code, "gtin: " + r.Detail
	}
	return r.Code, "gtin is no product number"
}

// shorten keeps what a problem repeats of the file short and printable.
func shorten(s string) string {
	const most = 20
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	if utf8.RuneCountInString(clean) > most {
		return string([]rune(clean)[:most])
	}
	return clean
}
