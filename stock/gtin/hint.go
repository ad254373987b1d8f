package gtin

import "strings"

// dated are the AIs of dates, which often follow a lot or a serial number.
const dated = "11 12 13 15 16 17"

// Hint tells of something in element strings that is right by the rules and yet
// looks wrong: a value that may have swallowed the date behind it, because the
// label was printed, or the scanner set up, without the separator. It is ""
// when nothing looks wrong.
func Hint(all []Element) string {
	for _, e := range all {
		ai := ais().byID[e.AI]
		at := len(e.Value) - 8
		if ai == nil || ai.fixed() != 0 || ai.parts[0].set != charsets()['X'] || at < 1 {
			continue
		}
		id, date := e.Value[at:at+2], e.Value[at+2:]
		if allDigits(e.Value[at:]) && strings.Contains(dated, id) && checkDay(date, true) == "" {
			return "AI " + e.AI + " may have swallowed (" + id + ")" + date + ": no separator in front of it"
		}
	}
	return ""
}
