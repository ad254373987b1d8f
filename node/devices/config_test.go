package devices

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestWhatIsWrittenGoesBeforeTheModel(t *testing.T) {
	got, err := Config{Name: "n", Kind: Scanner, Model: "zebra-icl", Path: "/dev/x", Suffix: "crlf", Baud: 38400}.full()
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Name: "n", Kind: Scanner, Model: "zebra-icl", Path: "/dev/x", Driver: "serial", Baud: 38400,
		DataBits: got.DataBits, Parity: "even", StopBits: got.StopBits, Flow: "rtscts", Suffix: "crlf",
		AIM: got.AIM, Handshake: got.Handshake, CodeIDs: got.CodeIDs}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("full (-want +got):\n%s", diff)
	}
}

func TestEveryDriverOfTheTableCanBeConfigured(t *testing.T) {
	for kind, rows := range drivers {
		for name, row := range rows {
			cfg := Config{Name: "d", Kind: kind, Driver: name, Path: "/dev/x"}
			if !row.file {
				cfg.Path = "x:9100"
			}
			if kind == Locker {
				cfg.Boards = []Board{{Address: 1, Locks: 4}}
			}
			made := 0
			for _, there := range []bool{row.scanner != nil, row.printer != nil, row.label != nil,
				row.display != nil, row.locker != nil, row.scale != nil} {
				if there {
					made++
				}
			}
			if err := Check([]Config{cfg}); err != nil || made != 1 || row.open == nil {
				t.Errorf("%s %s: %v, makes %d devices", kind, name, err, made)
			}
		}
	}
	for _, kind := range Kinds() {
		if len(Drivers(kind)) == 0 {
			t.Errorf("a %s has no driver", kind)
		}
	}
}

func TestCheckNamesWhatADeviceCannotBe(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"model", Config{Kind: Scanner, Model: "abacus", Path: "/dev/x"}, `"abacus"`},
		{"switch of a drawer", Config{Kind: Printer, Driver: "escpos-tcp", Path: "x:1", DrawerSwitch: "ajar"},
			`drawer_switch "ajar" is none of`},
		{"model of a printer", Config{Kind: Printer, Model: "usb-serial", Path: "/dev/x"}, "only scanners have models"},
		{"parity", Config{Kind: Scanner, Driver: "serial", Path: "/dev/x", Parity: "both"}, `"both"`},
		{"aim", Config{Kind: Scanner, Driver: "serial", Path: "/dev/x", AIM: "often"}, `"often"`},
		{"layout", Config{Kind: Scanner, Driver: "evdev", Path: "/dev/x", Layout: "xx"}, `"xx"`},
		{"locker", Config{Kind: Locker, Driver: "cu16-tcp", Path: "x:1"}, "no boards"},
		{"display", Config{Kind: Display, Driver: "epson-tcp", Path: "x:1", Page: 1}, "page 1"},
		{"scale", Config{Kind: Scale, Driver: "8217-tcp", Path: "x:1", Parity: "even"}, "eight_bits"},
		{"labels", Config{Kind: LabelPrinter, Driver: "zpl-tcp", Path: "x:1", Profile: "epson"}, `"epson"`},
	} {
		c.cfg.Name = "d"
		if err := Check([]Config{c.cfg}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Check = %v, want it to say %s", c.name, err, c.want)
		}
	}
	two := []Config{
		{Name: "a", Kind: Scanner, Driver: "serial", Path: "/dev/x"},
		{Name: "b", Kind: Scale, Driver: "8217-serial", Path: "/dev/../dev/x"},
		{Name: "c", Kind: Locker, Driver: "cu16-tcp", Path: "c:1", Boards: []Board{{0, 2}}},
		{Name: "d", Kind: Locker, Driver: "cu16-tcp", Path: "d:1", Boards: []Board{{0, 1}}},
	}
	err := Check(two)
	for _, want := range []string{`devices "a" and "b" share the path /dev/x`, "two locker doors are called L0-1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want it to say %s", err, want)
		}
	}
}

func TestMetricsSayHowEveryDeviceIs(t *testing.T) {
	s := New(Options{Devices: []Config{{Name: "gun", Kind: Scanner, Driver: "serial", Path: "/dev/x"}}})
	s.devices[0].update(func(st *status) bool {
		st.opened(time.Now(), false)
		st.Scans, st.Garbage = 7, 2
		return true
	})
	r := prometheus.NewRegistry()
	r.MustRegister(Collector(s))
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, family := range all {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	delete(got, "holdfast_device_last_seen_seconds gun scanner")
	want := map[string]float64{"holdfast_device_up gun scanner": 1,
		"holdfast_device_phase gun scanner ready": 1, "holdfast_device_losses_total gun scanner": 0,
		"holdfast_device_scans_total gun scanner ok":         7,
		"holdfast_device_scans_total gun scanner garbage":    2,
		"holdfast_device_scans_total gun scanner suppressed": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
