package gtin

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"holdfast.dev/stock"
)

// rows reads a table of testdata: tab-separated columns, # comments.
func rows(t *testing.T, name string, columns int) [][]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	marks := strings.NewReplacer("<GS>", "\x1d", "<EMPTY>", "")
	var all [][]string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != columns {
			t.Fatalf("%s: %q has %d columns, want %d", name, line, len(fields), columns)
		}
		for i := range fields {
			fields[i] = marks.Replace(fields[i])
		}
		all = append(all, fields)
	}
	return all
}

// refused gives the table's form of an error.
func refused(err error) string {
	if r, ok := stock.AsRefusal(err); ok {
		return "refused " + r.Code.String()
	}
	return fmt.Sprintf("fault %v", err)
}

func TestScansSayWhatGS1Says(t *testing.T) {
	for _, row := range rows(t, "scans.txt", 3) {
		aim := strings.Trim(row[0], "-")
		s, err := Decode([]byte(row[1]), aim)
		got := refused(err)
		if err == nil {
			var said []string
			if len(s.AIs) == 0 {
				said = append(said, "gtin "+s.GTIN.Digits())
			}
			for _, e := range s.AIs {
				said = append(said, e.AI+"="+e.Value)
			}
			got = strings.Join(said, " ")
			if s.Text != row[1] {
				t.Errorf("%s %q: text %q", aim, row[1], s.Text)
			}
		}
		if got != row[2] {
			t.Errorf("%s %q: got %q, want %q", aim, row[1], got, row[2])
		}
		again, err2 := Decode([]byte(aim+row[1]), "")
		if aim != "" && (again.Text != s.Text || refused(err2) != refused(err)) {
			t.Errorf("%s in front of %q reads otherwise than beside it: %v", aim, row[1], err2)
		}
	}
}

func TestNumbersHaveTheCheckDigitsOfGS1(t *testing.T) {
	or := func(said string, err error) string {
		if err != nil {
			return refused(err)
		}
		return said
	}
	for _, row := range rows(t, "numbers.txt", 3) {
		what, in, want := row[0], row[1], row[2]
		var got string
		switch what {
		case "gtin":
			g, err := Parse(in)
			got = or(g.Digits(), err)
		case "upce":
			g, err := ExpandUPCE(in)
			got = or(g.Digits(), err)
		case "check":
			got = string(checkDigit(in))
		case "inner":
			if c, ok := priceCheck(in); ok {
				got = string(c)
			} else {
				got = "none"
			}
		case "date":
			date, err := ParseDate(in, 2026)
			got = or(date.Format("2006-01-02"), err)
		}
		if got != want {
			t.Errorf("%s %s: got %q, want %q", what, in, got, want)
		}
	}
}

func TestInStoreNumbersCarryTheMeasureOfTheirCountry(t *testing.T) {
	for _, row := range rows(t, "measures.txt", 4) {
		country, number, want, article := row[0], row[1], row[2], row[3]
		rules, _ := Country(country)
		s, err := Decoder{Rules: rules}.Decode([]byte(number), "")
		var got string
		switch {
		case err != nil:
			got = refused(err)
		case s.Weight != 0:
			got = fmt.Sprintf("weight %d", s.Weight)
		case s.Price != 0:
			got = fmt.Sprintf("price %d %s", s.Price, s.Currency)
		case s.Count != 0:
			got = fmt.Sprintf("count %d", s.Count)
		default:
			got = "none"
		}
		if got != want {
			t.Errorf("%s %s: got %q, want %q", country, number, got, want)
		}
		if article != "-" && s.GTIN.Short() != article {
			t.Errorf("%s %s: article %s, want %s", country, number, s.GTIN.Short(), article)
		}
	}
}
