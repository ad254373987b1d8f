// Package words holds the sentences that people read, in Dutch, Danish, German
// and English: refusals, texts of pages, money, dates and quantities.
//
// Texts stand in texts/<area>.toml, the four languages side by side, and are
// fetched with T. A text may use what its caller names:
//
//	{name}                   the value
//	{n|one unit|# units}     by number; # is the number, grouped
//	{n|none|one|# units}     the same with a form for zero
//	[ for {name}]            left out when name is not given
//	[ for {name}| for you]   with another wording for that case
package words

import (
	"slices"

	"golang.org/x/text/language"
)

// Lang is one of the languages that Holdfast speaks, as an ISO 639-1 code.
// Any other value, the empty one too, reads as English.
type Lang string

// Languages of pages, receipts and messages.
const (
	NL Lang = "nl"
	DA Lang = "da"
	DE Lang = "de"
	EN Lang = "en"
)

// Langs lists every language, in the order that menus show them.
func Langs() []Lang { return []Lang{NL, DA, DE, EN} }

// ParseLang returns the language with exactly this code.
func ParseLang(code string) (Lang, bool) {
	l := Lang(code)
	return l, slices.Contains(Langs(), l)
}

// neighbours are languages whose readers are served best by one of ours, where
// the matcher of x/text knows none. Bokmål stands here too, so that a Norwegian
// gets Danish whatever that matcher's data says.
var neighbours = map[string]Lang{
	"nb": DA, "nn": DA, "no": DA, "fo": DA, "kl": DA,
	"af": NL, "fy": NL, "li": NL, "vls": NL, "zea": NL,
	"bar": DE, "frr": DE, "gsw": DE, "hsb": DE, "lb": DE, "nds": DE,
}

// maxAcceptLanguage bounds the header that Match looks at, in bytes.
const maxAcceptLanguage = 512

var matcher = language.NewMatcher([]language.Tag{
	language.English, language.Dutch, language.Danish, language.German,
})

// Match returns the language to answer in. It takes the header's languages one
// by one, best first, because a matcher that sees them all prefers an exact
// second choice to a first choice that is merely understood.
func Match(acceptLanguage string, fallback Lang) Lang {
	if len(acceptLanguage) > maxAcceptLanguage {
		return fallback
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return fallback
	}
	for _, tag := range tags {
		base, _ := tag.Base()
		if l, ok := neighbours[base.String()]; ok {
			return l
		}
		if _, i, sure := matcher.Match(tag); sure >= language.High {
			return [...]Lang{EN, NL, DA, DE}[i]
		}
	}
	return fallback
}
