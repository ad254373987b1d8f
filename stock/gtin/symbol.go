package gtin

import (
	"slices"
	"strings"
	"unicode"
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

// Symbol is what one scan says. Text is the whole content, in printable
// characters: element strings stand in it with brackets.
type Symbol struct {
	Kind Kind
	AIM  string // the identifier of the symbology that the scanner sent, or ""
	// GTIN of the product, or of what a delivery contains; zero if none. When a
	// measure stands in the number, this is the number with the measure zeroed:
	// the same for every package of the article.
	GTIN     GTIN
	Scanned  GTIN        // the number as it stands in the symbol
	PLU      string      // the shop's own article number in a weighed code
	Weight   stock.Units // grams; 0 if the code does not say
	Count    stock.Units // pieces; 0 if the code does not say
	Price    int64       // minor units; 0 if the code does not say
	Currency string      // ISO 4217; empty when the price is in the shop's own
	AIs      []Element
	Text     string
}

// AI returns the value of an application identifier, if the symbol has it.
func (s Symbol) AI(id string) (string, bool) { return valueOf(s.AIs, id) }

// Decoder reads symbols by the rules of one shop. The zero value knows no
// numbers with a measure in them.
type Decoder struct {
	Rules []Rule     // for in-store numbers; the first that fits counts
	Links LinkReader // for Digital Links
}

// maxText is the longest content of a symbol, in bytes.
const maxText = 512

// Labels that shops print for themselves.
const (
	pickupToken   = "HF1:"
	shelfLabel    = "SHELF-"
	deliveryLabel = "DELIVERY-"
)

// Decode reads one symbol by the rules of Shop. The AIM identifier is empty
// when the scanner did not send one, or sent it in front of data.
func Decode(data []byte, aim string) (Symbol, error) {
	return Decoder{Rules: countries()["default"]}.Decode(data, aim)
}

// Decode tells what a symbol is. It refuses what is no code at all as
// Unreadable and what is a code of no use in a shop as UnsupportedCode. It
// never opens a link.
func (d Decoder) Decode(data []byte, aim string) (Symbol, error) {
	text := string(data)
	if aim == "" && len(text) >= 3 && text[0] == ']' {
		aim, text = text[:3], text[3:]
	}
	if aim != "" && holdsOf(aim) == holdsAnything {
		if _, ok := SymbologyOf(aim); !ok {
			return Symbol{}, refuse(unknownAIM, "AIM identifier %q", clip(aim))
		}
	}
	if err := readable(text); err != nil {
		return Symbol{}, err
	}
	s, err := d.decode(text, aim)
	if err != nil {
		return Symbol{}, err
	}
	s.AIM = aim
	return s, nil
}

// readable refuses what no symbol of a shop holds, before anything looks at it.
func readable(text string) error {
	if text == "" {
		return refuse(empty, "a symbol without content")
	}
	if len(text) > maxText {
		return refuse(badLength, "a symbol of %d bytes", len(text))
	}
	plain := true
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' && c != gs || c == 0x7f {
			return refuse(badCharacter, "control byte %#02x", c)
		}
		plain = plain && text[i] < utf8.RuneSelf
	}
	switch {
	case plain:
	case !utf8.ValidString(text):
		return refuse(badCharacter, "bytes that are no text")
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != gs }):
		return refuse(badCharacter, "characters that cannot be printed")
	}
	return nil
}

func (d Decoder) decode(text, aim string) (Symbol, error) {
	switch holdsOf(aim) {
	case holdsNumber:
		return d.number(text, aim)
	case holdsElements:
		return ofElements(parseElements(text))
	case holdsAddOn:
		return Symbol{}, unsupported("element", "an add-on without its main symbol")
	}
	return d.guess(text)
}

// number reads a symbol that holds a GTIN by its kind: EAN/UPC or ITF-14.
func (d Decoder) number(text, aim string) (Symbol, error) {
	digits, composite, err := cutNumber(text, aim)
	if err != nil {
		return Symbol{}, err
	}
	s, err := d.product(digits)
	if err != nil {
		return Symbol{}, err
	}
	s.Text = text
	if composite != "" {
		if s.AIs, err = parseElements(composite); err != nil {
			return Symbol{}, err
		}
		s.Text = digits + Bracketed(s.AIs)
	}
	return s, nil
}

// product reads a bare GTIN, with the measure that the shop put into it.
func (d Decoder) product(digits string) (Symbol, error) {
	g, err := parseDigits(digits)
	if err != nil {
		return Symbol{}, err
	}
	if strings.Trim(digits, "0") == "" {
		return Symbol{}, refuse(onlyZeros, "a number of zeros")
	}
	s := Symbol{Kind: Product, GTIN: g, Scanned: g, Text: digits}
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
	m, ok, err := d.measured(g)
	if err != nil || !ok {
		return s, err
	}
	s.GTIN, s.PLU = m.Article, m.PLU
	switch m.Rule.measure {
	case Weight:
		s.Weight = stock.Units(scale(m.Value, 3-m.Rule.decimals))
	case Price:
		s.Price, s.Currency = scale(m.Value, 2-m.Rule.decimals), m.Rule.currency
	case Count:
		s.Count = stock.Units(m.Value)
	}
	return s, nil
}

// Measured tells what the in-store number of a product says by the rules; false
// when it says nothing.
func (d Decoder) Measured(s Symbol) (Measured, bool) {
	if s.Scanned.IsZero() {
		return Measured{}, false
	}
	m, ok, err := d.measured(s.Scanned)
	return m, ok && err == nil
}

// guess reads a symbol whose kind of content is not known, such as a QR code
// or what a keyboard typed.
func (d Decoder) guess(text string) (Symbol, error) {
	switch {
	case allDigits(text):
		return d.digits(text)
	case strings.IndexByte(text, gs) >= 0, startsLikeElements(text):
		// Without an identifier some scanners send the FNC1 in front too.
		return ofElements(parseElements(strings.TrimPrefix(text, string(rune(gs)))))
	case strings.HasPrefix(text, pickupToken) && len(text) > len(pickupToken):
		return Symbol{Kind: Pickup, Text: text}, nil
	case isLabel(text, shelfLabel):
		return Symbol{Kind: Location, Text: text}, nil
	case isLabel(text, deliveryLabel):
		return Symbol{Kind: Delivery, Text: text}, nil
	case isLink(text):
		all, err := d.Links.ParseLink(text)
		s, err := ofElements(all, err)
		if err == nil {
			s.Text = text
		}
		return s, err
	case text[0] == '(' && len(text) > 4 && allDigits(text[1:3]):
		return ofElements(ParseBracketed(text))
	}
	if code, ok := pickupCode(text); ok {
		return Symbol{Kind: Pickup, Text: code}, nil
	}
	return Symbol{}, unsupported("text", "text of another kind")
}

// isLink tells whether a text looks like a web address in one case.
func isLink(text string) bool {
	_, ok := cutScheme(text)
	return ok || strings.HasPrefix(text, "http:") || strings.HasPrefix(text, "https:") ||
		strings.HasPrefix(text, "HTTP:") || strings.HasPrefix(text, "HTTPS:")
}

// digits reads digits of unknown origin by their number.
func (d Decoder) digits(text string) (Symbol, error) {
	switch {
	case len(text) == 8:
		s, err := d.product(text)
		if err == nil {
			return s, nil
		}
		if g, upce := ExpandUPCE(text); upce == nil && text != "00000000" {
			return Symbol{Kind: Product, GTIN: g, Scanned: g, Text: text}, nil
		}
		return Symbol{}, err
	case len(text) >= 12 && len(text) <= 14:
		return d.product(text)
	case startsLikeElements(text):
		return ofElements(parseElements(text))
	}
	return Symbol{}, refuse(badLength, "%d digits", len(text))
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

// ofElements tells what element strings say about a product or a delivery.
func ofElements(all []Element, err error) (Symbol, error) {
	if err != nil {
		return Symbol{}, err
	}
	s := Symbol{Kind: Attributes, AIs: all, Text: Bracketed(all)}
	for _, e := range all {
		switch {
		case e.AI == "01" || e.AI == "03" || e.AI == "8006":
			s.Kind, s.GTIN = Product, pad(e.Value[:14])
		case e.AI == "00" || e.AI == "02" || e.AI == "8026":
			if s.Kind == Attributes {
				s.Kind = Delivery
			}
			if e.AI != "00" && s.GTIN.IsZero() {
				s.GTIN = pad(e.Value[:14])
			}
		case e.AI == "30" || e.AI == "37":
			s.Count = stock.Units(integer(e.Value))
		case strings.HasPrefix(e.AI, "310"):
			s.Weight = stock.Units(scale(integer(e.Value), 3-int(e.AI[3]-'0')))
		case strings.HasPrefix(e.AI, "392"):
			s.Price = scale(integer(e.Value), 2-int(e.AI[3]-'0'))
		case strings.HasPrefix(e.AI, "393") && slices.Contains(ours, codes().currencies[e.Value[:3]]):
			s.Price = scale(integer(e.Value[3:]), 2-int(e.AI[3]-'0'))
			s.Currency = codes().currencies[e.Value[:3]]
		}
	}
	s.Scanned = s.GTIN
	return s, nil
}

// ours are the currencies of our shops, all with hundredths. A price in another
// stays among the AIs.
var ours = []string{"DKK", "NOK", "SEK", "CHF", "GBP", "USD", "EUR", "PLN"}

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
