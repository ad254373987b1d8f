package cloud

import (
	"fmt"
	"strings"
	"testing"
)

func TestProductListIsCutBetweenRows(t *testing.T) {
	long := strings.Repeat("x", 8<<10)
	rows := func(n int, text string) (all string) {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%d,%s\r\n", i, text)
		}
		return b.String()
	}
	tests := []struct {
		name, file, heading string
		rows                int
	}{
		{"nothing", "", "", 0},
		{"names alone", "gtin,name", "gtin,name", 0},
		{"BOM and no last line end", "\uFEFFgtin,name\r\n1,a\r\n2,b", "\uFEFFgtin,name\r\n", 2},
		{"a stray quote in the names", "gtin,na\"me\n" + rows(5, "a"), "gtin,na\"me\n", 5},
		{"a stray quote in a row", "gtin,name\n" + rows(1500, `5" pipe`), "gtin,name\n", 1500},
		{"long rows", "gtin,name\n" + rows(2000, long), "gtin,name\n", 2000},
	}
	for _, test := range tests {
		p, got, bytes := partsOf(strings.NewReader(test.file)), 0, len(test.heading)
		for p.next() {
			if want := int64(got + 2); p.line != want {
				t.Errorf("%s: a part begins at line %d, want %d", test.name, p.line, want)
			}
			body, found := strings.CutPrefix(string(p.csv), test.heading)
			if !found || len(p.csv) > maxPart+maxRow {
				t.Errorf("%s: a part of %d bytes, with its heading %v", test.name, len(p.csv), found)
			}
			got += strings.Count(strings.TrimSuffix(body, "\n")+"\n", "\n")
			bytes += p.size
		}
		if p.err != nil || got != test.rows || test.rows > 0 && bytes != len(test.file) {
			t.Errorf("%s: %d rows, %d bytes, %v; want %d rows, %d bytes", test.name, got, bytes, p.err,
				test.rows, len(test.file))
		}
	}
}
