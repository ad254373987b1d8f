package star_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/receipt/session"
	"holdfast.dev/hardware/star"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

func quick(t *testing.T, name string) star.Profile {
	t.Helper()
	for _, p := range star.Profiles {
		if p.Name == name {
			p.Timing = session.Timing{Answer: 2 * time.Second, Poll: time.Hour,
				Fence:   300 * time.Millisecond,
				Refills: 5 * time.Second, Drawer: time.Second}
			return p
		}
	}
	t.Fatalf("no profile %s", name)
	return star.Profile{}
}

// desk is a driver at a simulated printer.
type desk struct {
	*session.Printer
	sim      *printer.Printer
	statuses chan hardware.PrinterStatus
}

func plugIn(t *testing.T, profile star.Profile, o printer.Options) *desk {
	t.Helper()
	o.Language, o.TCP, o.OutDir = profile.Language, "127.0.0.1:0", t.TempDir()
	sim, err := printer.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	return dial(t, profile, sim)
}

func dial(t *testing.T, profile star.Profile, sim *printer.Printer) *desk {
	t.Helper()
	d := &desk{star.New(hardwaretest.Dial(t, sim.State().Address, 0), profile), sim,
		make(chan hardware.PrinterStatus, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, func(s hardware.PrinterStatus) { d.statuses <- s }) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	for deadline := time.Now().Add(patience); ; {
		if _, err := d.Print(t.Context(), nil); !strings.Contains(err.Error(), "not running") {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatal("Run does not run")
		}
	}
}

func paper(text string) receipt.Document {
	return receipt.Document{Blocks: []receipt.Block{
		receipt.Line{Text: text, Bold: true, Wide: 2, Tall: 2, Align: receipt.Centre},
		receipt.Pair("Smørrebrød “æble” 5 kg", "€ 12,50"),
		receipt.Line{Text: "Ł: inverse, underlined", Inverse: true, Underline: true},
		receipt.Image{Width: 24, Height: 30, Dots: []byte(strings.Repeat("\x1b\x06\x01", 30))},
		receipt.Barcode{Kind: receipt.EAN13, Content: "4006381333931"},
		receipt.Barcode{Kind: receipt.Code128, Content: "100%{A}"},
		receipt.Barcode{Kind: receipt.Code39, Content: "A-1"},
		receipt.Barcode{Kind: receipt.ITF, Content: "1234"},
		receipt.QR{Content: text},
		receipt.Feed{Lines: 1},
		receipt.Cut{},
	}}
}

func job(t *testing.T, text string) []byte {
	t.Helper()
	bytes, err := receipt.Job(paper(text))
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestAReceiptComesOutAsItWasWritten(t *testing.T) {
	for _, name := range []string{"starprnt", "starprnt-58", "star-line", "star-line-counter"} {
		t.Run(name, func(t *testing.T) {
			profile := quick(t, name)
			d := plugIn(t, profile, printer.Options{Dots: profile.Dots})
			for i := range 3 {
				text := fmt.Sprint("bon ", i)
				if got, err := d.Print(t.Context(), job(t, text)); got != hardware.Printed {
					t.Fatalf("print = %v, %v", got, err)
				}
				all := d.sim.Receipts()
				if len(all) != i+1 {
					t.Fatalf("%d receipts, want %d", len(all), i+1)
				}
				r := all[i]
				for _, want := range []string{text, "Smørrebrød “æble” 5 kg", "€ 12,50", "inverse",
					"[image]"} {
					if !strings.Contains(r.Text, want) {
						t.Errorf("%q is not on\n%s", want, r.Text)
					}
				}
				want := []string{"4006381333931", "100%{A}", "A-1", "1234", text}
				if fmt.Sprint(r.Symbols) != fmt.Sprint(want) || len(r.Warnings) != 0 {
					t.Errorf("symbols %q, warnings %q", r.Symbols, r.Warnings)
				}
			}
			if s := d.sim.State(); s.Unknown != 0 || s.Pulses != 0 {
				t.Errorf("the printer did not understand: %+v", s)
			}
		})
	}
}

func TestTheStateIsRead(t *testing.T) {
	d := plugIn(t, quick(t, "starprnt"), printer.Options{})
	for name, c := range map[string]struct {
		set  func(on bool)
		says func(hardware.PrinterStatus) bool
	}{
		"paper out": {d.sim.SetPaperOut, func(s hardware.PrinterStatus) bool {
			return s.PaperOut && !s.Online
		}},
		"paper low": {d.sim.SetPaperLow, func(s hardware.PrinterStatus) bool {
			return s.PaperLow && s.Online
		}},
		"cover": {d.sim.SetCover, func(s hardware.PrinterStatus) bool {
			return s.CoverOpen && !s.Online
		}},
		"hot": {d.sim.SetHot, func(s hardware.PrinterStatus) bool { return !s.Online }},
		"drawer": {func(on bool) {
			if on {
				d.sim.OpenDrawer()
			} else {
				d.sim.CloseDrawer()
			}
		}, func(s hardware.PrinterStatus) bool { return s.DrawerOpen && s.Online }},
	} {
		c.set(true)
		d.until(t, name, c.says)
		c.set(false)
		d.until(t, name+" over", func(s hardware.PrinterStatus) bool {
			return s.Online && !s.PaperOut && !s.PaperLow && !s.CoverOpen && !s.DrawerOpen
		})
	}
}

func (d *desk) until(t *testing.T, what string, says func(hardware.PrinterStatus) bool) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case s := <-d.statuses:
			if says(s) {
				return
			}
		case <-late:
			t.Fatalf("%s was not told", what)
		}
	}
}

func TestAPrinterThatNeverProvesItLeavesTheJobUnknown(t *testing.T) {
	d := plugIn(t, quick(t, "starprnt"), printer.Options{Model: printer.Model{NoProcessID: true}})
	if got, err := d.Print(t.Context(), job(t, "x")); got != hardware.Unknown ||
		!errors.Is(err, hardware.ErrTimeout) {
		t.Errorf("print = %v, %v", got, err)
	}
	silent := quick(t, "star-write-only")
	d = plugIn(t, silent, printer.Options{Model: printer.Model{Mute: true}})
	if got, err := d.Print(t.Context(), job(t, "x")); got != hardware.Sent || err != nil {
		t.Errorf("print without a back channel = %v, %v", got, err)
	}
}

// TestWhatACutJobLeavesBehindIsCleared pulls the cable within each command of a
// job: the next job on a new connection is whole.
func TestWhatACutJobLeavesBehindIsCleared(t *testing.T) {
	profile := quick(t, "star-line")
	bytes, err := star.Encode(paper("first"), profile)
	if err != nil {
		t.Fatal(err)
	}
	stride := 7
	if testing.Short() {
		stride = 97
	}
	sim, err := printer.Start(printer.Options{Language: printer.StarLine, TCP: "127.0.0.1:0",
		OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	for at := 1; at < len(bytes); at += stride {
		conn, err := net.Dial("tcp", sim.State().Address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(bytes[:at])
		conn.Close()
		sim.Unplug() // so that the connection is free again
		if err := sim.Plug(); err != nil {
			t.Fatal(err)
		}
		d := dial(t, profile, sim)
		got, err := d.Print(t.Context(), job(t, "second"))
		all := sim.Receipts()
		if got != hardware.Printed || !strings.HasSuffix(all[len(all)-1].Text,
			"[QR code second]\n\n\n") {
			t.Fatalf("after %d bytes: %v, %v\n%s", at, got, err, all[len(all)-1].Text)
		}
		sim.Unplug()
		if err := sim.Plug(); err != nil {
			t.Fatal(err)
		}
	}
}

// simulated is a printer as the contract wants it.
type simulated struct{ *printer.Printer }

func (s simulated) Address() string { return s.State().Address }

func (s simulated) Came(text string) int {
	n := 0
	for _, r := range s.Receipts() {
		n += strings.Count(r.Text, "[QR code "+text+"]")
	}
	return n
}

func start(t *testing.T, language string) simulated {
	t.Helper()
	sim, err := printer.Start(printer.Options{Language: language, TCP: "127.0.0.1:0",
		OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	return simulated{sim}
}

func TestThePrinterKeepsTheContract(t *testing.T) {
	for _, name := range []string{"starprnt", "star-line-counter"} {
		t.Run(name, func(t *testing.T) {
			profile := quick(t, name)
			profile.Timing.Answer, profile.Timing.Fence = patience, patience // nobody is silent here
			d := receipt.Document{Blocks: []receipt.Block{receipt.Line{Text: "x"},
				receipt.QR{Content: "first"}, receipt.Cut{}}}
			bytes, err := star.Encode(d, profile)
			if err != nil {
				t.Fatal(err)
			}
			const clearing, asking = 2054, 10
			stride := 5
			if testing.Short() {
				stride = 101
			}
			hardwaretest.TestPrinter(t, hardwaretest.PrinterRig{
				Start: func(t *testing.T) hardwaretest.Paper { return start(t, profile.Language) },
				Drive: func(port hardware.Port) hardware.Printer {
					return star.New(port, profile)
				},
				Length: clearing + asking + len(bytes), Stride: stride,
				Job: func(text string) []byte {
					d.Blocks[1] = receipt.QR{Content: text}
					bytes, err := receipt.Job(d)
					if err != nil {
						t.Fatal(err)
					}
					return bytes
				},
			})
		})
	}
}

func TestTheDrawerKeepsTheContract(t *testing.T) {
	hardwaretest.TestDrawer(t, func(t *testing.T) hardwaretest.DrawerRig {
		profile := quick(t, "starprnt")
		profile.Timing.Drawer = 300 * time.Millisecond
		d := dial(t, profile, start(t, profile.Language).Printer)
		<-d.statuses
		return hardwaretest.DrawerRig{Drawer: d.Drawer(2), Kicks: func() int {
			return d.sim.State().Pulses
		},
			Shut: d.sim.CloseDrawer, Jam: d.sim.SetDrawerStuck,
			Cool: func() { time.Sleep(profile.Timing.Drawer) }}
	})
}
