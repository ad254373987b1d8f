package gtin

import (
	"regexp"
	"strings"
	"testing"
)

// A file that GS1_VECTORS names has the columns id, kind, flags, aim, input,
// status, expect, error_class and any others behind them. Status and expect
// must be met; another error_class than ours is told with -v only, because one
// input may have several faults.

// kinds are our questions by the kinds of such a file.
var kinds = map[string]string{
	"CHECKDIGIT": "check", "GTIN": "gtin", "UPCE": "upce", "PRICECHECK": "inner",
	"MOD1021_32": "pair", "DATE": "date", "DECIMAL": "amount", "RCN": "measure", "SCAN": "scan",
	"SCAN_OTHER": "carry", "AIM": "identifier", "AI": "brackets", "RAW": "elements",
	"DL_PARSE": "link", "DL_GEN": "address", "PCT_DECODE": "unescape", "PCT_ENCODE": "escape",
}

// judge asks one row of such a file.
func judge(t *testing.T, row []string) {
	kind, flags, input, status, expect, class := row[1], row[2], row[4], row[5], row[6], row[7]
	question, ok := kinds[kind]
	if !ok {
		t.Fatalf("no kind %q", kind)
	}
	got := questions[question](howOf(question, flags), input)
	gotStatus := "OK"
	switch {
	case got.why != "":
		gotStatus = "ERR"
	case got.plain && question == "link":
		gotStatus = "PLAIN"
	}
	switch {
	case gotStatus != status:
		t.Errorf("%s %q: got %s %q, want %s %q", kind, input, gotStatus, got, status, expect+class)
	case status == "ERR" && got.why != class:
		t.Logf("%s %q: refused as %s, the file says %s", kind, input, got.why, class)
	case status == "OK" && !agrees(question, got.said, expect):
		t.Errorf("%s %q: got %q, want %q", kind, input, got.said, expect)
	}
}

// howOf turns the flags of such a file into what our tables say.
func howOf(question, flags string) string {
	options, stem, _ := strings.Cut(flags, "=")
	switch question {
	case "measure", "date":
		return stem
	case "address":
		return stem
	case "link":
		if strings.Contains(options, "Z") {
			return "short"
		}
	case "scan", "brackets", "elements":
		if strings.Contains(options, "R") {
			return "apart"
		}
	}
	return "-"
}

// agrees compares what was read. The amount of an in-store number may come
// without the article; what identifiers and other symbols are called is prose,
// so what it says is compared and not its words.
func agrees(question, got, want string) bool {
	switch {
	case got == want:
		return true
	case question == "measure":
		amount, _, _ := strings.Cut(got, "; stripped")
		return amount == want
	case question == "carry":
		digits := digitsAtEnd.FindString(got)
		plain := strings.HasPrefix(got, "PLAIN") && strings.HasPrefix(want, "PLAIN")
		return plain || digits != "" && digits == digitsAtEnd.FindString(want)
	case question == "identifier":
		return sense(got) == sense(want)
	}
	return false
}

var digitsAtEnd = regexp.MustCompile(`\d{8,14}$`)

// senses are what prose about a symbology can say, the first that is found.
var senses = []string{
	"2digit", "5digit", "gs1128", "code128", "datamatrix", "databar", "composite", "dotcode", "qr",
	"ean8", "addon", "ean13", "code39", "codabar", "code93", "code11", "itf", "pdf417", "msi",
	"aztec", "maxicode",
}

// details part symbologies of one family.
var details = []string{"gs1", "fnc1", "model1", "notsent", "strip", "check"}

// sense sorts prose about a symbology by what it says.
func sense(prose string) string {
	bare := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(prose))
	bare = strings.NewReplacer("nocheck", "", "strip", "notsent", "ecc200", "").Replace(bare)
	for _, s := range senses {
		if strings.Contains(bare, s) {
			for _, d := range details {
				if strings.Contains(bare, d) && s != "databar" {
					return s + " " + d
				}
			}
			return s
		}
	}
	return bare
}
