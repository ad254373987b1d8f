package labelprinter_test

import (
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/firmware-sim/wire"
)

const (
	fine   = "\x02030,0,0,0600,000,0,0,0,000,0,0,0\x03\r\n\x02001,0,0,0,0,2,4,0,00000000,1,000\x03\r\n"
	headUp = "\x02030,0,0,0600,000,0,0,0,000,0,0,0\x03\r\n\x02001,0,1,0,0,2,4,0,00000000,1,000\x03\r\n"
	last   = "\x021234,0\x03\r\n"
	hello  = "^XA^PW200^LL600^FO10,10^A0N,30^FDHello^FS^XZ"
)

// on is a printer and the host's end of its line.
func on(t *testing.T, o labelprinter.Options) (*labelprinter.Printer, func(send, want string)) {
	t.Helper()
	host, far := net.Pipe()
	p, err := labelprinter.On(far, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); p.Close() })
	host.SetDeadline(time.Now().Add(10 * time.Second))
	return p, func(send, want string) {
		t.Helper()
		if _, err := io.WriteString(host, send); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(host, got); err != nil || string(got) != want {
			t.Fatalf("after %q: got %q, %v; want %q", send, got, err, want)
		}
	}
}

func TestHostStatusSaysWhatIs(t *testing.T) {
	p, ask := on(t, labelprinter.Options{Chatty: true, Speed: 1})
	ask("~HS", fine+last)
	p.SetHead(true)
	ask("~HS\n", headUp+last)
	p.SetHead(false)
	p.SetPaused(true)
	ask(hello+"~HS", "\x02030,0,1,0600,001,0,0,0,000,0,0,0\x03\r\n")
	p.SetPaused(false)
	ask("^XA^FO1,1~HS", "\x02001,0,0,0,0,2,4,0,00000000,1,000\x03\r\n"+last+
		"\x02030,0,0,0600,000,0,0,1,000,0,0,0\x03\r\n\x02001,0,0,0,0,2,4,0,00000001,1,000\x03\r\n"+last)
	ask("~JA~HS", fine+last)
	ask("~HI", "\x02SIM203,V1.0,8,8192KB\x03\r\n")
}

func TestAPrinterThatCannotPrintIsSilentAndGoesOnLater(t *testing.T) {
	p, ask := on(t, labelprinter.Options{})
	p.SetMedia(false)
	ask(hello+"~HS~HI", "\x02SIM203,V1.0,8,8192KB\x03\r\n")
	if s := p.State(); !s.MediaOut || s.Waiting != 1 {
		t.Errorf("got %+v", s)
	}
	p.SetMedia(true)
	if labels := p.Labels(); len(labels) != 1 || labels[0].Text != "Hello" {
		t.Errorf("got %+v", labels)
	}
}

func TestALabelTakesItsTimeAndAFaultSpoilsIt(t *testing.T) {
	p, ask := on(t, labelprinter.Options{Speed: 250, Chatty: true}) // 75 mm: 300 ms
	ask(strings.Replace(hello, "^XZ", "^PQ2^XZ", 1)+"~HI", "\x02SIM203,V1.0,8,8192KB\x03\r\n")
	if n := len(p.Labels()); n != 0 {
		t.Errorf("%d labels are out at once", n)
	}
	p.SetHead(true)
	if s := p.State(); s.Spoiled != 1 || s.Waiting != 2 {
		t.Errorf("got %+v", s)
	}
	p.SetHead(false)
	for len(p.Labels()) < 2 {
		<-p.Cable.Watch()
	}
	p.SetPower(false)
	if s := p.State(); s.On || s.Waiting != 0 {
		t.Errorf("switched off: %+v", s)
	}
}

func TestCommandsMakeLabels(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     labelprinter.Label
	}{
		{"hexadecimal UTF-8", "^XA^CI28^FO1,1^FH^FDSm_C3_B8r^FS^XZ", labelprinter.Label{Text: "Smør"}},
		{"code page 850 without ^CI28", "^XA^FO1,1^FH^FDSm_9Br^FS^XZ", labelprinter.Label{Text: "Smør"}},
		{"a block breaks its lines", `^XA^FO1,1^A0N,20,20^FB90,3,0,C^FDone two\&three^FS^XZ`,
			labelprinter.Label{Text: "one two\nthree"}},
		{"too many lines", "^XA^FO1,1^A0N,30,30^FB60,1,0,L^FDone two^FS^XZ", labelprinter.Label{
			Text: "one\ntwo", Warnings: []string{"text overprints its last line"}}},
		{"an EAN", "^XA^FO1,1^BEN,50,Y,N^FD871039850001^FS^XZ", labelprinter.Label{
			Text: "[EAN-13 8710398500014]", Symbols: []string{"8710398500014"}}},
		{"a wrong EAN", "^XA^FO1,1^BEN,50,Y,N^FD8710^FS^XZ", labelprinter.Label{
			Warnings: []string{"EAN-13 8710: want 12 digits"}}},
		{"a QR code", "^XA^FO1,1^BQN,2,3^FDMA,HELLO^FS^XZ", labelprinter.Label{
			Text: "[QR HELLO]", Symbols: []string{"HELLO"}}},
		{"a QR code without its mode", "^XA^FO1,1^BQN,2,3^FDHELLO^FS^XZ", labelprinter.Label{
			Warnings: []string{"QR code without level and mode: HELLO"}}},
		{"an unknown command", "^XA^FO1,1^ZZ1^FDa^FS^XZ", labelprinter.Label{
			Text: "a", Warnings: []string{"unknown command ^ZZ"}}},
		{"beyond the edge", "^XA^PW50^FO40,1^A0N,30^FDabc^FS^XZ", labelprinter.Label{
			Text: "abc", Warnings: []string{"text leaves the label: abc"}}},
	} {
		got := labelprinter.Play([]byte(c.in))
		if len(got) != 1 {
			t.Errorf("%s: %d labels", c.name, len(got))
			continue
		}
		label := labelprinter.Label{Text: got[0].Text, Symbols: got[0].Symbols, Warnings: got[0].Warnings}
		if diff := cmp.Diff(c.want.Text+"|"+strings.Join(c.want.Symbols, ";")+"|"+
			strings.Join(c.want.Warnings, ";"), label.Text+"|"+strings.Join(label.Symbols, ";")+"|"+
			strings.Join(label.Warnings, ";")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if got := labelprinter.Play([]byte("^FO1,1^FDlost^FS^XZ hello")); len(got) != 0 {
		t.Errorf("without ^XA a label comes out: %+v", got)
	}
}

func TestLabelsAreSavedAndShown(t *testing.T) {
	dir := t.TempDir()
	p, err := labelprinter.Start(labelprinter.Options{
		Options: wire.Options{TCP: "127.0.0.1:0"}, OutDir: filepath.Join(dir, "labels")})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	conn, err := net.Dial("tcp", p.Cable.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, hello)
	for len(p.Labels()) == 0 {
		<-p.Cable.Watch()
	}
	text, err := os.ReadFile(filepath.Join(dir, "labels", "label-000001.txt"))
	if err != nil || string(text) != "Hello\n" {
		t.Errorf("saved %q, %v", text, err)
	}
	page := httptest.NewServer(p.Panel().Handler())
	defer page.Close()
	r, err := http.Get(page.URL + "/picture.png")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if img, err := png.Decode(r.Body); err != nil || img.Bounds().Dx() != 200 {
		t.Errorf("picture: %v", err)
	}
	for _, do := range []string{"media", "ribbon", "head", "pause", "power"} {
		if _, err := http.PostForm(page.URL+"/do/"+do, url.Values{"on": {"false"}}); err != nil {
			t.Error(err)
		}
	}
	if s := p.State(); !s.MediaOut || !s.RibbonOut || s.On {
		t.Errorf("got %+v", s)
	}
	if v := p.Panel().View(); len(v.Facts) < 4 || len(v.Actions) != 5 {
		t.Errorf("the view is %+v", v)
	}
}

func FuzzPrinterTakesAnyBytes(f *testing.F) {
	f.Add([]byte("^XA^CI28^FO1,1^A0N,20,20^FB90,3,0,C^FH_^FDone_5E^FS^XZ~HS"))
	f.Add([]byte("^XA^BY2^FO1,1^BCN,20,Y,N^FD>:a>0^FS^GB10,10,2^FS^PQ3^XZ"))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, l := range labelprinter.Play(in) {
			if l.Width < 1 || l.Height < 1 || len(l.Text) > 16*len(in)+100 {
				t.Errorf("%q gives %+v", in, l)
			}
		}
	})
}
