package gtin

import "holdfast.dev/stock"

// why names what a refusal found wrong, more finely than its code: for a field
// engineer and for tests. It travels as the argument "why".
type why string

const (
	unknownAIM   why = "UNKNOWN_AIM"
	empty        why = "EMPTY"
	badLength    why = "LENGTH"
	badCharacter why = "CHARSET"
	badCheck     why = "CHECKDIGIT"
	badPair      why = "CHECKPAIR"
	badMeasure   why = "VARCHECK"
	badSystem    why = "NUMBERSYSTEM"
	badSyntax    why = "SYNTAX"
	unknownAI    why = "UNKNOWN_AI"
	tooMany      why = "TOO_MANY"

	// What belongs together, and what does not.
	exclusive why = "MUTEX"
	lacking   why = "REQUIRES"
	differs   why = "REPEAT"

	// Contents of values.
	badDate     why = "DATE"
	badTime     why = "TIME"
	onlyZeros   why = "ZERO"
	notZero     why = "NOT_ZERO"
	notYesNo    why = "BOOL"
	badPiece    why = "PIECE"
	badPercent  why = "PERCENT"
	badCountry  why = "ISO3166"
	badCurrency why = "ISO4217"
	badIBAN     why = "IBAN"
	badContent  why = "CONTENT"

	// Digital Links.
	linkNoKey     why = "DL_NO_KEY"
	linkCharacter why = "DL_CHAR"
	linkQualifier why = "DL_QUALIFIER"
	linkTwice     why = "DL_DUP"
	linkParameter why = "DL_ATTR"
)

// refuse makes a refusal with the code that fits the reason. Text of a symbol
// goes into its detail by %q only, so that it is printable.
func refuse(w why, format string, args ...any) *stock.Refusal {
	code, kind := stock.Unreadable, ""
	switch w {
	case badCheck, badPair, badMeasure:
		code = stock.BadCheckDigit
	case unknownAI:
		code, kind = stock.UnsupportedCode, "element"
	case linkNoKey:
		code, kind = stock.UnsupportedCode, "link"
	}
	r := stock.Refuse(code, format, args...).With("why", string(w))
	if kind != "" {
		r.With("kind", kind)
	}
	return r
}

// wrongCheck refuses a number for a check that does not come out.
func wrongCheck(w why, number string) error {
	return refuse(w, "check digit of %s", number).With("code", number)
}

func unsupported(kind, detail string) error {
	return stock.Refuse(stock.UnsupportedCode, "%s", detail).With("kind", kind)
}

// maxClip is how much of a text a refusal repeats, in bytes.
const maxClip = 16

// clip keeps the details of refusals short.
func clip(text string) string { return text[:min(len(text), maxClip)] }
