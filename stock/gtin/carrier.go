package gtin

import "strings"

// Symbology is what an AIM identifier, ISO/IEC 15424, says of a symbol: three
// characters that a scanner sends in front of its content.
type Symbology struct {
	AIM  string
	Name string // for people: "GS1 DataMatrix"
	GS1  bool   // holds GS1 element strings
	// AddOn tells that it is, or has, a small symbol of 2 or 5 digits.
	AddOn bool
}

// families names what the second character of an AIM identifier stands for.
var families = map[byte]string{
	'A': "Code 39", 'B': "Telepen", 'C': "Code 128", 'D': "Code One", 'E': "EAN/UPC", 'F': "Codabar",
	'G': "Code 93", 'H': "Code 11", 'I': "ITF", 'J': "DotCode", 'K': "Code 16K", 'L': "PDF417",
	'M': "MSI", 'N': "Anker", 'O': "Codablock", 'P': "Plessey", 'Q': "QR",
	'R': "Straight 2 of 5", 'S': "Straight 2 of 5", 'T': "Code 49", 'U': "MaxiCode",
	'X': "other symbol", 'Y': "system expansion", 'Z': "no symbol", 'c': "Channel Code",
	'd': "Data Matrix", 'e': "GS1 DataBar", 'h': "Han Xin", 'o': "OCR", 'p': "PosiCode",
	's': "SuperCode", 'z': "Aztec",
}

// variants names the identifiers whose third character matters here.
var variants = map[string]string{
	"A4": "Code 39, full ASCII", "A5": "Code 39, full ASCII", "A7": "Code 39, full ASCII",
	"C0": "Code 128 plain", "C1": "GS1-128", "C2": "Code 128, FNC1 second position",
	"E0": "EAN-13, UPC-A or UPC-E", "E1": "2-digit add-on", "E2": "5-digit add-on",
	"E3": "EAN-13, UPC-A or UPC-E with add-on", "E4": "EAN-8",
	"I0": "ITF, no check", "I1": "ITF-14, check digit verified and sent",
	"I3": "ITF, check digit verified and not sent",
	"J0": "DotCode plain", "J1": "GS1 DotCode",
	"Q0": "QR model 1", "Q1": "QR plain", "Q3": "GS1 QR",
	"d1": "Data Matrix ECC200 plain", "d2": "GS1 DataMatrix",
	"e0": "GS1 DataBar", "e1": "GS1 Composite", "e2": "GS1 Composite",
}

// modifiers are what the third character of an AIM identifier may be.
const modifiers = "0123456789ABCDEF"

// SymbologyOf tells what an AIM identifier says, if it is one.
func SymbologyOf(aim string) (Symbology, bool) {
	if len(aim) != 3 || aim[0] != ']' || strings.IndexByte(modifiers, aim[2]) < 0 {
		return Symbology{}, false
	}
	s := Symbology{AIM: aim, Name: families[aim[1]]}
	if name, ok := variants[aim[1:]]; ok {
		s.Name = name
	}
	holds := holdsOf(aim)
	s.GS1 = holds == holdsElements
	s.AddOn = holds == holdsAddOn || aim == "]E3"
	return s, s.Name != ""
}

// holds says what the content of a symbol is, before looking at it.
type holds uint8

const (
	holdsAnything holds = iota
	holdsNumber
	holdsElements
	holdsAddOn
)

// holdsOf sorts AIM identifiers by what their symbols hold.
func holdsOf(aim string) holds {
	switch aim {
	case "]E0", "]E3", "]E4", "]I1", "]I3":
		return holdsNumber
	case "]C1", "]d2", "]Q3", "]J1", "]e0":
		return holdsElements
	case "]E1", "]E2":
		return holdsAddOn
	}
	return holdsAnything
}

// cutNumber finds the digits of a symbol that holds a number: in front of an
// add-on of 2 or 5 digits or of a composite component, and with the check digit
// where the scanner keeps that to itself.
func cutNumber(text, aim string) (digits, composite string, err error) {
	if text == "" {
		return "", "", refuse(empty, "%s without digits", aim)
	}
	digits, composite, joined := strings.Cut(text, "|]e0")
	if joined && composite == "" {
		return "", "", refuse(empty, "a composite component without data")
	}
	want := 13
	switch aim {
	case "]E3":
		if len(digits) == 15 || len(digits) == 18 {
			if !allDigits(digits) {
				return "", "", refuse(badCharacter, "%s of other than digits", aim)
			}
			digits = digits[:13]
		}
	case "]E4":
		want = 8
	case "]I1":
		want = 14
	case "]I3":
		if len(digits) == 13 && allDigits(digits) {
			digits += string(checkDigit(digits))
		}
		want = 14
	}
	if len(digits) != want {
		return "", "", refuse(badLength, "%s with %d digits", aim, len(digits))
	}
	return digits, composite, nil
}
