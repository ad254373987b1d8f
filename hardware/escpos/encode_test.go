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
	"holdfast.dev/hardware/receipt"
)

var update = flag.Bool("update", false, "write the golden files anew")

func saleReceipt(width int) receipt.Document {
	return receipt.Document{Width: width, Blocks: []receipt.Block{
		receipt.Line{Text: "Holdfast Utrecht", Align: receipt.Centre, Bold: true, Wide: 2, Tall: 2},
		receipt.Line{Text: "Oudegracht 112 · 3511 AX Utrecht", Align: receipt.Centre},
		receipt.Line{Text: "Btw NL001234567B01", Align: receipt.Centre},
		receipt.Feed{Lines: 1},
		receipt.Pair("Bon R-2-000042", "14-08-2031 14:02"),
		receipt.Rule{},
		receipt.Triple("2", "Rye crispbread 250 g", "5,98"),
		receipt.Triple("1", "Crème brûlée à l’ancienne, œufs de plein air, 4 × 100 g", "3,49"),
		receipt.Triple("12", "Smørrebrød-pålæg, økologisk æble", "1.234,56"),
		receipt.Rule{},
		receipt.Row{Bold: true, Cells: []receipt.Cell{
			{Text: "Totaal"}, {Text: "€ 1.244,03", Width: receipt.Fit, Align: receipt.Right},
		}},
		receipt.Pair("waarvan btw 9%", "€ 102,72"),
		receipt.Pair("Pin", "€ 1.244,03"),
		receipt.Feed{Lines: 1},
		receipt.Line{Text: "Bedankt, Noëlle. Bewaar deze bon om te ruilen.", Align: receipt.Centre},
		receipt.QR{Content: "R-2-000042"},
		receipt.Cut{},
	}}
}

func pickSlip() receipt.Document {
	return receipt.Document{Width: 42, Blocks: []receipt.Block{
		receipt.Line{Text: "*** COPY ***", Align: receipt.Centre, Bold: true},
		receipt.Line{Text: "7K3M-Q9XZ", Align: receipt.Centre, Wide: 4, Tall: 3},
		receipt.Line{Text: "Sofie · pick up before Thursday 18:00", Align: receipt.Right},
		receipt.Row{Cells: []receipt.Cell{
			{Text: "[ ]", Width: 3}, {Text: "Батон “Нарезной”"}, {Text: "A12", Width: receipt.Fit},
		}},
		receipt.Barcode{Kind: receipt.EAN13, Content: "4006381333931"},
		receipt.Barcode{Kind: receipt.Code128, Content: "P-{42}"},
		receipt.QR{Content: "https://example.com/p/7K3MQ9XZ", Module: 4},
		receipt.Feed{Lines: 2},
		receipt.Cut{},
	}}
}

func TestGoldenReceipts(t *testing.T) {
	for name, d := range map[string]receipt.Document{
		"sale32": saleReceipt(32), "sale42": saleReceipt(42), "sale48": saleReceipt(48), "slip42": pickSlip(),
	} {
		t.Run(name, func(t *testing.T) {
			job, err := escpos.Encode(d, epson)
			if err != nil {
				t.Fatal(err)
			}
			var quoted strings.Builder
			for _, line := range bytes.SplitAfter(job, []byte("\n")) {
				fmt.Fprintf(&quoted, "%+q\n", line)
			}
			golden(t, name+".bytes", quoted.String())
			golden(t, name+".txt", receipt.Text(d))
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
		d := receipt.Document{Width: 48, Blocks: []receipt.Block{receipt.Line{Text: "|" + in}}}
		if got := strings.TrimSuffix(receipt.Text(d), "\n"); got != "|"+want {
			t.Errorf("%q prints as %q, want %q", in, got, "|"+want)
		}
	}
}

func TestRowsNeverOverflow(t *testing.T) {
	long := strings.Repeat("long ", 30) + strings.Repeat("x", 90)
	for _, width := range []int{32, 42, 48} {
		for name, row := range map[string]receipt.Row{
			"pair":       receipt.Pair(long, "1,00"),
			"long right": receipt.Pair("left", long),
			"both long":  receipt.Pair(long, long),
			"triple":     receipt.Triple("1234567", long, "99.999,00"),
			"all fit": {Cells: []receipt.Cell{{Text: long, Width: receipt.Fit},
				{Text: long, Width: receipt.Fit}}},
			"fixed too wide": {Cells: []receipt.Cell{{Text: long, Width: 1 << 40},
				{Text: long, Width: 40}, {Text: long}}},
			"eight": {Cells: []receipt.Cell{{}, {}, {Text: long}, {}, {Text: long}, {}, {},
				{Text: long}}},
			"empty": {Cells: []receipt.Cell{{}}},
		} {
			job, err := escpos.Encode(receipt.Document{Width: width, Blocks: []receipt.Block{row}},
				epson)
			if err != nil {
				t.Errorf("%d %s: %v", width, name, err)
			}
			const header = "\x1b@\x1c.\x1bt\x10\x1bR\x00\x1ba\x01"
			for _, line := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(string(job),
				header), "\n"), "\n") {
				if len(line) != width {
					t.Errorf("%d %s: line %q has %d columns", width, name, line, len(line))
				}
			}
		}
	}
}

func TestAnAmountStaysWholeBesideALongName(t *testing.T) {
	d := receipt.Document{Width: 32, Blocks: []receipt.Block{
		receipt.Triple("3", strings.Repeat("very long name ", 9), "1.234.567,00"),
	}}
	if first, _, _ := strings.Cut(receipt.Text(d), "\n"); !strings.HasSuffix(first,
		" 1.234.567,00") {
		t.Errorf("first line %q", first)
	}
}

func TestEncodeRefusesWhatNoPaperCanCarry(t *testing.T) {
	for name, c := range map[string]struct {
		width int
		block receipt.Block
	}{
		"odd width":          {40, receipt.Rule{}},
		"nil block":          {42, nil},
		"giant text":         {42, receipt.Line{Wide: 9}},
		"negative size":      {42, receipt.Line{Tall: -1}},
		"no cells":           {42, receipt.Row{}},
		"nine cells":         {42, receipt.Row{Cells: make([]receipt.Cell, 9)}},
		"negative width":     {42, receipt.Row{Cells: []receipt.Cell{{Width: -2}}}},
		"no feed":            {42, receipt.Feed{}},
		"endless feed":       {42, receipt.Feed{Lines: 21}},
		"empty QR":           {42, receipt.QR{}},
		"real-time QR":       {42, receipt.QR{Content: "x\x10\x14\x01\x00\x01"}},
		"QR of a book":       {48, receipt.QR{Content: strings.Repeat("x", 998)}},
		"QR beyond the edge": {32, receipt.QR{Content: strings.Repeat("x", 200), Module: 16}},
		"EAN-13 check digit": {42, receipt.Barcode{Kind: receipt.EAN13,
			Content: "4006381333930"}},
		"EAN-13 letters": {42, receipt.Barcode{Kind: receipt.EAN13,
			Content: "40063813339AB"}},
		"barcode of no kind":    {42, receipt.Barcode{Content: "1"}},
		"Code 128 control":      {42, receipt.Barcode{Kind: receipt.Code128, Content: "a\x1db"}},
		"Code 128 beyond ASCII": {42, receipt.Barcode{Kind: receipt.Code128, Content: "æ"}},
		"Code 128 too wide": {32, receipt.Barcode{Kind: receipt.Code128,
			Content: strings.Repeat("x", 20)}},
		"barcode too high": {42, receipt.Barcode{Kind: receipt.Code128, Content: "x",
			Height: 256}},
	} {
		d := receipt.Document{Width: c.width, Blocks: []receipt.Block{c.block}}
		if job, err := escpos.Encode(d, epson); err == nil {
			t.Errorf("%s: encoded as %q", name, job)
		} else if !strings.Contains(receipt.Text(d), err.Error()) {
			t.Errorf("%s: transcript %q does not say %q", name, receipt.Text(d), err)
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
		d := receipt.Document{Width: 42, Blocks: []receipt.Block{
			receipt.Line{Text: name, Bold: true, Wide: 2},
			receipt.Triple(name, name, name),
			receipt.QR{Content: "1"},
			receipt.Cut{},
		}}
		job, err := escpos.Encode(d, epson)
		if err != nil {
			t.Fatal(err)
		}
		text := receipt.Text(d)
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
