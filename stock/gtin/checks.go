package gtin

import (
	_ "embed"
	"strings"
	"sync"
)

// charset tells which bytes belong to a set of characters.
type charset [256]bool

// Characters of AI values.
const (
	set10   = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	set32   = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	set39   = "#-/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	set64   = letters + set10 + "-_="
	set82   = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_" +
		"abcdefghijklmnopqrstuvwxyz"
)

var charsets = sync.OnceValue(func() map[byte]*charset {
	return map[byte]*charset{
		'N': setOf(set10), 'X': setOf(set82), 'Y': setOf(set39), 'Z': setOf(set64),
	}
})

func setOf(characters string) *charset {
	var s charset
	for i := 0; i < len(characters); i++ {
		s[characters[i]] = true
	}
	return &s
}

// other gives the place of the first byte that is not in the set; -1 if all are.
func (s *charset) other(text string) int {
	for i := 0; i < len(text); i++ {
		if !s[text[i]] {
			return i
		}
	}
	return -1
}

// check says what is wrong with the content of a component, or "".
type check func(part string) why

// checks are the content checks by the names that the table gives them. The
// set of characters and the length were checked before.
var checks = map[string]check{
	"check":      checkNumber,
	"pair":       checkGMN,
	"company":    func(part string) why { return checkCompany(part) },
	"company2":   func(part string) why { return checkCompany(part[1:]) },
	"month":      func(part string) why { return checkDay(part, true) },
	"day":        func(part string) why { return checkDay(part, false) },
	"birthday":   checkBirthday,
	"time":       func(part string) why { return checkClock(part[:2], part[2:]) },
	"hour":       func(part string) why { return checkClock(part, "00") },
	"minute":     func(part string) why { return checkClock("00", part) },
	"second":     func(part string) why { return checkClock("00", part) },
	"currency":   func(part string) why { return listed(badCurrency, codes().currencies[part] != "") },
	"country":    func(part string) why { return listed(badCountry, codes().countries[part] != "") },
	"country2":   func(part string) why { return listed(badCountry, codes().letters[part]) },
	"country999": checkCountry999,
	"percent":    checkPercent,
	"latitude":   func(part string) why { return listed(badContent, part <= "1800000000") },
	"longitude":  func(part string) why { return listed(badContent, part <= "3600000000") },
	"yesno":      func(part string) why { return listed(notYesNo, part == "0" || part == "1") },
	"minus":      func(part string) why { return listed(badContent, strings.Trim(part, "-") == "") },
	"importer":   checkImporter,
	"package":    func(part string) why { return listed(badContent, codes().packages[part]) },
	"media":      checkMedia,
	"sex":        func(part string) why { return listed(badContent, strings.Contains("0129", part)) },
	"position":   checkPosition,
	"some":       func(part string) why { return listed(onlyZeros, strings.Trim(part, "0") != "") },
	"zeros":      func(part string) why { return listed(notZero, strings.Trim(part, "0") == "") },
	"winding":    func(part string) why { return listed(badContent, strings.Contains("019", part)) },
	"piece":      checkPiece,
	"iban":       checkIBAN,
	"plain":      func(part string) why { return listed(badContent, part[0] != '0') },
	"letter":     func(part string) why { return listed(badContent, !allDigits(part)) },
	"coupon":     func(part string) why { return listed(badContent, isCoupon(part)) },
	"padding":    checkPadding,
	"offer":      func(part string) why { return listed(badContent, isOffer(part)) },
}

// listed gives the reason unless the content is right.
func listed(wrong why, right bool) why {
	if right {
		return ""
	}
	return wrong
}

func checkNumber(part string) why {
	return listed(badCheck, checkDigit(part[:len(part)-1]) == part[len(part)-1])
}

// minCompany is the length of the shortest GS1 company prefix.
const minCompany = 4

// checkCompany wants the content to begin with what may be a company prefix.
func checkCompany(part string) why {
	return listed(badContent, len(part) >= minCompany && allDigits(part[:minCompany]))
}

// checkDay wants a date of six digits; day 00, the last day of the month, only
// where that is allowed.
func checkDay(part string, monthOnly bool) why {
	_, err := ParseDate(part, 2000)
	return listed(badDate, err == nil && (monthOnly || part[4:] != "00"))
}

// checkBirthday wants a date of eight digits.
func checkBirthday(part string) why {
	year := 100*two(part) + two(part[2:])
	last := lastDay(year, two(part[4:]))
	return listed(badDate, last > 0 && 1 <= two(part[6:]) && two(part[6:]) <= last)
}

func checkClock(hour, minute string) why {
	return listed(badTime, hour <= "23" && minute <= "59")
}

func checkCountry999(part string) why {
	return listed(badCountry, part == "999" || codes().countries[part] != "")
}

// checkPercent wants two digits of base sixteen behind every percent sign.
func checkPercent(part string) why {
	for i := 0; i < len(part); i++ {
		if part[i] == '%' {
			if i+2 >= len(part) || hex(part[i+1]) < 0 || hex(part[i+2]) < 0 {
				return badPercent
			}
			i += 2
		}
	}
	return ""
}

// checkImporter wants the one character that EU 2018/574 gives an importer.
func checkImporter(part string) why {
	c := part[0]
	return listed(badContent, c == '-' || c == '_' || strings.IndexByte(letters+set10, c) >= 0)
}

// checkMedia wants a type of AIDC media that is given out: 01-10, or 80-99 for
// national and local use.
func checkMedia(part string) why {
	return listed(badContent, "01" <= part && part <= "10" || part >= "80")
}

// checkPosition wants "2/3", without leading zeros.
func checkPosition(part string) why {
	at, of, ok := strings.Cut(part, "/")
	if !ok || !allDigits(at) || !allDigits(of) || at[0] == '0' || of[0] == '0' {
		return badContent
	}
	return listed(badContent, len(at) < len(of) || len(at) == len(of) && at <= of)
}

// checkPiece wants two digits of a piece and two of how many there are.
func checkPiece(part string) why {
	piece, total := part[:2], part[2:]
	return listed(badPiece, piece != "00" && piece <= total)
}

// checkPadding wants the padding of base64 at the end, where it may be left out.
func checkPadding(part string) why {
	bare := strings.TrimRight(part, "=")
	return listed(badContent, len(part)-len(bare) <= 2 && !strings.Contains(bare, "="))
}

// minIBAN is the least length of an IBAN that is looked at.
const minIBAN = 11

func checkIBAN(part string) why {
	if len(part) < minIBAN || !codes().letters[part[:2]] {
		return badIBAN
	}
	rest := 0
	for i := range len(part) {
		switch c := part[(i+4)%len(part)]; {
		case '0' <= c && c <= '9':
			rest = (10*rest + int(c-'0')) % 97
		case 'A' <= c && c <= 'Z':
			rest = (100*rest + int(c-'A') + 10) % 97
		default:
			return badIBAN
		}
	}
	return listed(badIBAN, rest == 1)
}

func checkGMN(part string) why {
	if len(part) < 2 {
		return badPair
	}
	want, err := checkPair(part[:len(part)-2])
	return listed(badPair, err == nil && want == part[len(part)-2:])
}

// maxPaired is the longest text that checkPair weighs.
const maxPaired = 97

// checkPair returns the check characters of a global model number, MOD 1021,32:
// its characters, numbered as set 82 has them, weighed from the right with the
// primes 2, 3, 5, …
func checkPair(payload string) (string, error) {
	if len(payload) > maxPaired {
		return "", refuse(badLength, "check characters of %d characters", len(payload))
	}
	sum, prime := 0, 1
	for i := len(payload) - 1; i >= 0; i-- {
		value := strings.IndexByte(set82, payload[i])
		if value < 0 {
			return "", refuse(badCharacter, "check characters of %q", clip(payload))
		}
		prime = nextPrime(prime)
		sum += value * prime
	}
	sum %= 1021
	return string([]byte{set32[sum>>5], set32[sum&31]}), nil
}

func nextPrime(n int) int {
	for candidate := n + 1; ; candidate++ {
		divisor := 2
		for divisor*divisor <= candidate && candidate%divisor != 0 {
			divisor++
		}
		if divisor*divisor > candidate {
			return candidate
		}
	}
}

//go:embed codes.txt
var codesText string

// codeLists are the lists of codes.txt.
type codeLists struct {
	currencies map[string]string // letters by number
	countries  map[string]string // letters by number
	letters    map[string]bool   // of countries
	packages   map[string]bool
}

var codes = sync.OnceValue(func() codeLists {
	all := codeLists{map[string]string{}, map[string]string{}, map[string]bool{}, map[string]bool{}}
	section := ""
	for line := range strings.Lines(codesText) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		for _, word := range strings.Fields(line) {
			number, name, _ := strings.Cut(word, ":")
			switch section {
			case "[currencies]":
				all.currencies[number] = name
			case "[countries]":
				all.countries[number] = name
				all.letters[name] = true
			case "[packages]":
				all.packages[word] = true
			}
		}
	}
	return all
})
