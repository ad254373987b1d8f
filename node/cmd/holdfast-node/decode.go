package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast.dev/stock"
	"holdfast.dev/stock/gtin"
)

// decodeOptions are the flags of decode; DECODE.md describes its lines.
type decodeOptions struct {
	JSON    bool     `name:"json" help:"One JSON object a line instead of text for people."`
	Country string   `help:"Whose layout of in-store numbers: NL, DK, DE…" placeholder:"CODE"`
	Rules   []string `name:"rule" help:"A layout of the shop's own: mask measure currency."`
}

// maxFrameLine bounds a line of input: the largest QR code in hex, spaced.
const maxFrameLine = 32 << 10

// decoded is what one frame says. A product of a shop's own scale has the
// number as scanned in GTIN and that of the catalogue in Article.
type decoded struct {
	Symbology string        `json:"symbology"`
	Kind      string        `json:"kind,omitempty"` // unless it is a product
	GTIN      string        `json:"gtin,omitempty"`
	Article   string        `json:"article,omitempty"`
	PLU       string        `json:"plu,omitempty"`
	Measure   string        `json:"measure,omitempty"`
	AIs       []decodedAI   `json:"ais"`
	Text      string        `json:"text,omitempty"` // of a label of ours
	Hint      string        `json:"hint,omitempty"`
	Refusal   *decodedError `json:"refusal,omitempty"`
}

type decodedAI struct {
	AI    string `json:"ai"`
	Value string `json:"value"`
	Title string `json:"title"`
}

type decodedError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// decode reads frames as scanners send them, in hex, one a line, and writes
// what each says. A frame that is refused gets its line too.
func decode(o decodeOptions, in io.Reader, out io.Writer) error {
	d, err := o.decoder()
	if err != nil {
		return err
	}
	write := readable(out, time.Now().Year())
	if o.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		write = func(l decoded) error { return encoder.Encode(l) }
	}
	lines := bufio.NewReaderSize(in, maxFrameLine)
	for {
		line, end, err := frameLine(lines)
		if end {
			return nil
		}
		var frame []byte
		if err == nil {
			frame, err = unhex(line)
		}
		if _, refused := stock.AsRefusal(err); err != nil && !refused {
			return fmt.Errorf("read frames: %w", err)
		}
		if err := write(decodeFrame(d, frame, err)); err != nil {
			return fmt.Errorf("write what frames say: %w", err)
		}
	}
}

func (o decodeOptions) decoder() (gtin.Decoder, error) {
	d := gtin.Decoder{Rules: gtin.Shop()}
	if o.Country != "" {
		rules, ok := gtin.Country(o.Country)
		if !ok {
			return d, fmt.Errorf("no layout of in-store numbers for country %q", o.Country)
		}
		d.Rules = rules
	}
	own := []gtin.Rule{}
	for _, text := range o.Rules {
		words := append(strings.Fields(text), "", "", "")
		r, err := gtin.ParseRule(words[0], words[1], words[2])
		if err != nil {
			return d, err
		}
		own = append(own, r)
	}
	d.Rules = append(own, d.Rules...)
	return d, nil
}

// frameLine reads a line. One that is too long is read to its end and refused.
func frameLine(in *bufio.Reader) (line string, end bool, err error) {
	raw, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err == nil || errors.Is(err, io.EOF) {
			err = stock.Refuse(stock.Unreadable, "a line of more than %d characters", maxFrameLine)
		}
		return "", false, err
	}
	if errors.Is(err, io.EOF) {
		return strings.TrimSpace(string(raw)), len(raw) == 0, nil
	}
	return strings.TrimSpace(string(raw)), false, err
}

// between are characters that terminals and traces put between bytes in hex.
const between = " \t:-,"

// unhex reads bytes in hex, with or without something between them.
func unhex(line string) ([]byte, error) {
	frame, err := hex.DecodeString(strings.Map(func(r rune) rune {
		if strings.ContainsRune(between, r) {
			return -1
		}
		return r
	}, line))
	if err != nil {
		return nil, stock.Refuse(stock.Unreadable, "a line that is no hex")
	}
	return frame, nil
}

// Bytes around a symbol, as scanners are set up to send them.
const (
	stx      = 0x02
	suffixes = "\r\n\t\x03"
)

// content is a frame without what the scanner puts around a symbol: STX in
// front, and one of CR LF, CR, LF, TAB and ETX behind it.
func content(frame []byte) []byte {
	if len(frame) > 0 && frame[0] == stx {
		frame = frame[1:]
	}
	n := len(frame)
	switch {
	case n >= 2 && frame[n-2] == '\r' && frame[n-1] == '\n':
		return frame[:n-2]
	case n >= 1 && strings.IndexByte(suffixes, frame[n-1]) >= 0:
		return frame[:n-1]
	}
	return frame
}

// identifier is the AIM identifier in front of a frame, also one of a family
// that nobody knows; "" for noise that begins like one.
func identifier(frame []byte) string {
	if len(frame) < 3 {
		return ""
	}
	s, known := gtin.SymbologyOf(string(frame[:3]))
	if letter := frame[1] | 0x20; !known && (letter < 'a' || letter > 'z') {
		return ""
	}
	return s.AIM
}

// decodeFrame says what a frame says, or why it, or its line, is refused.
func decodeFrame(d gtin.Decoder, frame []byte, err error) decoded {
	l := decoded{AIs: []decodedAI{}}
	var s gtin.Symbol
	if err == nil {
		frame = content(frame)
		l.Symbology = identifier(frame)
		s, err = d.Decode(frame, "")
	}
	if r, ok := stock.AsRefusal(err); ok {
		l.Refusal = &decodedError{r.Code.String(), r.Detail}
		return l
	}
	l.GTIN, l.PLU, l.Hint = s.Scanned.Digits(), s.PLU, gtin.Hint(s.AIs)
	if s.Kind != gtin.Product {
		l.Kind = s.Kind.String()
	}
	if m, ok := d.Measured(s); ok && s.PLU != "" {
		l.Article, l.Measure = m.Article.Digits(), m.Amount()
	}
	for _, e := range s.AIs {
		l.AIs = append(l.AIs, decodedAI{e.AI, e.Value, gtin.Title(e.AI)})
	}
	if len(s.AIs) == 0 && s.Kind != gtin.Product && s.Kind != gtin.Pickup {
		l.Text = s.Text // not that of a pickup: who has it may collect
	}
	return l
}

// readable writes for people: what a frame is, then its element strings, each
// with what it means as seen in this year.
func readable(out io.Writer, year int) func(decoded) error {
	n := 0
	return func(l decoded) error {
		n++
		name := "no AIM identifier"
		if s, ok := gtin.SymbologyOf(l.Symbology); ok {
			name = l.Symbology + " " + s.Name
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%d: %s: ", n, name)
		if l.Refusal != nil {
			fmt.Fprintf(&b, "refused %s: %s\n", l.Refusal.Code, l.Refusal.Message)
		} else {
			fmt.Fprintf(&b, "%s\n", strings.Join(l.words(), ", "))
		}
		label := []gtin.Element{}
		for _, e := range l.AIs {
			label = append(label, gtin.Element{AI: e.AI, Value: e.Value})
			fmt.Fprintf(&b, "  (%s) %s: %s%s\n", e.AI, e.Title, e.Value, meaning(e, year))
		}
		if err := gtin.Lacking(label); err != nil {
			if r, ok := stock.AsRefusal(err); ok {
				fmt.Fprintf(&b, "  note: %s\n", r.Detail)
			}
		}
		if l.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", l.Hint)
		}
		_, err := io.WriteString(out, b.String())
		return err
	}
}

// words tells what a frame is.
func (l decoded) words() []string {
	kind := l.Kind
	if kind == "" {
		kind = "product"
	}
	words := []string{strings.TrimSpace(kind + " " + l.Text)}
	if g, err := gtin.Parse(l.GTIN); err == nil {
		words = append(words, g.Kind()+" "+g.String())
		if where := g.Circulation(); where != "" {
			words = append(words, where)
		}
	}
	if l.Measure != "" {
		words = append(words, "PLU "+l.PLU, l.Measure, "in the catalogue "+l.Article)
	}
	return words
}

// meaning explains a value that is an amount or a date; "" for another.
func meaning(e decodedAI, year int) string {
	if amount, err := (gtin.Element{AI: e.AI, Value: e.Value}).Amount(); err == nil {
		return " = " + amount
	}
	switch e.AI {
	case "11", "12", "13", "15", "16", "17":
		if date, err := gtin.ParseDate(e.Value, year); err == nil {
			return " = " + date.Format(time.DateOnly)
		}
	}
	return ""
}
