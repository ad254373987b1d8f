package barcode_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware/barcode"
)

func TestEveryShippedModelIsRead(t *testing.T) {
	all := barcode.Models()
	if len(all) < 15 {
		t.Fatalf("%d models", len(all))
	}
	drivers := map[barcode.Driver]int{}
	for _, m := range all {
		drivers[m.Driver]++
		found, err := barcode.FindModel(m.Name)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(m, found); diff != "" {
			t.Errorf("%s is another one (-table +found):\n%s", m.Name, diff)
		}
		rescan := m.Config().MinRescan
		if rescan != 0 && !strings.Contains(m.Title, "presentation") {
			t.Errorf("%s drops re-reads of %v, and is no presentation scanner", m.Name, rescan)
		}
	}
	for _, d := range []barcode.Driver{barcode.Serial, barcode.SSI, barcode.Keyboard, barcode.TCP} {
		if drivers[d] == 0 {
			t.Errorf("no model uses driver %s", d)
		}
	}
}

func TestAModelGivesTheSettingsOfItsDriver(t *testing.T) {
	olivetti, err := barcode.FindModel("zebra-olivetti")
	if err != nil {
		t.Fatal(err)
	}
	if olivetti.Baud != 9600 || olivetti.DataBits != 7 || olivetti.Parity != "even" {
		t.Errorf("line = %+v", olivetti)
	}
	want := barcode.Config{Suffix: barcode.ETX, Handshake: true}
	if diff := cmp.Diff(want, olivetti.Config()); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	m, err := barcode.ParseModel("mine", []byte(`
		title = "Mine"
		driver = "tcp"
		suffix = "none"
		prefix = "#"
		aim = "always"
		code_ids = {A = "]E0"}
		idle_gap = "150ms"
		min_rescan = "1s"
		setup = {manual = "none", steps = ["none"]}`))
	if err != nil {
		t.Fatal(err)
	}
	want = barcode.Config{
		Suffix: barcode.Silent, Prefix: "#", AIM: barcode.AIMAlways,
		CodeIDs: map[string]string{"A": "]E0"},
		IdleGap: 150 * time.Millisecond, MinRescan: time.Second,
	}
	if diff := cmp.Diff(want, m.Config()); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestABadModelIsRefusedInASentence(t *testing.T) {
	const setup = "\n[setup]\nmanual = \"M\"\nsteps = [\"S\"]\n"
	const head = "title = \"T\"\n"
	const serial = head + "driver = \"serial\"\nbaud = 9600\n"
	for _, c := range []struct{ name, text, says string }{
		{"no title", "driver = \"tcp\"" + setup, "title is missing"},
		{"no steps", head + "driver = \"tcp\"\n[setup]\nmanual = \"M\"",
			"setup needs a manual and at least one step"},
		{"no driver", head + setup, `driver "" is none of serial, tcp, ssi, evdev`},
		{"a field that there is not", serial + "bauds = 1" + setup, `there is no field "bauds"`},
		{"no rate", head + "driver = \"serial\"" + setup, "a serial line needs baud"},
		{"a wrong suffix", serial + "suffix = \"enter\"" + setup, `suffix "enter" is none of`},
		{"a wrong parity", serial + "parity = \"mark\"" + setup,
			`parity "mark" is none of none, even, odd`},
		{"a wrong stop", serial + "stop_bits = 3" + setup, "stop_bits 3 is neither 1 nor 2"},
		{"wrong bits", serial + "data_bits = 6" + setup, "data_bits 6 is neither 7 nor 8"},
		{"a wrong flow", serial + "flow = \"dtr\"" + setup, `flow "dtr" is none of`},
		{"a wrong handshake", serial + "handshake = \"yes\"" + setup, `handshake "yes" is neither`},
		{"a wrong AIM setting", serial + "aim = \"on\"" + setup, `AIM setting "on" is none of`},
		{"a code id for nothing", serial + "code_ids = {A = \"E0\"}" + setup,
			`code id "A" stands for "E0"`},
		{"a code id without letters", serial + "code_ids = {\"\" = \"]E0\"}" + setup, `code id ""`},
		{"a time below zero", serial + "min_rescan = \"-1s\"" + setup, "cannot be below zero"},
		{"a layout without keyboard", serial + "layout = \"us\"" + setup,
			"a serial line has no use for layout"},
		{"a keyboard without layout", head + "driver = \"evdev\"" + setup,
			"a keyboard needs a layout"},
		{"a keyboard with a rate",
			head + "driver = \"evdev\"\nlayout = \"us\"\nbaud = 9600" + setup,
			"a keyboard has no use for baud"},
		{"a network with a rate", head + "driver = \"tcp\"\nbaud = 9600" + setup,
			"a network connection has no use for baud"},
		{"packets with a suffix", head + "driver = \"ssi\"\nbaud = 9600\nsuffix = \"cr\"" + setup,
			"a packet protocol has no use for suffix"},
		{"packets of seven bits", head + "driver = \"ssi\"\nbaud = 9600\ndata_bits = 7" + setup,
			"ssi needs 8 data bits"},
		{"doubt in nothing", serial + "unchecked = [\"parity\"]" + setup,
			`unchecked "parity" is not set`},
		{"no TOML", "title", "scanner model mine: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := barcode.ParseModel("mine", []byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), "scanner model mine: ") ||
				!strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want it to say %q", err, c.says)
			}
		})
	}
	_, err := barcode.FindModel("mine")
	if err == nil || !strings.Contains(err.Error(), "zebra-ssi") {
		t.Errorf("a model that there is not = %v, want the names of those that there are", err)
	}
}

func TestAFolderOfModelsNamesEachBadFile(t *testing.T) {
	good := "title = \"T\"\ndriver = \"tcp\"\n[setup]\nmanual = \"M\"\nsteps = [\"S\"]\n"
	all, err := barcode.LoadModels(fstest.MapFS{
		"a.toml": {Data: []byte(good)}, "b.toml": {Data: []byte("x")},
		"c.toml": {Data: []byte("y = 1")},
		"README": {Data: []byte("no model")},
	})
	if len(all) != 1 || all[0].Name != "a" {
		t.Errorf("models = %+v, want a", all)
	}
	if err == nil || !strings.Contains(err.Error(), "model b:") ||
		!strings.Contains(err.Error(), "model c:") {
		t.Errorf("error = %v, want b and c in it", err)
	}
}

func FuzzModel(f *testing.F) {
	for _, m := range barcode.Models() {
		f.Add("title = \"" + m.Title + "\"\ndriver = \"" + string(m.Driver) +
			"\"\nbaud = 9600\nsetup = {manual = \"M\", steps = [\"S\"]}")
	}
	f.Add("min_rescan = 9999999999999999999\ncode_ids = {a=1}")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := barcode.ParseModel("fuzz", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "scanner model fuzz: ") {
				t.Errorf("%q does not say which model", err)
			}
			return
		}
		cfg := m.Config()
		if m.Title == "" || len(m.Setup.Steps) == 0 || cfg.IdleGap < 0 || cfg.MinRescan < 0 {
			t.Errorf("accepted %+v", m)
		}
	})
}
