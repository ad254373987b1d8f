package serial

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tarm "github.com/tarm/serial"
)

// A pseudo terminal is always 8N, so what is asked of tarm is looked at instead.
func TestEveryFrameFormatIsAskedForAsTarmNamesIt(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want tarm.Config
	}{
		"as most devices come": {Config{Baud: 9600},
			tarm.Config{Baud: 9600, Parity: 'N', StopBits: 1}},
		"7E1": {Config{Baud: 9600, DataBits: 7, Parity: Even, StopBits: 1},
			tarm.Config{Baud: 9600, Size: 7, Parity: 'E', StopBits: 1}},
		"8O2": {Config{Baud: 19200, DataBits: 8, Parity: Odd, StopBits: 2},
			tarm.Config{Baud: 19200, Size: 8, Parity: 'O', StopBits: 2}},
		"a rate that tarm does not know": {Config{Baud: 128000},
			tarm.Config{Baud: DefaultBaud, Parity: 'N', StopBits: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.ReadTimeout = tarmReadTimeout
			got, err := settingsOf(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatNoLineCanDoIsRefusedInASentence(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Baud: 123}, "no serial line runs at this rate"},
		{Config{Baud: 5_000_000}, "no serial line runs at this rate"},
		{Config{Baud: -9600}, "no serial line runs at this rate"},
		{Config{Baud: 9600, DataBits: 9}, "9 data bits are not 5 to 8"},
		{Config{Baud: 9600, StopBits: 15}, "15 stop bits are not 1 or 2"},
		{Config{Baud: 9600, Parity: 7}, "parity 7 is none of even, none, odd"},
	} {
		if _, err := settingsOf(c.cfg); err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}

func TestNamesOfSettingsAreRead(t *testing.T) {
	for name, want := range map[string]Parity{
		"": NoParity, "none": NoParity, "even": Even, "odd": Odd,
	} {
		if got, err := ParseParity(name); got != want || err != nil {
			t.Errorf("ParseParity(%q) = %d, %v", name, got, err)
		}
	}
	for name, want := range map[string]Flow{
		"": NoFlow, "none": NoFlow, "rtscts": RTSCTS, "xonxoff": XONXOFF,
	} {
		if got, err := ParseFlow(name); got != want || err != nil {
			t.Errorf("ParseFlow(%q) = %d, %v", name, got, err)
		}
	}
	_, err := ParseParity("mark")
	if err == nil || !strings.Contains(err.Error(), "even, none, odd") {
		t.Errorf("ParseParity of an unknown name = %v", err)
	}
	_, err = ParseFlow("dtr")
	if err == nil || !strings.Contains(err.Error(), "none, rtscts, xonxoff") {
		t.Errorf("ParseFlow of an unknown name = %v", err)
	}
}
