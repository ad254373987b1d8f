package gtin

import (
	"slices"

	"holdfast.dev/stock"
)

// Measure says what the digits in an in-store number count.
type Measure uint8

// Measures in numbers of goods that a shop weighs, prices or packs itself.
const (
	Weight Measure = 1 + iota // kilograms
	Price                     // the currency of the rule
	Count                     // pieces
)

// Rule says how one range of in-store EAN-13 numbers is laid out.
type Rule struct {
	Prefix   string
	Pattern  string // of the first 12 digits: P article with prefix, C inner check digit, V value
	Measure  Measure
	Decimals int // of the value
	Currency string
}

// shop is the layout of a shop that labels fresh goods by weight itself:
// 21, five digits of PLU, five digits of grams.
var shop = []Rule{{"21", "PPPPPPPVVVVV", Weight, 3, ""}}

// countries are the layouts that national GS1 offices publish. Countries that
// leave it to the shop are absent.
var countries = map[string][]Rule{
	"DE": {
		{"22", "PPPPPPCVVVVV", Price, 2, "EUR"}, {"23", "PPPPPPCVVVVV", Price, 2, "EUR"},
		{"25", "PPPPPPCVVVVV", Count, 0, ""}, {"26", "PPPPPPCVVVVV", Count, 0, ""},
		{"28", "PPPPPPCVVVVV", Weight, 3, ""}, {"29", "PPPPPPCVVVVV", Weight, 3, ""},
	},
	"DK": {
		{"21", "PPPPPPVVVVVV", Price, 2, "DKK"}, {"22", "PPPPPPVVVVVV", Price, 2, "DKK"},
		{"23", "PPPPPPVVVVVV", Price, 2, "DKK"}, {"24", "PPPPPPVVVVVV", Price, 2, "DKK"},
		{"26", "PPPPPPVVVVVV", Weight, 3, ""}, {"28", "PPPPPPVVVVVV", Weight, 3, ""},
		{"27", "PPPPPPPVVVVV", Weight, 3, ""},
	},
	"SE": nordic("SEK"),
	"NO": nordic("NOK"),
	"FI": eastSea, "EE": eastSea, "LV": eastSea, "LT": eastSea,
	"GB": {{"20", "PPPPPPPCVVVV", Price, 2, "GBP"}},
}

// eastSea is shared by Finland, Estonia, Latvia and Lithuania, and a part of
// the Swedish and Norwegian layout.
var eastSea = []Rule{
	{"23", "PPPPPPPPVVVV", Weight, 3, ""},
	{"24", "PPPPPPPPVVVV", Weight, 2, ""},
	{"25", "PPPPPPPPVVVV", Weight, 1, ""},
}

func nordic(currency string) []Rule {
	return append([]Rule{
		{"20", "PPPPPPPPVVVV", Price, 2, currency},
		{"21", "PPPPPPPPVVVV", Price, 1, currency},
		{"22", "PPPPPPPPVVVV", Price, 0, currency},
	}, eastSea...)
}

// Shop returns the rules that Decode uses.
func Shop() []Rule { return slices.Clone(shop) }

// Country returns the rules of a country by its ISO 3166 code, if it has some.
func Country(code string) ([]Rule, bool) {
	rules, ok := countries[code]
	return slices.Clone(rules), ok
}

// measure returns s with what r says about its 13 digits.
func (r Rule) measure(s Symbol, digits string) (Symbol, error) {
	var value int64
	var inner byte
	first := len(r.Pattern)
	stripped := s.GTIN.digits
	for i := range r.Pattern {
		switch r.Pattern[i] {
		case 'C':
			inner = digits[i]
		case 'V':
			value = 10*value + int64(digits[i]-'0')
			first = min(first, i)
		default:
			continue
		}
		stripped[i+1] = '0'
	}
	if inner != 0 {
		if want, _ := priceCheck(digits[first:12]); want != inner {
			return Symbol{}, badCheckDigit(digits)
		}
		s.PLU = digits[len(r.Prefix) : first-1]
	} else {
		s.PLU = digits[len(r.Prefix):first]
	}
	stripped[13] = checkDigit(string(stripped[:13]))
	s.GTIN = GTIN{stripped}
	switch r.Measure {
	case Weight:
		s.Weight = stock.Units(scale(value, 3-r.Decimals))
	case Price:
		s.Price, s.Currency = scale(value, 2-r.Decimals), r.Currency
	case Count:
		s.Count = stock.Units(value)
	}
	return s, nil
}

// scale returns n times ten to the power of exponent, rounded half up.
func scale(n int64, exponent int) int64 {
	for ; exponent > 0; exponent-- {
		n *= 10
	}
	divisor := int64(1)
	for ; exponent < 0; exponent++ {
		divisor *= 10
	}
	return (n + divisor/2) / divisor
}

// Weights of the inner check digit, GS1 General Specifications 7.9, by digit.
const (
	twoMinus  = "0246891357"
	three     = "0369258147"
	fivePlus  = "0516273849"
	fiveMinus = "0594837261"
)

// priceCheck returns the inner check digit of a value of four or five digits.
func priceCheck(value string) (byte, bool) {
	if !allDigits(value) {
		return 0, false
	}
	sum := func(weights ...string) (total int) {
		for i, w := range weights {
			total += int(w[value[i]-'0'] - '0')
		}
		return total
	}
	switch len(value) {
	case 4:
		return '0' + byte(sum(twoMinus, twoMinus, three, fiveMinus)*3%10), true
	case 5:
		rest := (10 - sum(fivePlus, twoMinus, fiveMinus, fivePlus, twoMinus)%10) % 10
		for d := byte(0); d < 10; d++ {
			if fiveMinus[d] == '0'+byte(rest) {
				return '0' + d, true
			}
		}
	}
	return 0, false
}
