package gtin

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

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

var measureNames = [...]string{"", "weight", "price", "count"}

// String gives the lower-case word.
func (m Measure) String() string { return measureNames[m] }

// Rule says how one range of in-store EAN-13 numbers is laid out. ParseRule
// makes one; the zero value fits nothing.
type Rule struct {
	mask     string // as configured
	pattern  string // of 12 digits: digits, P article, C inner check digit, V value
	prefix   int    // length of the digits in front
	measure  Measure
	decimals int // of the value
	currency string
}

// maskDigits is how many digits of an EAN-13 a mask describes: all but the
// check digit.
const maskDigits = 12

// ParseRule reads a layout as a shop configures it. The mask stands for the
// first twelve digits: leading digits that must be there, "." for the article,
// "C" for the check digit of the measure, and the measure in braces, N for its
// digits before the point and D for those after: "23.....{NNNDD}". What is
// missing at its end belongs to the article. Measure is weight, price or count;
// currency is that of a price, or empty for the shop's own.
func ParseRule(mask, measure, currency string) (Rule, error) {
	r := Rule{mask: mask, currency: currency}
	r.measure = Measure(max(0, slices.Index(measureNames[:], measure)))
	r.prefix = len(mask) - len(strings.TrimLeft(mask, "0123456789"))
	open, rest, ok := strings.Cut(mask[r.prefix:], "{")
	value, end, closed := strings.Cut(rest, "}")
	whole := strings.TrimRight(value, "D")
	r.decimals = len(value) - len(whole)
	article := strings.Trim(open, ".") + strings.Trim(end, ".")
	check := article == "C"
	switch {
	case r.measure == 0:
		return Rule{}, badRule(mask, "measure "+strconv.Quote(measure))
	case currency != "" && (r.measure != Price || !slices.Contains(ours, currency)):
		return Rule{}, badRule(mask, "currency "+strconv.Quote(currency))
	case r.prefix == 0:
		return Rule{}, badRule(mask, "no digits in front")
	case !ok || !closed || value == "" || strings.Trim(whole, "N") != "":
		return Rule{}, badRule(mask, "no {N…D…}")
	case article != "" && !check:
		return Rule{}, badRule(mask, "other than digits, . and C around the measure")
	case check && len(value) != 4 && len(value) != 5:
		return Rule{}, badRule(mask, "a check digit wants a measure of 4 or 5 digits")
	case r.decimals > 3 || r.measure == Count && r.decimals > 0:
		return Rule{}, badRule(mask, "too many digits after the point")
	}
	pattern := mask[:r.prefix] + strings.ReplaceAll(open, ".", "P") +
		strings.Repeat("V", len(value)) + strings.ReplaceAll(end, ".", "P")
	if len(pattern) > maskDigits {
		return Rule{}, badRule(mask, "more than 12 digits")
	}
	r.pattern = pattern + strings.Repeat("P", maskDigits-len(pattern))
	return r, nil
}

func badRule(mask, what string) error {
	return stock.Refuse(stock.BadRequest, "mask %q: %s", mask, what).With("what", "mask")
}

// String gives the mask and the measure.
func (r Rule) String() string {
	return strings.TrimSpace(r.mask + " " + r.measure.String() + " " + r.currency)
}

//go:embed measures.txt
var measuresText string

// countries holds the published layouts by country.
var countries = sync.OnceValue(func() map[string][]Rule {
	all := map[string][]Rule{}
	for _, row := range tableRows(measuresText, 4) {
		r, err := ParseRule(row[1], row[2], strings.Trim(row[3], "-"))
		if err != nil {
			panic(fmt.Sprintf("measures.txt: %v", err))
		}
		all[row[0]] = append(all[row[0]], r)
	}
	return all
})

// tableRows gives the rows of an embedded table: columns parted by tabs, lines
// that begin with # left out.
func tableRows(text string, columns int) (rows [][]string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		row := strings.Split(line, "\t")
		if len(row) != columns {
			panic(fmt.Sprintf("table row %q has %d columns, not %d", line, len(row), columns))
		}
		rows = append(rows, row)
	}
	return rows
}

// Shop returns the rules that Decode uses: those of a shop that labels fresh
// goods by weight itself.
func Shop() []Rule { return slices.Clone(countries()["default"]) }

// Country returns the rules of a country by its ISO 3166 code, if it has some.
func Country(code string) ([]Rule, bool) {
	rules, ok := countries()[code]
	return slices.Clone(rules), ok
}

// Measured is what an in-store number says by a rule.
type Measured struct {
	Rule    Rule
	Article GTIN   // the number with the measure zeroed: the same for every package
	PLU     string // the digits of the article between prefix and measure
	Value   int64  // the measure without its point
}

// Amount writes the measure with its point and unit: "1.500 kg", "3.95 EUR",
// "12".
func (m Measured) Amount() string {
	amount := point(strconv.FormatInt(m.Value, 10), m.Rule.decimals)
	switch m.Rule.measure {
	case Weight:
		return amount + " kg"
	case Price:
		return strings.TrimSpace(amount + " " + m.Rule.currency)
	}
	return amount
}

// fits tells whether the rule is for a number of thirteen digits.
func (r *Rule) fits(digits string) bool {
	return r.prefix > 0 && digits[:r.prefix] == r.pattern[:r.prefix]
}

// measure reads a number that the rule fits.
func (r *Rule) read(g GTIN) (Measured, error) {
	m := Measured{Rule: *r, Article: g}
	digits := g.digits[1:]
	var inner byte
	value := make([]byte, 0, maskDigits)
	plu := make([]byte, 0, maskDigits)
	for i := r.prefix; i < maskDigits; i++ {
		switch r.pattern[i] {
		case 'C':
			inner = digits[i]
		case 'V':
			m.Value = 10*m.Value + int64(digits[i]-'0')
			value = append(value, digits[i])
			m.Article.digits[i+1] = '0'
		default:
			plu = append(plu, digits[i])
		}
	}
	m.PLU = string(plu)
	if inner != 0 {
		if want, _ := priceCheck(string(value)); want != inner {
			return Measured{}, wrongCheck(badMeasure, string(digits))
		}
		// The check digit of a measure of zeros is zero too.
		m.Article.digits[strings.IndexByte(r.pattern, 'C')+1] = '0'
	}
	m.Article.digits[13] = checkDigit(string(m.Article.digits[:13]))
	return m, nil
}

// measured reads what an in-store number says by the first rule that fits it;
// false when none does. Only numbers of thirteen digits have layouts.
func (d Decoder) measured(g GTIN) (m Measured, ok bool, err error) {
	if g.digits[0] != '0' {
		return Measured{}, false, nil
	}
	digits := string(g.digits[1:])
	for i := range d.Rules {
		if r := &d.Rules[i]; r.fits(digits) {
			m, err = r.read(g)
			return m, err == nil, err
		}
	}
	return Measured{}, false, nil
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
func priceCheck(value string) (byte, error) {
	sum := func(weights ...string) (total int) {
		for i, w := range weights {
			total += int(w[value[i]-'0'] - '0')
		}
		return total
	}
	switch {
	case len(value) != 4 && len(value) != 5:
		return 0, refuse(badLength, "a measure of %d digits", len(value))
	case !allDigits(value):
		return 0, refuse(badCharacter, "a measure of other than digits")
	case len(value) == 4:
		return '0' + byte(sum(twoMinus, twoMinus, three, fiveMinus)*3%10), nil
	}
	rest := (10 - sum(fivePlus, twoMinus, fiveMinus, fivePlus, twoMinus)%10) % 10
	return '0' + byte(strings.IndexByte(fiveMinus, '0'+byte(rest))), nil
}
