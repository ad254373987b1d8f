package display_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	sim "holdfast.dev/firmware-sim/display"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/display"
	"holdfast.dev/hardware/hardwaretest"
)

var dialects = map[string]display.Config{
	sim.Epson:  {Dialect: display.EpsonDMD, Page: display.Page1252},
	sim.CD5220: {Dialect: display.CD5220},
}

func TestDisplaysKeepTheContract(t *testing.T) {
	for name, cfg := range dialects {
		t.Run(name, func(t *testing.T) {
			type rig = hardwaretest.DisplayRig
			hardwaretest.TestDisplay(t, func(t *testing.T, spoil *hardwaretest.Spoil) rig {
				port, far := hardwaretest.Pipe(time.Second)
				device, err := sim.On(far, name)
				if err != nil {
					t.Fatal(err)
				}
				return rig{
					Display: display.New(spoil.On(port), cfg),
					Screen:  func() [2]string { return device.State().Lines },
					Level:   func() int { return device.State().Brightness },
					Unplug:  func() { device.Close() },
				}
			})
		})
	}
}

func TestPairSetsTheAmountOnTheRight(t *testing.T) {
	for _, c := range []struct{ left, right, want string }{
		{"Cola 0,5l", "1,50", "Cola 0,5l       1,50"},
		{"Rye crispbread with seeds", "12,95", "Rye crispbread 12,95"},
		{"", "€ 3,00", "              € 3,00"},
		{"x", strings.Repeat("9", 30), strings.Repeat("9", 20)},
	} {
		if got := display.Pair(c.left, c.right); got != c.want {
			t.Errorf("Pair(%q, %q) = %q, want %q", c.left, c.right, got, c.want)
		}
	}
}

// tap is a port that keeps what is written.
type tap struct {
	hardware.Port
	wrote chan []byte
}

func (p tap) Write(b []byte) (int, error) {
	p.wrote <- append([]byte(nil), b...)
	return len(b), nil
}

func TestThePictureOfTheManualIsUpToDate(t *testing.T) {
	const path = "../../docs/display.png"
	var got []byte
	synctest.Test(t, func(t *testing.T) {
		port, far := hardwaretest.Pipe(time.Second)
		device, err := sim.On(far, sim.Epson)
		if err != nil {
			t.Fatal(err)
		}
		d := display.New(port, dialects[sim.Epson])
		ended := make(chan error, 1)
		go func() { ended <- d.Run(t.Context()) }()
		synctest.Wait()
		err = d.Show(t.Context(), display.Pair("Rye crispbread", "2,49"),
			display.Pair("Total", "€ 13,97"))
		if err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got, err = device.PNG(); err != nil {
			t.Error(err)
		}
		device.Close()
		<-ended
	})
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(kept, got) || len(got) > 60_000 {
		t.Errorf("%s is another picture (%v); UPDATE=1 replaces it", path, err)
	}
}

func FuzzTextNeverBecomesACommand(f *testing.F) {
	f.Add("Cola 0,5l", "\x1b@\x0c\x1f$")
	f.Add("Smørrebrød ﬁn", "⅓ \xff\u202e€")
	f.Fuzz(func(t *testing.T, top, bottom string) {
		for name, cfg := range dialects {
			port, far := hardwaretest.Pipe(time.Second)
			defer far.Close()
			wires := tap{port, make(chan []byte, 8)}
			d := display.New(wires, cfg)
			ended := make(chan error, 1)
			go func() { ended <- d.Run(t.Context()) }()
			<-wires.wrote
			if err := d.Show(t.Context(), top, bottom); err != nil {
				t.Fatal(err)
			}
			sent := <-wires.wrote
			far.Close()
			<-ended
			if len(sent) != 48 {
				t.Fatalf("%s: %d bytes", name, len(sent))
			}
			cells := sent[4:24]
			if name == sim.CD5220 {
				cells = sent[3:23]
			}
			for _, b := range cells {
				if b < ' ' || b == 0x7f {
					t.Fatalf("%s: cells % x", name, cells)
				}
			}
		}
		if p := display.Pair(top, bottom); utf8.RuneCountInString(p) != 20 {
			t.Errorf("Pair gives %q", p)
		}
	})
}
