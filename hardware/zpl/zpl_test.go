package zpl_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	_ "image/png"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"

	sim "holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/zpl"
)

const (
	speed = 50 // mm per second: the slip of 60 mm takes more than a second
	token = "HF1:6BF.NC$:D%6XS5 W3QSP%J38VD0E2H7/VF9AQ$GC%IG"
)

const patience = 10 * time.Second

// slip is a long label with little on it, so that it is quickly sent and drawn.
var slip = zpl.Label{Width: 40, Height: 480, Items: []zpl.Item{
	zpl.Text{Size: 20, Width: 40, Content: "A1"}}}

func bag() zpl.Label {
	return zpl.BagLabel{Code: "K7RM-2P9X", QR: token, FirstName: "Joaquín", Shelf: "Shelf B-12",
		Note: "Sat 5 Dec · bag 1 of 2"}.Label()
}

func encode(t testing.TB, l zpl.Label) []byte {
	t.Helper()
	job, err := zpl.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func rig(
	t *testing.T, spoil *hardwaretest.Spoil, o sim.Options,
) (hardwaretest.LabelRig, *sim.Printer) {
	t.Helper()
	port, far := hardwaretest.Pipe(time.Second)
	o.Speed = speed
	device, err := sim.On(far, o)
	if err != nil {
		t.Fatal(err)
	}
	return hardwaretest.LabelRig{
		LabelPrinter: zpl.New(spoil.On(port), zpl.Config{}),
		Job:          encode(t, slip),
		Printed:      func() int { return len(device.Labels()) },
		Media:        device.SetMedia, Head: device.SetHead, Pause: device.SetPaused,
		Power:  device.SetPower,
		Unplug: func() { device.Close() },
	}, device
}

func TestPrintersKeepTheContract(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"silent when it cannot print": {}, "answers always": {Chatty: true},
	} {
		t.Run(name, func(t *testing.T) {
			hardwaretest.TestLabelPrinter(t,
				func(t *testing.T, spoil *hardwaretest.Spoil) hardwaretest.LabelRig {
					r, _ := rig(t, spoil, o)
					return r
				})
		})
	}
}

// run runs a driver until the bubble ends.
func run(t *testing.T, r hardwaretest.LabelRig) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, func(hardware.LabelStatus) {}) }()
	synctest.Wait()
	t.Cleanup(func() { cancel(); <-ended; r.Unplug() })
}

func TestWhatStopsAPrinterIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		break_ func(*sim.Printer)
		want   error
	}{
		"media":  {func(p *sim.Printer) { p.SetMedia(false) }, zpl.ErrMedia},
		"ribbon": {func(p *sim.Printer) { p.SetRibbon(false) }, zpl.ErrRibbon},
		"head":   {func(p *sim.Printer) { p.SetHead(true) }, zpl.ErrHead},
		"pause":  {func(p *sim.Printer) { p.SetPaused(true) }, zpl.ErrPaused},
		"power":  {func(p *sim.Printer) { p.SetPower(false) }, zpl.ErrOffline},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, device := rig(t, &hardwaretest.Spoil{}, sim.Options{Chatty: true})
				run(t, r)
				c.break_(device)
				state, err := r.Print(t.Context(), r.Job)
				if state != hardware.Failed || !errors.Is(err, c.want) {
					t.Errorf("got %v, %v; want %v", state, err, c.want)
				}
			})
		})
	}
}

func TestAPrinterWithoutABackChannelEndsInSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port, far := hardwaretest.Pipe(time.Second)
		device, err := sim.On(far, sim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := hardwaretest.LabelRig{LabelPrinter: zpl.New(port, zpl.Config{WriteOnly: true}),
			Unplug: func() { device.Close() }}
		run(t, r)
		state, err := r.Print(t.Context(), encode(t, bag()))
		if state != hardware.Sent || err != nil {
			t.Errorf("got %v, %v", state, err)
		}
		synctest.Wait()
		if len(device.Labels()) != 1 {
			t.Errorf("%d labels are out", len(device.Labels()))
		}
	})
}

// printed gives the label that a printer makes of a job.
func printed(t testing.TB, job []byte) sim.Label {
	t.Helper()
	port, far := hardwaretest.Pipe(time.Second)
	device, err := sim.On(far, sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if _, err := port.Write(job); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if labels := device.Labels(); len(labels) > 0 {
			if s := device.State(); s.Unknown > 0 {
				t.Errorf("%d commands are unknown: %v", s.Unknown, labels[0].Warnings)
			}
			return labels[0]
		}
		runtime.Gosched()
	}
	t.Fatal("no label came out")
	return sim.Label{}
}

func picture(t *testing.T, l sim.Label) image.Image {
	t.Helper()
	png, err := l.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, _, err := image.Decode(bytes.NewReader(png))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestLabelsSayWhatTheyShouldAndFit(t *testing.T) {
	long := strings.Repeat("Very long name of a thing with many words and Wörter ", 6)
	for name, c := range map[string]struct {
		label zpl.Label
		text  []string
	}{
		"product": {zpl.ProductLabel{Name: "Smørrebrød ^XZ~JA_5E", Price: "2,49 €",
			GTIN: "8710398500014"}.Label(),
			[]string{"Smørrebrød", "^XZ~JA_5E", "2,49 €", "[EAN-13 8710398500014]"}},
		"shelf": {zpl.ShelfLabel{Name: "Rye crispbread", Price: "2,49 €", UnitPrice: "1 kg = 9,96 €",
			GTIN: "5701234567899"}.Label(),
			[]string{"Rye crispbread", "[EAN-13 5701234567899]", "2,49 €", "1 kg = 9,96 €"}},
		"bag": {bag(), []string{"K7RM-2P9X", "Joaquín", "Shelf", "B-12", "Sat 5 Dec · bag 1 of 2",
			"[QR " + token + "]"}},
		"short code": {zpl.ProductLabel{Name: `a\b \& c`, GTIN: "96385074"}.Label(),
			[]string{`a\b \& c`, "[EAN-8 96385074]"}},
		"long texts": {zpl.BagLabel{Code: long, FirstName: long, Shelf: long, Note: long}.Label(), nil},
		"long names": {zpl.ShelfLabel{Name: long, Price: "1234567,89 €", UnitPrice: long,
			GTIN: "8710398500014"}.Label(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := printed(t, encode(t, c.label))
			if len(got.Warnings) > 0 {
				t.Errorf("warnings: %v", got.Warnings)
			}
			if got.Width != c.label.Width || got.Height != c.label.Height {
				t.Errorf("it is %d by %d dots", got.Width, got.Height)
			}
			if diff := cmp.Diff(strings.Join(c.text, "\n"), got.Text); c.text != nil && diff != "" {
				t.Error(diff)
			}
			for _, line := range strings.Split(got.Text, "\n") {
				if c.text == nil && strings.HasPrefix(line, "Very") && len(line) > 80 {
					t.Errorf("a line of %d characters", len(line))
				}
			}
		})
	}
}

func TestIndependentReadersReadTheCodes(t *testing.T) {
	bitmap := func(l sim.Label) *gozxing.BinaryBitmap {
		b, err := gozxing.NewBinaryBitmapFromImage(picture(t, l))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	read := func(reader gozxing.Reader, l zpl.Label) string {
		got, err := reader.Decode(bitmap(printed(t, encode(t, l))), map[gozxing.DecodeHintType]any{
			gozxing.DecodeHintType_TRY_HARDER: true})
		if err != nil {
			return err.Error()
		}
		return got.GetText()
	}
	product := zpl.ProductLabel{Name: "x", GTIN: "8710398500014"}.Label()
	if got := read(oned.NewEAN13Reader(), product); got != "8710398500014" {
		t.Errorf("EAN-13 reads %q", got)
	}
	short := zpl.ProductLabel{GTIN: "96385074"}.Label()
	if got := read(oned.NewEAN8Reader(), short); got != "96385074" {
		t.Errorf("EAN-8 reads %q", got)
	}
	if got := read(qrcode.NewQRCodeReader(), bag()); got != token {
		t.Errorf("QR reads %q", got)
	}
	content := "a>b^c~d_5E \\&"
	own := zpl.Label{Width: 800, Height: 200, Items: []zpl.Item{
		zpl.Barcode{X: 60, Y: 20, Kind: zpl.Code128, Content: content, Height: 100, Module: 2}}}
	if got := read(oned.NewCode128Reader(), own); got != content {
		t.Errorf("Code 128 reads %q", got)
	}
}

func TestLabelsThatCannotBePrintedAreRefused(t *testing.T) {
	ok := zpl.Text{Size: 20, Width: 100, Content: "x"}
	for name, l := range map[string]zpl.Label{
		"no size":        {Items: []zpl.Item{ok}},
		"too large":      {Width: 5000, Height: 10},
		"copies":         {Width: 100, Height: 100, Copies: 1000},
		"nil item":       {Width: 100, Height: 100, Items: []zpl.Item{nil}},
		"outside":        item(zpl.Text{X: 100, Size: 20, Width: 10, Content: "x"}),
		"tiny text":      item(zpl.Text{Size: 9, Width: 10}),
		"alignment":      item(zpl.Text{Size: 20, Width: 10, Align: 3}),
		"thick box":      item(zpl.Box{Width: 5, Height: 5, Thick: 6}),
		"wrong check":    item(zpl.Barcode{Kind: zpl.EAN8, Content: "96385075", Height: 9, Module: 1}),
		"short EAN":      item(zpl.Barcode{Kind: zpl.EAN13, Content: "96385074", Height: 9, Module: 1}),
		"wide barcode":   item(zpl.Barcode{Kind: zpl.EAN8, Content: "96385074", Height: 9, Module: 2}),
		"control code":   item(zpl.Barcode{Kind: zpl.Code128, Content: "\x02", Height: 9, Module: 1}),
		"unknown kind":   item(zpl.Barcode{Content: "1", Height: 9, Module: 1}),
		"empty QR":       item(zpl.QR{Module: 1}),
		"QR of a letter": item(zpl.QR{Content: "é", Module: 1}),
		"QR module":      item(zpl.QR{Content: "A", Module: 11}),
	} {
		if job, err := zpl.Encode(l); err == nil {
			t.Errorf("%s gives %q", name, job)
		}
	}
}

func item(i zpl.Item) zpl.Label {
	return zpl.Label{Width: 100, Height: 100, Items: []zpl.Item{i}}
}

func TestTextsThatLookLikeCommandsAreText(t *testing.T) {
	for _, nasty := range []string{
		"^XZ~JA^FS", "~HS", "^FD_5E", "a^b~c", "_7E_5E",
		"\x02\x03\x18\x1b@", "^BQN,2,3^FDMA,x^FS", "\xff\xfe",
	} {
		label := zpl.BagLabel{Code: nasty, FirstName: nasty, Shelf: nasty, Note: nasty}.Label()
		got := printed(t, encode(t, label))
		if len(got.Symbols) > 0 || got.Width != label.Width || len(strings.Split(got.Text, "\n")) < 4 {
			t.Errorf("%q became %+v", nasty, got)
		}
	}
}

// commandsOf takes the field data out of a job, so that only commands are left.
func commandsOf(job []byte) string {
	var out strings.Builder
	rest := string(job)
	for {
		before, data, ok := strings.Cut(rest, "^FH_^FD")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		_, rest, _ = strings.Cut(data, "^FS")
		out.WriteString("data")
	}
}

func FuzzNoTextBecomesACommand(f *testing.F) {
	f.Add("^XZ~JA", "^FS^XZ", `\&_5E\\`)
	f.Add("Smørrebrød", "\x00\x02\xff", "\u202e2,49")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		label := zpl.BagLabel{Code: a, FirstName: b, Shelf: c, Note: a + b}.Label()
		job := encode(t, label)
		for _, x := range job {
			if x != '\n' && (x < ' ' || x > 0x7e) {
				t.Fatalf("%q holds a byte %x", job, x)
			}
		}
		// Size and number of lines follow the text; nothing else does.
		plain := shape(commandsOf(encode(t, zpl.BagLabel{}.Label())))
		got := strings.ReplaceAll(shape(commandsOf(job)), "^FO,^AN,,data\n", "")
		if got != plain {
			t.Errorf("commands differ:\n%s\n%s", got, plain)
		}
		if job, err := zpl.Encode(item(zpl.QR{Content: a, Module: 1})); err == nil {
			if n := strings.Count(string(job), "^"); n != 14 {
				t.Errorf("%d commands in %q", n, job)
			}
		}
	})
}

// shape leaves out numbers.
func shape(commands string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, commands)
}

func TestThePictureOfTheManualIsUpToDate(t *testing.T) {
	const path = "../../docs/label.png"
	png, err := printed(t, encode(t, bag())).PNG()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(kept, png) {
		t.Errorf("%s is another picture (%v); UPDATE=1 replaces it", path, err)
	}
	if len(png) > 60_000 {
		t.Errorf("it has %d bytes", len(png))
	}
}
