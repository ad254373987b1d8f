package escpos_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware/escpos"
)

var update = flag.Bool("update", false, "write the golden files anew")

func saleReceipt(width int) escpos.Document {
	return escpos.Document{Width: width, Blocks: []escpos.Block{
		escpos.Line{Text: "Holdfast Utrecht", Align: escpos.Centre, Bold: true, Wide: 2, Tall: 2},
		escpos.Line{Text: "Oudegracht 112 · 3511 AX Utrecht", Align: escpos.Centre},
		escpos.Line{Text: "Btw NL001234567B01", Align: escpos.Centre},
		escpos.Feed{Lines: 1},
		escpos.Pair("Bon R-2-000042", "14-08-2031 14:02"),
		escpos.Rule{},
		escpos.Triple("2", "Rye crispbread 250 g", "5,98"),
		escpos.Triple("1", "Crème brûlée à l’ancienne, œufs de plein air, 4 × 100 g", "3,49"),
		escpos.Triple("12", "Smørrebrød-pålæg, økologisk æble", "1.234,56"),
		escpos.Rule{},
		escpos.Row{Bold: true, Cells: []escpos.Cell{
			{Text: "Totaal"}, {Text: "€ 1.244,03", Width: escpos.Fit, Align: escpos.Right},
		}},
		escpos.Pair("waarvan btw 9%", "€ 102,72"),
		escpos.Pair("Pin", "€ 1.244,03"),
		escpos.Feed{Lines: 1},
		escpos.Line{Text: "Bedankt, Noëlle. Bewaar deze bon om te ruilen.", Align: escpos.Centre},
		escpos.QR{Content: "R-2-000042"},
		escpos.Cut{},
	}}
}

func pickSlip() escpos.Document {
	return escpos.Document{Width: 42, Blocks: []escpos.Block{
		escpos.Line{Text: "*** COPY ***", Align: escpos.Centre, Bold: true},
		escpos.Line{Text: "7K3M-Q9XZ", Align: escpos.Centre, Wide: 4, Tall: 3},
		escpos.Line{Text: "Sofie · pick up before Thursday 18:00", Align: escpos.Right},
		escpos.Row{Cells: []escpos.Cell{
			{Text: "[ ]", Width: 3}, {Text: "Батон “Нарезной”"}, {Text: "A12", Width: escpos.Fit},
		}},
		escpos.Barcode{Kind: escpos.EAN13, Content: "4006381333931"},
		escpos.Barcode{Kind: escpos.Code128, Content: "P-{42}"},
		escpos.QR{Content: "https://example.com/p/7K3MQ9XZ", Module: 4},
		escpos.Feed{Lines: 2},
		escpos.Cut{},
	}}
}

func TestGoldenReceipts(t *testing.T) {
	for name, d := range map[string]escpos.Document{
		"sale32": saleReceipt(32), "sale42": saleReceipt(42), "sale48": saleReceipt(48), "slip42": pickSlip(),
	} {
		t.Run(name, func(t *testing.T) {
			job, err := escpos.Encode(d)
			if err != nil {
				t.Fatal(err)
			}
			var quoted strings.Builder
			for _, line := range bytes.SplitAfter(job, []byte("\n")) {
				fmt.Fprintf(&quoted, "%+q\n", line)
			}
			golden(t, name+".bytes", quoted.String())
			golden(t, name+".txt", escpos.Text(d))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestCharactersThatAreNotInTheCodePageAreSpelledOut(t *testing.T) {
	for in, want := range map[string]string{
		"€ 5,00 æøå ÆØÅ ë ï œ ß ¿ ñ ž “q” – …": "€ 5,00 æøå ÆØÅ ë ï œ ß ¿ ñ ž “q” – …",
		"e\u0308 and a\u030a":               "ë and å",
		"Łódź, çiğ köfte, ěščřžýáíé, ăţ":    "Lódz, çig köfte, ešcržýáíé, at",
		"αβγ Ελλάδα":                        "avg Ellada",
		"Батон Щедрый":                      "Baton Shchedryi",
		"檸檬 beer":                           "?? beer",
		"⅓ cup, ﬁve ℃, №5, 2 ⅔":             "1/3 cup, five °C, No5, 2 2/3",
		"a\tb\nc\rd":                        "a b c d",
		"\x1b@\x1dV0\x00\x7f\u0085\u0090":   "?@?V0?? ?",
		"\u202eevil\u2069 \u200bzero\ufeff": "evil zero",
		"bad \xff\xfe bytes":                "bad ? bytes",
		"\u00a0thin\u2009space\u3000.":      " thin space .",
		"→ 5 ≤ 6 ✓":                         "-> 5 <= 6 v",
		"🍞 bread":                           "? bread",
	} {
		d := escpos.Document{Width: 48, Blocks: []escpos.Block{escpos.Line{Text: "|" + in}}}
		if got := strings.TrimSuffix(escpos.Text(d), "\n"); got != "|"+want {
			t.Errorf("%q prints as %q, want %q", in, got, "|"+want)
		}
	}
}

func TestRowsNeverOverflow(t *testing.T) {
	long := strings.Repeat("long ", 30) + strings.Repeat("x", 90)
	for _, width := range []int{32, 42, 48} {
		for name, row := range map[string]escpos.Row{
			"pair":           escpos.Pair(long, "1,00"),
			"long right":     escpos.Pair("left", long),
			"both long":      escpos.Pair(long, long),
			"triple":         escpos.Triple("1234567", long, "99.999,00"),
			"all fit":        {Cells: []escpos.Cell{{Text: long, Width: escpos.Fit}, {Text: long, Width: escpos.Fit}}},
			"fixed too wide": {Cells: []escpos.Cell{{Text: long, Width: 1 << 40}, {Text: long, Width: 40}, {Text: long}}},
			"eight":          {Cells: []escpos.Cell{{}, {}, {Text: long}, {}, {Text: long}, {}, {}, {Text: long}}},
			"empty":          {Cells: []escpos.Cell{{}}},
		} {
			job, err := escpos.Encode(escpos.Document{Width: width, Blocks: []escpos.Block{row}})
			if err != nil {
				t.Errorf("%d %s: %v", width, name, err)
			}
			const header = "\x1b@\x1c.\x1bt\x10\x1bR\x00\x1ba\x01"
			for _, line := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(string(job), header), "\n"), "\n") {
				if len(line) != width {
					t.Errorf("%d %s: line %q has %d columns", width, name, line, len(line))
				}
			}
		}
	}
}

func TestAnAmountStaysWholeBesideALongName(t *testing.T) {
	d := escpos.Document{Width: 32, Blocks: []escpos.Block{
		escpos.Triple("3", strings.Repeat("very long name ", 9), "1.234.567,00"),
	}}
	if first, _, _ := strings.Cut(escpos.Text(d), "\n"); !strings.HasSuffix(first, " 1.234.567,00") {
		t.Errorf("first line %q", first)
	}
}

func TestEncodeRefusesWhatNoPaperCanCarry(t *testing.T) {
	for name, c := range map[string]struct {
		width int
		block escpos.Block
	}{
		"odd width":             {40, escpos.Rule{}},
		"nil block":             {42, nil},
		"giant text":            {42, escpos.Line{Wide: 9}},
		"negative size":         {42, escpos.Line{Tall: -1}},
		"no cells":              {42, escpos.Row{}},
		"nine cells":            {42, escpos.Row{Cells: make([]escpos.Cell, 9)}},
		"negative width":        {42, escpos.Row{Cells: []escpos.Cell{{Width: -2}}}},
		"no feed":               {42, escpos.Feed{}},
		"endless feed":          {42, escpos.Feed{Lines: 21}},
		"empty QR":              {42, escpos.QR{}},
		"real-time QR":          {42, escpos.QR{Content: "x\x10\x14\x01\x00\x01"}},
		"QR of a book":          {48, escpos.QR{Content: strings.Repeat("x", 998)}},
		"QR beyond the edge":    {32, escpos.QR{Content: strings.Repeat("x", 200), Module: 16}},
		"EAN-13 check digit":    {42, escpos.Barcode{Kind: escpos.EAN13, Content: "4006381333930"}},
		"EAN-13 letters":        {42, escpos.Barcode{Kind: escpos.EAN13, Content: "40063813339AB"}},
		"barcode of no kind":    {42, escpos.Barcode{Content: "1"}},
		"Code 128 control":      {42, escpos.Barcode{Kind: escpos.Code128, Content: "a\x1db"}},
		"Code 128 beyond ASCII": {42, escpos.Barcode{Kind: escpos.Code128, Content: "æ"}},
		"Code 128 too wide":     {32, escpos.Barcode{Kind: escpos.Code128, Content: strings.Repeat("x", 20)}},
		"barcode too high":      {42, escpos.Barcode{Kind: escpos.Code128, Content: "x", Height: 256}},
	} {
		d := escpos.Document{Width: c.width, Blocks: []escpos.Block{c.block}}
		if job, err := escpos.Encode(d); err == nil {
			t.Errorf("%s: encoded as %q", name, job)
		} else if !strings.Contains(escpos.Text(d), err.Error()) {
			t.Errorf("%s: transcript %q does not say %q", name, escpos.Text(d), err)
		}
	}
}

// FuzzHostileText claims that a name can add no control byte: the same
// receipt with harmless text of the same shape has as many of each.
func FuzzHostileText(f *testing.F) {
	for _, name := range []string{
		"Rye crispbread", "\x1bp\x00\x19\xfa", "\x10\x14\x01\x00\x05", "\x1dV\x00", "\x1b@\x1c.", "a\nb\rc\x00",
		"\u009b31m\u0090", "\x1f\x7f\xff\x80", "\u202egnp.exe", "💥\x10\x04\x01", "\x1d(k\x03\x001Q0",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 200 {
			return
		}
		d := escpos.Document{Width: 42, Blocks: []escpos.Block{
			escpos.Line{Text: name, Bold: true, Wide: 2},
			escpos.Triple(name, name, name),
			escpos.QR{Content: "1"},
			escpos.Cut{},
		}}
		job, err := escpos.Encode(d)
		if err != nil {
			t.Fatal(err)
		}
		text := escpos.Text(d)
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\x10\x1d\x1c\x7f") {
			t.Errorf("transcript %q", text)
		}
		for _, command := range commands {
			job = bytes.ReplaceAll(job, []byte(command), nil)
		}
		for _, b := range job {
			if b < ' ' || b == 0x7f {
				t.Fatalf("byte %02X of %q reached the wire in %q", b, name, job)
			}
		}
	})
}

// commands are all that the receipt of FuzzHostileText needs.
var commands = []string{
	"\x1b@\x1c.\x1bt\x10\x1bR\x00\x1ba\x01", "\x1bE\x01", "\x1bE\x00", "\x1d!\x10", "\x1d!\x00", "\n",
	"\x1bd\x01\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1\x1d(k\x04\x001P01\x1d(k\x03\x001Q0\x1bd\x01",
	"\x1dV\x42\x00",
}
