// Package gtin tells what a scan is: a product by its GTIN, a pickup code, a
// shelf, a delivery, or a refusal that a kiosk can say aloud.
package gtin

import "strings"

// GTIN is a Global Trade Item Number with a right check digit. GTINs of all
// lengths compare equal when they name the same item. The zero value is none.
type GTIN struct {
	digits [14]byte // ASCII, padded with '0' on the left; NUL in the zero value
}

// Parse reads 8, 12, 13 or 14 digits. Spaces and hyphens between them, as
// people write them, are skipped.
func Parse(s string) (GTIN, error) {
	if strings.ContainsAny(s, " -") {
		s = strings.NewReplacer(" ", "", "-", "").Replace(s)
	}
	return parseDigits(s)
}

func parseDigits(s string) (GTIN, error) {
	switch len(s) {
	case 8, 12, 13, 14:
	default:
		return GTIN{}, refuse(badLength, "a GTIN of %d characters", len(s))
	}
	if !allDigits(s) {
		return GTIN{}, refuse(badCharacter, "a GTIN of other than digits")
	}
	if checkDigit(s[:len(s)-1]) != s[len(s)-1] {
		return GTIN{}, wrongCheck(badCheck, s)
	}
	return pad(s), nil
}

// ExpandUPCE reads the short form of a UPC-A: six digits, or seven with the
// number system in front, or eight with the check digit at the end too.
func ExpandUPCE(s string) (GTIN, error) {
	if len(s) < 6 || len(s) > 8 {
		return GTIN{}, refuse(badLength, "UPC-E wants 6 to 8 digits, not %d", len(s))
	}
	if !allDigits(s) {
		return GTIN{}, refuse(badCharacter, "UPC-E of other than digits")
	}
	system, short := "0", s
	if len(s) > 6 {
		system, short = s[:1], s[1:7]
	}
	if system > "1" {
		return GTIN{}, refuse(badSystem, "UPC-E has no number system %s", system)
	}
	var upc string
	switch last := short[5]; last {
	case '0', '1', '2':
		upc = system + short[:2] + short[5:] + "0000" + short[2:5]
	case '3':
		upc = system + short[:3] + "00000" + short[3:5]
	case '4':
		upc = system + short[:4] + "00000" + short[4:5]
	default:
		upc = system + short[:5] + "0000" + short[5:]
	}
	check := checkDigit(upc)
	if len(s) == 8 && s[7] != check {
		return GTIN{}, wrongCheck(badCheck, s)
	}
	return pad(upc + string(check)), nil
}

// IsZero tells whether g is no number at all.
func (g GTIN) IsZero() bool { return g == GTIN{} }

// Digits gives the 14 digits that records and databases hold; "" for none.
func (g GTIN) Digits() string {
	if g.IsZero() {
		return ""
	}
	return string(g.digits[:])
}

// Short gives the digits as the smallest symbol carries them: 8, 12, 13 or 14.
func (g GTIN) Short() string {
	s := g.Digits()
	switch {
	case strings.HasPrefix(s, "000000"):
		return s[6:]
	case strings.HasPrefix(s, "00"):
		return s[2:]
	case strings.HasPrefix(s, "0"):
		return s[1:]
	}
	return s
}

// Kind gives the kind of number that Short gives: GTIN-8, GTIN-12, GTIN-13 or
// GTIN-14; "" for none.
func (g GTIN) Kind() string {
	return [...]string{0: "", 8: "GTIN-8", 12: "GTIN-12", 13: "GTIN-13", 14: "GTIN-14"}[len(g.Short())]
}

// Circulation tells where a number that nobody but a shop or its country gave
// is valid: "RCN-8 company", "RCN-12 company", "RCN-12 region" or "RCN-13
// region"; "" for a number that is valid everywhere.
func (g GTIN) Circulation() string {
	s := g.Short()
	switch {
	case len(s) == 8 && (s[0] == '0' || s[0] == '2'):
		return "RCN-8 company"
	case len(s) == 12 && s[0] == '4':
		return "RCN-12 company"
	case len(s) == 12 && s[0] == '2':
		return "RCN-12 region"
	case len(s) == 13 && s[0] == '2':
		return "RCN-13 region"
	}
	return ""
}

// String groups the short form as it stands under the bars: "7 038010 054471".
func (g GTIN) String() string {
	s := g.Short()
	switch len(s) {
	case 8:
		return s[:4] + " " + s[4:]
	case 12:
		return s[:1] + " " + s[1:6] + " " + s[6:11] + " " + s[11:]
	case 13:
		return s[:1] + " " + s[1:7] + " " + s[7:]
	case 14:
		return s[:1] + " " + s[1:3] + " " + s[3:8] + " " + s[8:13] + " " + s[13:]
	}
	return s
}

// MarshalText gives the 14 digits.
func (g GTIN) MarshalText() ([]byte, error) { return []byte(g.Digits()), nil }

// UnmarshalText is Parse; nothing gives the zero value.
func (g *GTIN) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*g = GTIN{}
		return nil
	}
	*g, err = Parse(string(text))
	return err
}

func pad(s string) GTIN {
	var g GTIN
	for i := range g.digits {
		g.digits[i] = '0'
	}
	copy(g.digits[len(g.digits)-len(s):], s)
	return g
}

// checkDigit weighs the digits 3, 1, 3, … from the right and completes the sum
// to a multiple of ten. GLN and SSCC have the same one.
func checkDigit(payload string) byte {
	sum, weight := 0, 3
	for i := len(payload) - 1; i >= 0; i-- {
		sum += int(payload[i]-'0') * weight
		weight = 4 - weight
	}
	return '0' + byte((10-sum%10)%10)
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
