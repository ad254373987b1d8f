package gtin

import (
	"strconv"
	"strings"
	"time"

	"holdfast.dev/stock"
)

// maxElements bounds the element strings of one symbol.
const maxElements = 64

// elements reads GS1 element strings: identifiers and values in a row, where
// FNC1 ends a value of open length.
func elements(text string) (Symbol, error) {
	s := Symbol{Text: text}
	rest := strings.TrimPrefix(text, string(rune(gs)))
	for n := 0; rest != ""; n++ {
		if n == maxElements {
			return Symbol{}, stock.Refuse(stock.Unreadable, "more than %d AIs", maxElements)
		}
		id, ok := identifier(rest)
		if !ok {
			return Symbol{}, unsupported("element", "unknown AI at "+strconv.Quote(clip(rest)))
		}
		var value string
		if value, rest, ok = cutValue(rest, id); !ok {
			return Symbol{}, stock.Refuse(stock.Unreadable, "AI %s is cut off", id)
		}
		if err := s.add(id, value); err != nil {
			return Symbol{}, err
		}
	}
	if len(s.AIs) == 0 {
		return Symbol{}, stock.Refuse(stock.Unreadable, "no element string")
	}
	s.interpret()
	return s, nil
}

// identifier returns the AI at the start of text. The first two digits say how
// long it is.
func identifier(text string) (string, bool) {
	if len(text) < 2 || !allDigits(text[:2]) {
		return "", false
	}
	n := 0
	switch two := text[:2]; {
	case two <= "03", "10" <= two && two <= "13", "15" <= two && two <= "17",
		"20" <= two && two <= "22", two == "30", two == "37", two >= "90":
		n = 2
	case "23" <= two && two <= "25", two == "40", two == "41", two == "42", two == "71":
		n = 3
	case "31" <= two && two <= "36", two == "39", two == "43", two == "70", two == "72",
		"80" <= two && two <= "82":
		n = 4
	}
	if n == 0 || len(text) < n {
		return "", false
	}
	_, ok := layouts()[text[:n]]
	return text[:n], ok
}

// cutValue cuts the value of the AI at the start of text. AIs of predefined
// length need no separator after them, but may have one.
func cutValue(text, id string) (value, rest string, ok bool) {
	length := 0
	switch two := id[:2]; {
	case two == "00":
		length = 20
	case two <= "03":
		length = 16
	case "11" <= two && two <= "19":
		length = 8
	case two == "20":
		length = 4
	case "31" <= two && two <= "36":
		length = 10
	case two == "41":
		length = 16
	}
	if length == 0 {
		value, rest, _ = strings.Cut(text[len(id):], string(rune(gs)))
		return value, rest, true
	}
	if len(text) < length {
		return "", "", false
	}
	return text[len(id):length], strings.TrimPrefix(text[length:], string(rune(gs))), true
}

// add checks one value and appends it. An AI may come twice only with the same
// value.
func (s *Symbol) add(id, value string) error {
	layout, ok := layouts()[id]
	if !ok {
		return unsupported("element", "unknown AI "+id)
	}
	switch wrong := wrongValue(layout, value); wrong {
	case "":
	case wrongCheckDigit:
		return badCheckDigit(value)
	default:
		return stock.Refuse(stock.Unreadable, "AI %s: %s", id, wrong)
	}
	if before, ok := s.AI(id); ok {
		if before != value {
			return stock.Refuse(stock.Unreadable, "AI %s twice with two values", id)
		}
		return nil
	}
	s.AIs = append(s.AIs, Element{id, value})
	return nil
}

// interpret fills in what the AIs say about the product or the delivery.
func (s *Symbol) interpret() {
	s.Kind = Attributes
	for _, e := range s.AIs {
		switch {
		case e.AI == "01" || e.AI == "03":
			s.Kind, s.GTIN = Product, pad(e.Value)
		case e.AI == "00" || e.AI == "02":
			if s.Kind == Attributes {
				s.Kind = Delivery
			}
			if e.AI == "02" && s.GTIN.IsZero() {
				s.GTIN = pad(e.Value)
			}
		case e.AI == "30" || e.AI == "37":
			s.Count = stock.Units(integer(e.Value))
		case strings.HasPrefix(e.AI, "310"):
			s.Weight = stock.Units(scale(integer(e.Value), 3-int(e.AI[3]-'0')))
		case strings.HasPrefix(e.AI, "392"):
			s.Price = scale(integer(e.Value), 2-int(e.AI[3]-'0'))
		case strings.HasPrefix(e.AI, "393"):
			if currency, ok := currencies[e.Value[:3]]; ok {
				s.Price = scale(integer(e.Value[3:]), 2-int(e.AI[3]-'0'))
				s.Currency = currency
			}
		}
	}
}

// currencies are those of our shops, by their ISO 4217 numbers. A price in
// another stays among the AIs.
var currencies = map[string]string{
	"208": "DKK", "578": "NOK", "752": "SEK", "756": "CHF", "826": "GBP", "840": "USD",
	"978": "EUR", "985": "PLN",
}

// ParseDate reads the date of an AI: year, month, day in two digits each. Year
// is the current one: the date is the nearest within fifty years. Day 00 means
// the last day of the month.
func ParseDate(yymmdd string, year int) (time.Time, error) {
	if len(yymmdd) != 6 || !allDigits(yymmdd) {
		return time.Time{}, stock.Refuse(stock.Unreadable, "date %q", yymmdd)
	}
	yy, month, day := two(yymmdd), two(yymmdd[2:]), two(yymmdd[4:])
	century := year - year%100
	switch ahead := yy - year%100; {
	case ahead >= 51:
		century -= 100
	case ahead <= -50:
		century += 100
	}
	last := time.Date(century+yy, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC)
	if month < 1 || month > 12 || day > last.Day() {
		return time.Time{}, stock.Refuse(stock.Unreadable, "date %q", yymmdd)
	}
	if day == 0 {
		return last, nil
	}
	return last.AddDate(0, 0, day-last.Day()), nil
}

func two(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

// integer reads digits that a layout checked; they are at most 15.
func integer(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// clip keeps the details of refusals short.
func clip(text string) string { return text[:min(len(text), 16)] }
