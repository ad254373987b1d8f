package receipt_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware/receipt"
)

func page(t *testing.T, names ...string) (c receipt.Charset) {
	t.Helper()
	for _, name := range names {
		p, err := receipt.StandardPage(name)
		if err != nil {
			t.Fatal(err)
		}
		c = append(c, p)
	}
	return c
}

// printed is a text as it stands on paper of a charset.
func printed(t *testing.T, c receipt.Charset, text string) string {
	t.Helper()
	pieces, err := receipt.Compose(receipt.Document{Blocks: []receipt.Block{receipt.Line{Text: text}}},
		receipt.Paper{Columns: 48, Dots: 576, Charset: c})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(pieces[0].(receipt.TextLine).Runs[0].Text, " ")
}

func TestWhatAPageLacksIsSpelledOut(t *testing.T) {
	const text = "€ 5,00 æøå ë ï “x” – …"
	for name, want := range map[string]string{
		"cp1252": "€ 5,00 æøå ë ï “x” – …",
		"cp858":  "€ 5,00 æøå ë ï \"x\" - ...",
		"cp850":  "EUR 5,00 æøå ë ï \"x\" - ...",
		"cp865":  "EUR 5,00 æøå ë ï \"x\" - ...",
		"latin9": "€ 5,00 æøå ë ï \"x\" - ...",
		"cp437":  "EUR 5,00 æoeå ë ï \"x\" - ...",
		"cp866":  "EUR 5,00 aeoeaa e i \"x\" - ...",
	} {
		if got := printed(t, page(t, name), text); got != want {
			t.Errorf("%s prints %q, want %q", name, got, want)
		}
	}
}

func TestOnePageHelpsWhereAnotherLacks(t *testing.T) {
	const text = "€ Ł Я “x” ░"
	if got := printed(t, page(t, "cp1252", "cp852", "cp866"), text); got != text {
		t.Errorf("printed %q, want %q", got, text)
	}
}

func TestAMakersOwnPageIsRead(t *testing.T) {
	upper := "€æøåÆØÅ" + strings.Repeat("\uFFFD", 121)
	own, err := receipt.OwnPage("nordic", upper)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := printed(t, receipt.Charset{own}, "€ 5 øl ë"), "€ 5 øl e"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if b, ok := own.Byte('ø'); !ok || b != 0x82 {
		t.Errorf("ø is byte %02X", b)
	}
	if _, err := receipt.OwnPage("short", "€"); err == nil {
		t.Error("a page of one character was taken")
	}
	if _, err := receipt.StandardPage("cp9999"); err == nil {
		t.Error("a page that nobody knows was found")
	}
}

func TestPaperThatIsNarrowerThanTheReceiptSetsIt(t *testing.T) {
	d := receipt.Document{Width: 42, Blocks: []receipt.Block{receipt.Rule{},
		receipt.Pair("left", "right")}}
	for columns, want := range map[int]int{32: 32, 35: 35, 42: 42, 48: 42} {
		pieces, err := receipt.Compose(d, receipt.Paper{Columns: columns, Dots: 12 * columns,
			Charset: page(t, "cp1252")})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pieces {
			if n := len(p.(receipt.TextLine).Runs[0].Text); n != want {
				t.Errorf("a line of %d on paper of %d, want %d", n, columns, want)
			}
		}
	}
}

func TestAPictureIsTakenDotByDot(t *testing.T) {
	img := image.NewRGBA(image.Rect(5, 5, 15, 7))
	img.Set(5, 5, color.Black)
	img.Set(14, 6, color.Gray{100})
	img.Set(6, 5, color.White)
	img.Set(7, 5, color.RGBA{0, 0, 0, 10}) // all but transparent
	want := receipt.Image{Width: 10, Height: 2, Dots: []byte{0x80, 0, 0, 0x40}}
	if diff := cmp.Diff(want, receipt.FromImage(img)); diff != "" {
		t.Error(diff)
	}
	for name, bad := range map[string]receipt.Image{
		"no width": {Height: 1}, "too wide": {Width: 577, Height: 1, Dots: make([]byte, 73)},
		"no height": {Width: 8}, "too few dots": {Width: 8, Height: 2, Dots: []byte{1}},
	} {
		if _, err := receipt.Job(receipt.Document{Blocks: []receipt.Block{bad}}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func everything() receipt.Document {
	return receipt.Document{Width: 42, Blocks: []receipt.Block{
		receipt.Line{Text: "a", Align: receipt.Right, Bold: true, Underline: true, Inverse: true,
			Wide: 2, Tall: 3},
		receipt.Triple("1", "b", "2,00"), receipt.Rule{}, receipt.QR{Content: "q", Module: 4},
		receipt.Barcode{Kind: receipt.UPCA, Content: "042100005264", Height: 40},
		receipt.Image{Width: 8, Height: 1,
			Dots: []byte{0xaa}}, receipt.Feed{Lines: 2}, receipt.Cut{},
		receipt.Kick{Drawer: 2},
	}}
}

func TestAJobIsTheDocumentAgain(t *testing.T) {
	job, err := receipt.Job(everything())
	if err != nil {
		t.Fatal(err)
	}
	got, err := receipt.ParseJob(job)
	if diff := cmp.Diff(everything(), got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := receipt.ParseJob([]byte("\x1b@raw")); !errors.Is(err, receipt.ErrNotADocument) {
		t.Errorf("a printer's own bytes: %v", err)
	}
	if _, err := receipt.Job(receipt.Document{Width: 33}); err == nil {
		t.Error("a receipt of 33 columns was taken")
	}
	if _, err := receipt.Job(receipt.Document{Blocks: []receipt.Block{receipt.Kick{Drawer: 3}}}); err == nil {
		t.Error("a third drawer was taken")
	}
}

func TestBarcodesAreCheckedBeforeTheyArePrinted(t *testing.T) {
	for _, c := range []struct {
		kind    receipt.Kind
		content string
		good    bool
	}{
		{receipt.EAN13, "4006381333931", true}, {receipt.EAN13, "4006381333930", false},
		{receipt.EAN8, "40170725", true}, {receipt.EAN8, "40170724", false}, {receipt.EAN8,
			"4017072", false},
		{receipt.UPCA, "042100005264", true}, {receipt.UPCA, "042100005265", false},
		{receipt.Code39, "ABC-123 $/+.%", true}, {receipt.Code39, "abc", false}, {receipt.Code39,
			"A*", false},
		{receipt.ITF, "123456", true}, {receipt.ITF, "12345", false}, {receipt.ITF, "12a4", false},
		{receipt.Code128, "aB{1}~", true}, {receipt.Code128, "é", false}, {receipt.Code128, "",
			false},
	} {
		_, err := receipt.Job(receipt.Document{Blocks: []receipt.Block{receipt.Barcode{Kind: c.kind,
			Content: c.content}}})
		if (err == nil) != c.good {
			t.Errorf("%v %q: %v", c.kind, c.content, err)
		}
	}
}

// FuzzJob claims that what can be stored is read back the same, and that
// nothing else brings the reader down.
func FuzzJob(f *testing.F) {
	job, err := receipt.Job(everything())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(job)
	f.Add([]byte("holdfast receipt 1\n{\"blocks\":[{}]}"))
	f.Add([]byte("holdfast receipt 1\n{\"blocks\":[{\"image\":{\"Width\":-1}}]}"))
	f.Fuzz(func(t *testing.T, job []byte) {
		d, err := receipt.ParseJob(job)
		if err != nil {
			return
		}
		again, err := receipt.Job(d)
		if err != nil {
			return
		}
		if got, err := receipt.ParseJob(again); err != nil || !cmp.Equal(d, got) {
			t.Errorf("%q is read as %+v, %v", again, got, err)
		}
	})
}

// FuzzCompose claims that lines are exactly as wide as the receipt, whatever
// the text is, and hold nothing that a printer could obey.
func FuzzCompose(f *testing.F) {
	f.Add("Rye crispbread", uint8(42))
	f.Add("\x1b@\u202e\x00", uint8(3))
	f.Fuzz(func(t *testing.T, text string, columns uint8) {
		width := 24 + int(columns)%41
		d := receipt.Document{Blocks: []receipt.Block{
			receipt.Line{Text: text, Wide: 3, Align: receipt.Centre}, receipt.Line{Text: text,
				Inverse: true},
			receipt.Triple(text, text, text),
		}}
		pieces, err := receipt.Compose(d, receipt.Paper{Columns: width, Dots: 12 * width,
			Charset: page(t, "cp865", "cp858")})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pieces {
			taken := 0
			for _, run := range p.(receipt.TextLine).Runs {
				taken += utf8.RuneCountInString(run.Text) * run.Wide
				for _, r := range run.Text {
					if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
						t.Fatalf("%q holds %U", run.Text, r)
					}
				}
			}
			if taken != width {
				t.Fatalf("%q prints a line of %d columns, want %d", text, taken, width)
			}
		}
	})
}

// hostileNames are n product names that would do harm as bytes, mixed from
// commands, scripts, marks without ink and broken UTF-8.
func hostileNames(n int) []string {
	parts := []string{"\x1b@", "\x1bp\x00\x19\xfa", "\x10\x14\x01\x00\x05", "\x1dV\x00", "\x1c.",
		"\x00", "\x7f",
		"\u009b31m", "\u202e", "💥", "é", "е\u0301", "檸檬", "\xff\xfe", "\r\n", "\t", "Ł", "😀\u200d👩", "\x1f\x7f", "\u2028",
		"a", "Æble", "'; DROP", "<b>", "\x1d(k\x03\x001Q0", "\u0000\u0010\u0004", "ﷺ", "𐍈", "\x1b\x1d\x03\x01ab", "\x17"}
	names := make([]string, n)
	seed := uint32(1)
	for i := range names {
		var b strings.Builder
		for range 1 + i%7 {
			seed = seed*1664525 + 1013904223
			b.WriteString(parts[seed>>16%uint32(len(parts))%uint32(len(parts))])
		}
		names[i] = b.String()
	}
	return names
}

func TestTenThousandHostileNamesStayText(t *testing.T) {
	cs := page(t, "cp1252", "cp858")
	for i, name := range hostileNames(10_000) {
		for _, r := range printed(t, cs, fmt.Sprint("|", name)) {
			if _, _, ok := cs.Find(r, 0); !ok || r < ' ' || r == 0x7f {
				t.Fatalf("name %d %q prints %U", i, name, r)
			}
		}
	}
}

func TestNamesOfACataloguePrint(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader("Crème brûlée\nŽivčnik ČŠĐ\nKøbenhavn\nГречка\nΓιαούρτι\n味噌\n")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Crème brûlée", "Živcnik CŠD", "København", "Grechka", "Giaoyrti", "??"}
	for i, row := range rows {
		if got := printed(t, page(t, "cp1252"), row[0]); got != want[i] {
			t.Errorf("%q prints %q, want %q", row[0], got, want[i])
		}
	}
}

func BenchmarkCompose(b *testing.B) {
	d := receipt.Document{Width: 42}
	for i := range 40 {
		d.Blocks = append(d.Blocks, receipt.Triple("2",
			fmt.Sprint("Smørrebrød, økologisk æble ", i), "5,98"))
	}
	p, err := receipt.StandardPage("cp1252")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := receipt.Compose(d, receipt.Paper{Columns: 48, Dots: 576,
			Charset: receipt.Charset{p}}); err != nil {
			b.Fatal(err)
		}
	}
}
