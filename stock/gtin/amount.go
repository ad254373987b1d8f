package gtin

import (
	"strconv"
	"strings"
	"time"
)

// Amount writes the value of an AI whose last digit tells where the point is:
// "1.250" of a weight, "EUR 5.99" of a price with currency, "5.5 %" of a
// discount. It refuses an AI of another kind.
func (e Element) Amount() (string, error) {
	ai, err := ais().known(e.AI)
	if err != nil {
		return "", err
	}
	if err := ai.validate(e.Value); err != nil {
		return "", err
	}
	decimals := int(e.AI[len(e.AI)-1] - '0')
	switch e.AI[:len(e.AI)-1] {
	case "390", "392", "395":
		return point(e.Value, decimals), nil
	case "391", "393":
		return codes().currencies[e.Value[:3]] + " " + point(e.Value[3:], decimals), nil
	case "394":
		return point(e.Value, decimals) + " %", nil
	}
	if len(e.AI) == 4 && "31" <= e.AI[:2] && e.AI[:2] <= "36" {
		return point(e.Value, decimals), nil
	}
	return "", refuse(badContent, "AI %s is no amount", e.AI)
}

// point writes digits with so many of them behind the point, and without zeros
// that say nothing in front.
func point(digits string, decimals int) string {
	if n := decimals + 1 - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	whole, rest := digits[:len(digits)-decimals], digits[len(digits)-decimals:]
	whole = strings.TrimLeft(whole[:len(whole)-1], "0") + whole[len(whole)-1:]
	if decimals == 0 {
		return whole
	}
	return whole + "." + rest
}

// ParseDate reads the date of an AI: year, month, day in two digits each. Year
// is the current one: the date is the nearest within fifty years. Day 00 means
// the last day of the month.
func ParseDate(yymmdd string, year int) (time.Time, error) {
	switch {
	case len(yymmdd) != 6:
		return time.Time{}, refuse(badLength, "a date of %d characters", len(yymmdd))
	case !allDigits(yymmdd):
		return time.Time{}, refuse(badCharacter, "a date of other than digits")
	}
	yy, month, day := two(yymmdd), two(yymmdd[2:]), two(yymmdd[4:])
	century := year - year%100
	switch ahead := yy - year%100; {
	case ahead >= 51:
		century -= 100
	case ahead <= -50:
		century += 100
	}
	last := lastDay(century+yy, month)
	if day > last || last == 0 {
		return time.Time{}, refuse(badDate, "date %s", yymmdd)
	}
	if day == 0 {
		day = last
	}
	return time.Date(century+yy, time.Month(month), day, 0, 0, 0, 0, time.UTC), nil
}

// lastDay returns the last day of a month; 0 if there is no such month.
func lastDay(year, month int) int {
	if month < 1 || month > 12 {
		return 0
	}
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func two(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

// integer reads digits that a layout checked; they are at most 15.
func integer(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}
