package paper_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/star"
	"holdfast.dev/node/kiosk/paper"
	"holdfast.dev/stock/words"
)

// TestTheReceiptOfTheDocsIsTheOneThatPrints prints a receipt on a simulated
// printer and compares it dot by dot with docs/receipt.png.
func TestTheReceiptOfTheDocsIsTheOneThatPrints(t *testing.T) {
	const limit = 60_000 // bytes
	path := filepath.Join("..", "..", "..", "docs", "receipt.png")
	data, err := escpos.Encode(basket().Document(paper.Original), escpos.Profiles[0])
	if err != nil {
		t.Fatal(err)
	}
	got := printed(t, data)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) > limit {
		t.Errorf("the picture has %d bytes", len(want))
	}
	a, b := dots(t, got), dots(t, want)
	if a.Bounds() != b.Bounds() || !bytes.Equal(a.Pix, b.Pix) {
		t.Error("the receipt does not look like docs/receipt.png; -update writes it anew")
	}
}

// TestALogoStandsAtTheHead prints a receipt with a logo and compares it dot by
// dot with testdata/sale-logo.png.
func TestALogoStandsAtTheHead(t *testing.T) {
	plain := sale(words.EN).Document(paper.Copy)
	if got := paper.Headed(plain, receipt.Image{}); len(got.Blocks) != len(plain.Blocks) {
		t.Error("no logo is printed as one")
	}
	d := paper.Headed(plain, crest())
	golden(t, "sale-en-logo", receipt.Text(d))
	for _, p := range slices.Concat(escpos.Profiles, star.Profiles) {
		if _, err := receipt.Compose(d, p.Paper()); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	data, err := escpos.Encode(d, escpos.Profiles[0])
	if err != nil {
		t.Fatal(err)
	}
	got, path := printed(t, data), filepath.Join("testdata", "sale-logo.png")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a, b := dots(t, got), dots(t, want)
	if a.Bounds() != b.Bounds() || !bytes.Equal(a.Pix, b.Pix) {
		t.Errorf("the receipt does not look like %s; -update writes it anew", path)
	}
}

// crest is a logo as wide as a logo may be: a frame with a diagonal in it.
func crest() receipt.Image {
	const width, height, thick = 384, 96, 6
	img := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			frame := x < thick || y < thick || x >= width-thick || y >= height-thick
			if !frame && (x-y*width/height)/thick != 0 {
				img.SetGray(x, y, color.Gray{Y: 0xff})
			}
		}
	}
	return receipt.FromImage(img)
}

func basket() paper.Sale {
	return paper.Sale{Lang: words.NL, Store: shop, Number: "R7-1042", At: noon, Staff: "Anna",
		Currency: "EUR",
		Lines: []paper.SaleLine{
			{Name: "Roggeknäckebröd 250 g", Units: 2, Unit: "each", PriceMinor: 299,
				TotalMinor: 598, VATPermille: 90},
			{Name: "Boerenkaas", Units: 350, Unit: "g", PriceMinor: 1290, TotalMinor: 452,
				VATPermille: 90},
			{Name: "Crème brûlée à l’ancienne, œufs de plein air, 4 × 100 g", Units: 1,
				Unit:       "each",
				PriceMinor: 349, TotalMinor: 349, VATPermille: 90},
			{Name: "Smørrebrød-pålæg", Units: 1, Unit: "each", PriceMinor: 425, TotalMinor: 425,
				VATPermille: 90},
			{Name: "Lamp E27", Units: 1, Unit: "each", PriceMinor: 495, TotalMinor: 495,
				VATPermille: 210},
		}}
}

// printed gives the picture of what comes out of a printer.
func printed(t *testing.T, data []byte) []byte {
	t.Helper()
	p, err := printer.Start(printer.Options{TCP: "127.0.0.1:0", OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	conn, err := net.Dial("tcp", p.State().Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(data); err != nil {
		t.Fatal(err)
	}
	late := time.After(20 * time.Second)
	for {
		changed := p.Watch()
		if all := p.Receipts(); len(all) > 0 {
			if len(all[0].Warnings) > 0 {
				t.Errorf("warnings %q", all[0].Warnings)
			}
			picture, err := os.ReadFile(all[0].PNG)
			if err != nil {
				t.Fatal(err)
			}
			return picture
		}
		select {
		case <-changed:
		case <-late:
			t.Fatal("nothing came out")
		}
	}
}

func dots(t *testing.T, file []byte) *image.Paletted {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	picture, ok := img.(*image.Paletted)
	if !ok {
		t.Fatalf("the picture is a %T", img)
	}
	return picture
}
