package gtin

import (
	"strings"
	"unicode/utf8"

	"holdfast.dev/stock"
)

// Kind says what a scanned symbol stands for.
type Kind uint8

// Kinds of symbols.
const (
	Product    Kind = 1 + iota // something for sale: GTIN, or PLU and a measure
	Pickup                     // a pickup token or a human pickup code; Text
	Location                   // a shelf; Text
	Delivery                   // a delivery or a transport unit; Text, AI 00 or 02 and 37
	Attributes                 // a second label of a thing: lot, date, serial; AIs only
)

// String gives the lower-case word for logs and refusals.
func (k Kind) String() string {
	return [...]string{"", "product", "pickup", "location", "delivery", "attributes"}[k]
}

// Element is one element string: an application identifier and its value.
type Element struct {
	AI    string
	Value string
}

// Symbol is what one scan says. Text is always the whole content.
type Symbol struct {
	Kind Kind
	// GTIN of the product, or of what a delivery contains; zero if none. When a
	// measure stands in the number, this is the number with the measure zeroed:
	// the same for every package of the article.
	GTIN     GTIN
	PLU      string      // the shop's own article number in a weighed code
	Weight   stock.Units // grams; 0 if the code does not say
	Count    stock.Units // pieces; 0 if the code does not say
	Price    int64       // minor units; 0 if the code does not say
	Currency string      // ISO 4217; empty when the price is in the shop's own
	AIs      []Element
	Text     string
}

// AI returns the value of an application identifier, if the symbol has it.
func (s Symbol) AI(id string) (string, bool) {
	for _, e := range s.AIs {
		if e.AI == id {
			return e.Value, true
		}
	}
	return "", false
}

// Decoder reads symbols by the rules of one shop. The zero value knows no
// numbers with a measure in them.
type Decoder struct {
	Rules []Rule // for in-store numbers; the first whose prefix fits counts
}

// maxText is the longest content of a symbol, in bytes.
const maxText = 512

// gs separates element strings; scanners send it for FNC1.
const gs = 0x1d

// Labels that shops print for themselves.
const (
	pickupToken   = "HF1:"
	shelfLabel    = "SHELF-"
	deliveryLabel = "DELIVERY-"
)

// Decode reads one symbol by the rules of Shop. The AIM identifier is empty
// when the scanner did not send one, or sent it in front of data.
func Decode(data []byte, aim string) (Symbol, error) {
	return Decoder{Rules: shop}.Decode(data, aim)
}

// Decode tells what a symbol is. It refuses what is no code at all as
// Unreadable and what is a code of no use in a shop as UnsupportedCode. It
// never opens a link.
func (d Decoder) Decode(data []byte, aim string) (Symbol, error) {
	if aim == "" && len(data) >= 3 && data[0] == ']' {
		aim, data = string(data[:3]), data[3:]
	}
	if len(data) == 0 || len(data) > maxText {
		return Symbol{}, stock.Refuse(stock.Unreadable, "a symbol of %d bytes", len(data))
	}
	for _, c := range data {
		if c < ' ' && c != gs || c == 0x7f {
			return Symbol{}, stock.Refuse(stock.Unreadable, "control byte %#02x", c)
		}
	}
	if !utf8.Valid(data) {
		return Symbol{}, stock.Refuse(stock.Unreadable, "bytes that are no text")
	}
	carrier, ok := carrierOf(aim)
	if !ok {
		return Symbol{}, stock.Refuse(stock.Unreadable, "AIM identifier %q", aim)
	}
	text := string(data)
	switch carrier {
	case carriesNumber:
		return d.number(text, aim)
	case carriesElements:
		return elements(text)
	case carriesAddOn:
		return Symbol{}, unsupported("element", "an add-on without its main symbol")
	}
	return d.guess(text)
}

type carrier uint8

const (
	carriesAnything carrier = iota
	carriesNumber
	carriesElements
	carriesAddOn
)

// carrierOf sorts AIM identifiers by what their symbols hold.
func carrierOf(aim string) (carrier, bool) {
	switch aim {
	case "":
		return carriesAnything, true
	case "]E0", "]E3", "]E4", "]I1":
		return carriesNumber, true
	case "]C1", "]d2", "]Q3", "]J1", "]e0":
		return carriesElements, true
	case "]E1", "]E2":
		return carriesAddOn, true
	}
	known := len(aim) == 3 && aim[0] == ']' &&
		strings.IndexByte("AaBCDdEeFGHIJKLMNOPQRSTUVXYz", aim[1]) >= 0 &&
		strings.IndexByte("0123456789ABCDEF", aim[2]) >= 0
	return carriesAnything, known
}

// number reads a symbol that holds a GTIN by its kind: EAN/UPC or ITF-14.
func (d Decoder) number(text, aim string) (Symbol, error) {
	main, composite, _ := strings.Cut(text, "|]e0")
	digits, want := main, 13
	switch aim {
	case "]E3":
		if len(main) == 15 || len(main) == 18 { // with an add-on of 2 or 5 digits
			digits = main[:13]
		}
	case "]E4":
		want = 8
	case "]I1":
		want = 14
	}
	if len(digits) != want {
		return Symbol{}, stock.Refuse(stock.Unreadable, "%s with %d digits", aim, len(digits))
	}
	s, err := d.product(digits)
	if err != nil {
		return Symbol{}, err
	}
	s.Text = text
	if composite != "" {
		extra, err := elements(composite)
		if err != nil {
			return Symbol{}, err
		}
		s.AIs = extra.AIs
	}
	return s, nil
}

// product reads a bare GTIN, with the measure that the shop put into it.
func (d Decoder) product(digits string) (Symbol, error) {
	g, err := Parse(digits)
	if err != nil {
		return Symbol{}, err
	}
	s := Symbol{Kind: Product, GTIN: g, Text: digits}
	if len(digits) < 13 || g.digits[0] != '0' {
		return s, nil
	}
	digits = digits[len(digits)-13:]
	switch {
	case strings.HasPrefix(digits, "980"):
		return Symbol{}, unsupported("refund", "a refund receipt")
	case "981" <= digits[:3] && digits[:3] <= "984", strings.HasPrefix(digits, "99"):
		return Symbol{}, unsupported("coupon", "a coupon")
	}
	for _, r := range d.Rules {
		if strings.HasPrefix(digits, r.Prefix) {
			return r.measure(s, digits)
		}
	}
	return s, nil
}

// guess reads a symbol whose kind of content is not known, such as a QR code
// or what a keyboard typed.
func (d Decoder) guess(text string) (Symbol, error) {
	switch {
	case allDigits(text):
		return d.digits(text)
	case strings.HasPrefix(text, pickupToken) && len(text) > len(pickupToken):
		return Symbol{Kind: Pickup, Text: text}, nil
	case isLabel(text, shelfLabel):
		return Symbol{Kind: Location, Text: text}, nil
	case isLabel(text, deliveryLabel):
		return Symbol{Kind: Delivery, Text: text}, nil
	case strings.HasPrefix(text, "http:") || strings.HasPrefix(text, "https:") ||
		strings.HasPrefix(text, "HTTP:") || strings.HasPrefix(text, "HTTPS:"):
		return link(text)
	case strings.IndexByte(text, gs) >= 0, startsLikeElements(text):
		return elements(text)
	}
	if code, ok := pickupCode(text); ok {
		return Symbol{Kind: Pickup, Text: code}, nil
	}
	return Symbol{}, unsupported("text", "text of another kind")
}

// digits reads digits of unknown origin by their number.
func (d Decoder) digits(text string) (Symbol, error) {
	switch {
	case len(text) == 8:
		s, err := d.product(text)
		if err == nil {
			return s, nil
		}
		if g, upce := ExpandUPCE(text); upce == nil {
			return Symbol{Kind: Product, GTIN: g, Text: text}, nil
		}
		return s, err
	case len(text) >= 12 && len(text) <= 14:
		return d.product(text)
	case startsLikeElements(text):
		return elements(text)
	}
	return Symbol{}, stock.Refuse(stock.Unreadable, "%d digits", len(text))
}

// startsLikeElements finds element strings behind a scanner that sends no AIM
// identifier: those that begin with the number of a thing.
func startsLikeElements(text string) bool {
	switch {
	case strings.HasPrefix(text, "00"):
		return len(text) >= 20 && allDigits(text[:20])
	case strings.HasPrefix(text, "01"), strings.HasPrefix(text, "02"):
		return len(text) >= 16 && allDigits(text[:16])
	}
	return false
}

// maxLabel is the longest name on a shop's own label, in characters.
const maxLabel = 12

func isLabel(text, prefix string) bool {
	name, ok := strings.CutPrefix(text, prefix)
	if !ok || name == "" || len(name) > maxLabel {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// codeAlphabet is what human pickup codes are made of: no two look alike.
const codeAlphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

// pickupCode reads a human pickup code in either case, in one piece or in two
// of four. A code has a letter, so that no number is taken for one.
func pickupCode(text string) (string, bool) {
	if len(text) == 9 && (text[4] == '-' || text[4] == ' ') {
		text = text[:4] + text[5:]
	}
	text = strings.ToUpper(text)
	if len(text) != 8 || allDigits(text) {
		return "", false
	}
	return text, strings.Trim(text, codeAlphabet) == ""
}

func unsupported(kind, detail string) error {
	return stock.Refuse(stock.UnsupportedCode, "%s", detail).With("kind", kind)
}
