package printer_test

import (
	"context"
	"image"
	_ "image/png"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"

	"holdfast.dev/firmware-sim/printer"
)

const patience = 10 * time.Second

func start(t *testing.T, o printer.Options) *printer.Printer {
	t.Helper()
	if o.OutDir == "" {
		o.OutDir = t.TempDir()
	}
	if o.Link == "" && o.TCP == "" {
		o.TCP = "127.0.0.1:0"
	}
	p, err := printer.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func dial(t *testing.T, p *printer.Printer) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.State().Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func send(t *testing.T, conn net.Conn, data string) {
	t.Helper()
	if _, err := conn.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		more, err := conn.Read(got[n:])
		n += more
		if err != nil {
			t.Fatalf("got % X then %v, want % X", got[:n], err, want)
		}
	}
	if string(got) != want {
		t.Fatalf("got % X, want % X", got, want)
	}
}

// until waits for a state of the printer.
func until(t *testing.T, p *printer.Printer, reached func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		changed := p.Watch()
		if reached() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("never reached; %d receipts, %+v", len(p.Receipts()), p.State())
		}
	}
}

// print sends data and a fence, and returns when the printer passed it.
func print(t *testing.T, conn net.Conn, data string) {
	t.Helper()
	send(t, conn, data+"\x1d(H\x06\x0000test")
	expect(t, conn, "\x37\x22test\x00")
}

const cut = "\x1dV\x42\x00"

func picture(t *testing.T, r printer.Receipt) image.Image {
	t.Helper()
	f, err := os.Open(r.PNG)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestTextLandsOnPaperAsAPrinterWouldSetIt(t *testing.T) {
	digits := strings.Repeat("0123456789", 5)[:49]
	for _, c := range []struct{ name, in, want string }{
		{"a line", "Hello\n", "Hello\n"},
		{"carriage return is ignored", "Hello\n\r", "Hello\n"},
		{"initialize drops the line", "AB\x1b@C\n", "C\n"},
		{"wraps at 48 columns", digits + "\n", digits[:48] + "\n8\n"},
		{"a full line is one line", digits[:48] + "\n", digits[:48] + "\n"},
		{"tabs", "\x1bD\x0a\x14\x00\x09A\x09B\x09C\n", strings.Repeat(" ", 10) + "A         BC\n"},
		{"centred and right", "\x1ba\x01AA\n\x1ba2B\n", strings.Repeat(" ", 23) + "AA\n" +
			strings.Repeat(" ", 47) + "B\n"},
		{"code page 437", "\x1bt\x00\x82 \x9c \xb0\n", "é £ ░\n"},
		{"code page 850", "\x1bt\x02\x82 \xe1 \x9b\n", "é ß ø\n"},
		{"code page 865", "\x1bt\x05\x91 \x9b \x86\n", "æ ø å\n"},
		{"code page 1252", "\x1bt\x10\x80 5,00 \x93x\x94\n", "€ 5,00 “x”\n"},
		{"code page 866", "\x1bt\x11\x9f\n", "Я\n"},
		{"code page 852", "\x1bt\x12\x9d\n", "Ł\n"},
		{"code page 858", "\x1bt\x13\xd5\n", "€\n"},
		{"the wrong code page shows", "\x1bt\x00\xd5\n", "╒\n"},
		{"Germany", "\x1bR\x02@[\\]{|}~\n", "§ÄÖÜäöüß\n"},
		{"Norway", "\x1bR\x09$@[\\]^`{|}~\n", "¤ÉÆØÅÜéæøåü\n"},
		{"Spain", "\x1bR\x07#[\\]`{|\n", "₧¡Ñ¿´¨ñ\n"},
		{"real-time request within a line", "A\x10\x04\x09B\n", "AB\n"},
		{"drawer, buzzer and images leave no text", "\x1bp\x00\x19\xfa\x1b(A\x04\x0001\x01dX\n",
			"X\n"},
		{"positions", "\x1b$\x20\x01\x1b\\\x0c\x00B\n", strings.Repeat(" ", 25) + "B\n"},
		{"deselected", "A\x1b=\x00lost\n\x1b=\x01B\n", "AB\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, printer.Options{})
			print(t, dial(t, p), c.in+cut)
			receipts := p.Receipts()
			if len(receipts) != 1 {
				t.Fatalf("got %d receipts, want 1", len(receipts))
			}
			if got := receipts[0].Text; got != c.want {
				t.Error(cmp.Diff(c.want, got))
			}
		})
	}
}

func TestNoCommandLosesTheBytesBehindIt(t *testing.T) {
	ten := strings.Repeat("x", 10)
	for _, cmd := range []string{
		"\x1b!\x00", "\x1b \x00", "\x1b-1", "\x1bG\x00", "\x1bV\x00", "\x1b{\x00", "\x1bM0",
		"\x1b3\x1e", "\x1b2", "\x1bc5\x00", "\x1bc3\x0c", "\x1br\x00", "\x1bT\x00", "\x1bU\x00",
		"\x1bS", "\x1bL", "\x0c", "\x18", "\x1bW" + ten[:8], "\x1b%\x00", "\x1b?A",
		"\x1b&\x03AB\x02abcdef\x01abc", "\x1b*\x00\x03\x00abc", "\x1b*\x21\x02\x00abcdef",
		"\x1b(Y\x02\x00xx", "\x1b(A\x04\x0001\x01d", "\x1c!\x00", "\x1c&\x1c.", "\x1c-0", "\x1cC\x00",
		"\x1cS\x00\x00", "\x1cW\x00", "\x1cp\x01\x00", "\x1cq\x01\x01\x00\x01\x00abcdefgh",
		"\x1c(A\x02\x000\x00", "\x1cg2\x00aaaa\x01\x00", "\x1d*\x01\x02" + ten + "abcdef",
		"\x1d/\x00", "\x1d:", "\x1d^\x01\x01\x00", "\x1dL\x00\x00", "\x1dW\x40\x02", "\x1dP\x00\x00",
		"\x1d$\x00\x00", "\x1d\\\x00\x00", "\x1db\x01", "\x1d(A\x02\x00\x00\x02", "\x1d(D\x03\x00\x14\x01\x00",
		"\x1d(E\x03\x00\x01IN", "\x1d8L\x04\x00\x00\x000\x01\x02\x03", "\x1dk\x04ABC-123\x00",
		"\x1dkI\x08{BABC123", "\x1dC0\x00\x00", "\x1dC;1;2;3;4;5;", "\x1dT\x00", "\x1dv0\x00\x01\x00\x01\x00\x00",
		"\x1d(L\x0c\x000p0\x01\x011\x08\x00\x01\x00\xff\xff\x1d(L\x02\x0002", "\x1d(k\x03\x000A\x00",
		"\x1df\x01", "\x1dh\x20", "\x1dw\x03", "\x1dH\x00", "\x1dB0", "\x10\x05\x01", "\x10\x14\x01\x00\x01",
		"\x00", "\x1bz", "\x1cz", "\x1dy",
	} {
		p := start(t, printer.Options{})
		conn := dial(t, p)
		print(t, conn, cmd+"\n\x1b@after\n"+cut)
		receipts := p.Receipts()
		if len(receipts) != 1 || !strings.HasSuffix(receipts[0].Text, "\nafter\n") {
			t.Errorf("% X: got %+v, want a receipt that ends in after", cmd, receipts)
		}
		strange := cmd == "\x1bz" || cmd == "\x1cz" || cmd == "\x1dy"
		if unknown := p.State().Unknown; (unknown != 0) != strange {
			t.Errorf("% X: %d unknown commands", cmd, unknown)
		}
		p.Close()
	}
}

func TestQRCodeOnThePictureReadsBack(t *testing.T) {
	for _, content := range []string{
		"https://example.com/r/4821", "HTTPS://EXAMPLE.COM", "R-2031-000042", "4006381333931",
		strings.Repeat("6BF:K2-XYZ$", 13), "smørrebrød 5 €",
	} {
		p := start(t, printer.Options{Dots: 384})
		n := len(content) + 3
		print(t, dial(t, p), "\x1ba\x01\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x05\x1d(k\x03\x001E1\x1d(k"+
			string([]byte{byte(n), byte(n >> 8)})+"1P0"+content+"\x1d(k\x03\x001Q0\n"+cut)
		img, err := gozxing.NewBinaryBitmapFromImage(picture(t, p.Receipts()[0]))
		if err != nil {
			t.Fatal(err)
		}
		got, err := qrcode.NewQRCodeReader().Decode(img, nil)
		if err != nil {
			t.Errorf("%q: %v", content, err)
		} else if got.GetText() != content {
			t.Errorf("got %q, want %q", got.GetText(), content)
		}
		if diff := cmp.Diff([]string{content}, p.Receipts()[0].Symbols); diff != "" {
			t.Error(diff)
		}
	}
}

func TestLinearBarcodesOnThePictureReadBack(t *testing.T) {
	for _, c := range []struct {
		name, cmd, want string
		reader          gozxing.Reader
	}{
		{"EAN-13", "\x1dkC\x0d4006381333931", "4006381333931", oned.NewEAN13Reader()},
		{"EAN-13 without its check digit", "\x1dk\x02400638133393\x00", "4006381333931",
			oned.NewEAN13Reader()},
		{"EAN-8", "\x1dk\x034017072\x00", "40170725", oned.NewEAN8Reader()},
		{"Code 128", "\x1dkI\x08{BABC123", "ABC123", oned.NewCode128Reader()},
		{"Code 128 set C", "\x1dkI\x04{C\x0c\x22", "1234", oned.NewCode128Reader()},
		{"Code 39", "\x1dk\x04ABC-123\x00", "ABC-123", oned.NewCode39Reader()},
		{"ITF", "\x1dk\x0512345678\x00", "12345678", oned.NewITFReader()},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, printer.Options{})
			print(t, dial(t, p), "\x1ba\x01\x1dh\x50\x1dw\x02\x1dH\x02"+c.cmd+"\n"+cut)
			img, err := gozxing.NewBinaryBitmapFromImage(picture(t, p.Receipts()[0]))
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.reader.Decode(img, nil)
			if err != nil {
				t.Fatalf("%v; %+v", err, p.Receipts()[0])
			}
			if got.GetText() != c.want {
				t.Errorf("got %q, want %q", got.GetText(), c.want)
			}
		})
	}
}

func TestWhatCannotBeDrawnIsWarnedOf(t *testing.T) {
	for _, cmd := range []string{
		"\x1dk\x024006\x00", "\x1dkI\x03ABC", "\x1dkI\x03{B\x80", "\x1d(k\x03\x002Q0",
		"\x1dkK\x0d0401234567890", "\x1dw\x06\x1dkI\x20{Babcdefghijklmnopqrstuvwxyz0123", "\x81",
	} {
		p := start(t, printer.Options{})
		print(t, dial(t, p), "\x1bt\x02\x1bt\x63"+cmd+"\nX\n"+cut)
		if r := p.Receipts(); len(r) != 1 || len(r[0].Warnings) != 1 || len(r[0].Symbols) != 0 {
			t.Errorf("% X: got %+v, want one warning and no symbol", cmd, r)
		}
	}
}

// ink is the box around all dots.
func ink(img image.Image) image.Rectangle {
	var box image.Rectangle
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, _, _, _ := img.At(x, y).RGBA(); r == 0 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

func TestDotsStandWhereAPrintHeadPutsThem(t *testing.T) {
	const knife = 120 // dot rows of paper that were past the head before
	full := "\x1dB\x01 \x1dB\x00"
	for _, c := range []struct {
		name, in string
		box      image.Rectangle
		rows     int // of paper after the first line
	}{
		{"font A", full + "\n", image.Rect(0, 0, 12, 24), 30},
		{"font B", "\x1bM\x01" + full + "\n", image.Rect(0, 0, 9, 17), 30},
		{"eight times", "\x1d!\x77" + full + "\n", image.Rect(0, 0, 96, 192), 192},
		{"ESC !", "\x1b!\x30" + full + "\n", image.Rect(0, 0, 24, 48), 48},
		{"centre", "\x1ba\x01" + full + "\n", image.Rect(282, 0, 294, 24), 30},
		{"right", "\x1ba\x02" + full + "\n", image.Rect(564, 0, 576, 24), 30},
		{"margin and area", "\x1dL\x20\x00\x1dW\x00\x02\x1ba\x02" + full + "\n",
			image.Rect(532, 0, 544, 24), 30},
		{"last column", strings.Repeat(" ", 47) + full + "\n", image.Rect(564, 0, 576, 24), 30},
		{"tight lines touch", "\x1b3\x18" + full + "\n" + full + "\n", image.Rect(0, 0, 12, 48),
			48},
		{"baselines are one", full + "\x1d!\x11" + full + "\n", image.Rect(0, 0, 36, 48), 48},
		{"underline", "\x1b-\x02 \n", image.Rect(0, 22, 12, 24), 30},
		{"raster", "\x1dv0\x00\x02\x00\x03\x00\xff\xff\x80\x01\xff\xff", image.Rect(0, 0, 16, 3),
			3},
		{"raster of double size", "\x1dv0\x03\x01\x00\x01\x00\xff", image.Rect(0, 0, 16, 2), 2},
		{"graphics", "\x1d(L\x0e\x000p0\x01\x011\x10\x00\x02\x00\xff\xff\x80\x01\x1d(L\x02\x0002",
			image.Rect(0, 0, 16, 2), 2},
		{"bit image of 8 dots", "\x1b*\x00\x02\x00\x80\x01\n", image.Rect(0, 0, 4, 24), 30},
		{"bit image of 24 dots", "\x1b*\x21\x01\x00\xff\x00\xff\n", image.Rect(0, 0, 1, 24), 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, printer.Options{})
			print(t, dial(t, p), c.in+cut)
			img := picture(t, p.Receipts()[0])
			if got := ink(img); got != c.box.Add(image.Pt(0, knife)) {
				t.Errorf("ink at %v, want %v", got, c.box.Add(image.Pt(0, knife)))
			}
			if got, want := img.Bounds().Size(), image.Pt(576, knife+c.rows); got != want {
				t.Errorf("picture of %v, want %v", got, want)
			}
		})
	}
}

func TestEveryGlyphOfTheCodePagesIsInTheFont(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	var in strings.Builder
	for _, page := range []byte{0, 2, 5, 16, 17, 18, 19, 40, 45, 46} {
		in.WriteString("\x1bt" + string([]byte{page}))
		for b := 0x80; b <= 0xff; b++ {
			undefined := map[byte]string{
				16: "\x81\x8d\x8f\x90\x9d", 45: "\x81\x83\x88\x90\x98", 46: "\x98",
			}[page]
			if b < 0xa0 && page == 40 || strings.IndexByte(undefined, byte(b)) >= 0 {
				continue
			}
			in.WriteByte(byte(b))
		}
		in.WriteString("\n")
	}
	print(t, conn, in.String()+cut)
	if w := p.Receipts()[0].Warnings; len(w) != 0 {
		t.Errorf("warnings: %q", w)
	}
}

func TestReceiptsAreNumberedOnAcrossRuns(t *testing.T) {
	dir := t.TempDir()
	for run := range 2 {
		p := start(t, printer.Options{OutDir: dir})
		conn := dial(t, p)
		print(t, conn, "A\n"+cut+"B\n"+cut)
		var numbers []int
		for _, r := range p.Receipts() {
			numbers = append(numbers, r.Number)
		}
		if diff := cmp.Diff([]int{1, 2, 3, 4}[:2*run+2], numbers); diff != "" {
			t.Error(diff)
		}
		p.Close()
	}
	text, err := os.ReadFile(filepath.Join(dir, "receipt-000004.txt"))
	if err != nil || strings.TrimSpace(string(text)) != "B" {
		t.Errorf("got %q, %v", text, err)
	}
}
