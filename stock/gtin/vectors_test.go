package gtin

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"holdfast.dev/stock"
)

// answer is what the package says of one row: what it read, that it is plain
// text, or why it refused.
type answer struct {
	said  string
	plain bool
	why   string
}

func (a answer) String() string {
	switch {
	case a.why != "":
		return "refused " + a.why
	case a.plain && a.said == "":
		return "plain"
	}
	return a.said
}

// said gives the answer for a text or an error.
func said(text string, err error) answer {
	if err == nil {
		return answer{said: text}
	}
	if r, ok := stock.AsRefusal(err); ok {
		if r.Args["why"] != "" {
			return answer{why: r.Args["why"]}
		}
		return answer{why: r.Code.String()}
	}
	return answer{why: fmt.Sprintf("fault %v", err)}
}

// questions are the rows that a table may ask, by their first word.
var questions = map[string]func(how, given string) answer{
	"check":      askCheck,
	"gtin":       askGTIN,
	"upce":       askUPCE,
	"inner":      askInner,
	"pair":       func(_, given string) answer { return said(checkPair(given)) },
	"date":       askDate,
	"amount":     askAmount,
	"measure":    askMeasure,
	"scan":       askScan,
	"carry":      func(_, given string) answer { return askScan("apart", given) },
	"identifier": askIdentifier,
	"brackets":   askBrackets,
	"elements":   askElements,
	"link":       askLink,
	"address":    askAddress,
	"unescape":   askUnescape,
	"escape":     askEscape,
}

func askCheck(_, given string) answer {
	if !allDigits(given) {
		return answer{why: string(badCharacter)}
	}
	return answer{said: string(checkDigit(given))}
}

func askGTIN(_, given string) answer {
	g, err := Parse(given)
	return said(g.Digits()+" "+g.Kind(), err)
}

func askUPCE(_, given string) answer {
	g, err := ExpandUPCE(given)
	return said(strings.TrimPrefix(g.Digits(), "00"), err)
}

func askInner(_, given string) answer {
	c, err := priceCheck(given)
	return said(string(c), err)
}

func askDate(how, given string) answer {
	year, err := strconv.Atoi(how)
	if err != nil {
		return answer{why: "no year"}
	}
	date, err := ParseDate(given, year)
	return said(date.Format("2006-01-02"), err)
}

func askAmount(_, given string) answer {
	ai, err := ais().find(given)
	if err != nil {
		return said("", err)
	}
	return said(Element{ai.id, given[len(ai.id):]}.Amount())
}

// askMeasure reads a number of a shop. A mask of its own says nothing about the
// unit; those that scales come with have 21 for weights and 23 for prices.
func askMeasure(how, given string) answer {
	g, err := Parse(given)
	if err != nil {
		return said("", err)
	}
	rules, known := Country(how)
	unit := ""
	if strings.Contains(how, "{") {
		measure := "price"
		if strings.HasPrefix(how, "21") {
			measure = "weight"
		}
		r, err := ParseRule(how, measure, "")
		if err != nil {
			return said("", err)
		}
		rules, known, unit = []Rule{r}, true, " kg"
	}
	if where := g.Circulation(); !known || where != "RCN-13 region" && where != "" {
		return answer{said: or(where, "none")}
	}
	m, ok, err := Decoder{Rules: rules}.measured(g)
	if err != nil || !ok {
		return said("none", err)
	}
	amount := m.Rule.measure.String() + " " + strings.TrimSuffix(m.Amount(), unit)
	return answer{said: amount + "; stripped " + m.Article.Short()}
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// shortNames are the symbologies as the tables call them.
var shortNames = map[string]string{
	"]E0": "EAN13", "]E3": "EAN13", "]E4": "EAN8", "]I1": "ITF14", "]I3": "ITF14",
	"]Q1": "QR", "]d1": "DM", "]J0": "DotCode",
}

// askScan reads a frame as GS1 defines it. What a shop makes of plain text, or
// of a coupon, is another question.
func askScan(how, given string) answer {
	if len(given) < 3 || given[0] != ']' {
		return answer{why: "NO_AIM"}
	}
	aim, text := given[:3], given[3:]
	s, err := Decode([]byte(given), "")
	_, known := SymbologyOf(aim)
	_, uri := cutScheme(text)
	r, refused := stock.AsRefusal(err)
	switch {
	case known && holdsOf(aim) == holdsAnything && !uri:
		name := strings.TrimSpace("PLAIN " + shortNames[aim])
		return answer{said: strings.TrimSpace(name + " " + text), plain: true}
	case refused && (r.Args["kind"] == "coupon" || r.Args["kind"] == "refund"):
		return answer{said: shortNames[aim] + " " + text}
	case err != nil:
		return said("", err)
	case how != "apart":
		if err := Lacking(s.AIs); err != nil {
			return said("", err)
		}
	}
	if holdsOf(aim) != holdsNumber {
		return answer{said: Bracketed(s.AIs)}
	}
	digits, composite, _ := cutNumber(text, aim)
	if composite != "" {
		digits += " + " + Bracketed(s.AIs)
	}
	return answer{said: shortNames[aim] + " " + digits}
}

func askIdentifier(_, given string) answer {
	s, ok := SymbologyOf(given)
	if !ok {
		return answer{why: string(unknownAIM)}
	}
	return answer{said: s.Name}
}

// fnc1 is how the tables write GS.
var fnc1 = strings.NewReplacer("^", string(rune(gs)), string(rune(gs)), "^")

func askBrackets(how, given string) answer {
	all, err := ParseBracketed(given)
	if err == nil && how != "apart" {
		err = Lacking(all)
	}
	return said("^"+fnc1.Replace(ElementString(all)), err)
}

func askElements(how, given string) answer {
	text, ok := strings.CutPrefix(given, "^")
	if !ok {
		return answer{why: string(badSyntax)}
	}
	all, err := parseElements(fnc1.Replace(text))
	if err == nil && how != "apart" {
		err = Lacking(all)
	}
	return said(Bracketed(all), err)
}

func askLink(how, given string) answer {
	if _, ok := cutScheme(given); !ok {
		return answer{plain: true}
	}
	all, err := LinkReader{ShortGTIN: how == "short"}.ParseLink(given)
	return said(Bracketed(all), err)
}

func askAddress(how, given string) answer {
	all, err := ParseBracketed(given)
	if err != nil {
		return said("", err)
	}
	return said(Link(strings.TrimPrefix(how, "-"), all))
}

func askUnescape(_, given string) answer {
	path, ok := unescape(given, false)
	query, _ := unescape(given, true)
	if !ok {
		return answer{why: string(linkCharacter)}
	}
	return answer{said: fmt.Sprintf("path='%s' query='%s'", path, query)}
}

func askEscape(_, given string) answer {
	return answer{said: fmt.Sprintf("path='%s' query='%s'", escape(given, false), escape(given, true))}
}

// marks are what the tables write for bytes that would not be seen.
var marks = strings.NewReplacer("<GS>", "\x1d", "<SP>", " ", "<EMPTY>", "")

// rows reads a table: columns parted by tabs, lines that begin with # left out.
func rows(t *testing.T, path string, columns int) [][]string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) < columns {
			t.Fatalf("%s: %q has %d columns, want %d", path, line, len(fields), columns)
		}
		for i := range fields {
			fields[i] = marks.Replace(fields[i])
		}
		all = append(all, fields)
	}
	return all
}

// TestVectors asks every row of the tables of testdata, and of the file that
// GS1_VECTORS names.
func TestVectors(t *testing.T) {
	for _, name := range []string{
		"numbers", "values", "measures", "scans", "elements", "links", "contents",
	} {
		t.Run(name, func(t *testing.T) {
			for _, row := range rows(t, "testdata/"+name+".txt", 4) {
				ask, ok := questions[row[0]]
				if !ok {
					t.Fatalf("no question %q", row[0])
				}
				got := ask(row[1], row[2]).String()
				if row[0] == "measure" && !strings.Contains(row[3], "stripped") {
					got, _, _ = strings.Cut(got, "; stripped")
				}
				if got != row[3] {
					t.Errorf("%s %s %q: got %q, want %q", row[0], row[1], row[2], got, row[3])
				}
			}
		})
	}
	if path := os.Getenv("GS1_VECTORS"); path != "" {
		for _, row := range rows(t, path, 8) {
			if row[0] != "id" {
				t.Run(row[0], func(t *testing.T) { judge(t, row) })
			}
		}
	}
}
