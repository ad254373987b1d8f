package display_test

import (
	"strings"
	"testing"
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
