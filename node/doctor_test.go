package node_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	_ "image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"

	"holdfast.dev/firmware-sim/display"
	"holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/firmware-sim/locker"
	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/firmware-sim/scale"
	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/firmware-sim/wire"
	"holdfast.dev/node"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk"
)

// desk is one simulated device of each kind.
type desk struct {
	gun   *scanner.Scanner
	paper *printer.Printer
	tags  *labelprinter.Printer
	list  []devices.Config
}

func furnish(t *testing.T) *desk {
	t.Helper()
	tcp := wire.Options{TCP: "127.0.0.1:0"}
	d := &desk{}
	var err [6]error
	d.gun, err[0] = scanner.Start(scanner.Options{Link: filepath.Join(t.TempDir(), "gun"), Baud: 115200})
	d.paper, err[1] = printer.Start(printer.Options{TCP: tcp.TCP, OutDir: t.TempDir()})
	d.tags, err[2] = labelprinter.Start(labelprinter.Options{Options: tcp, Chatty: true})
	eyes, fault := display.Start(display.Options{Options: tcp})
	err[3] = fault
	wall, fault := locker.Start(locker.Options{Options: tcp, Doors: 2})
	err[4] = fault
	pan, fault := scale.Start(scale.Options{Options: tcp})
	err[5] = fault
	if err := errors.Join(err[:]...); err != nil {
		t.Fatal(err)
	}
	for _, c := range []interface{ Close() error }{d.gun, d.paper, d.tags, eyes, wall, pan} {
		t.Cleanup(func() { c.Close() })
	}
	d.list = []devices.Config{
		{Name: "gun", Kind: devices.Scanner, Driver: "serial", Path: d.gun.Path(), Baud: 115200},
		{Name: "paper", Kind: devices.Printer, Driver: "escpos-tcp", Path: d.paper.State().Address},
		{Name: "tags", Kind: devices.LabelPrinter, Driver: "zpl-tcp", Path: d.tags.Cable.Address()},
		{Name: "eyes", Kind: devices.Display, Driver: "epson-tcp", Path: eyes.Cable.Address()},
		{Name: "wall", Kind: devices.Locker, Driver: "cu16-tcp", Path: wall.Cable.Address(),
			Boards: []devices.Board{{Address: 0, Locks: 2}}},
		{Name: "pan", Kind: devices.Scale, Driver: "8217-tcp", Path: pan.Cable.Address()},
	}
	return d
}

func (d *desk) wire(o *node.Options) {
	o.Devices = d.list
	o.Stations = []kiosk.Station{{Name: "till", Scanner: "gun", Printer: "paper", Display: "eyes", Scale: "pan",
		Labels: "tags", Drawer: 1}}
}

// examine runs the doctor and gives its verdicts by check.
func examine(t *testing.T, o node.Options, test bool) (map[string]node.Finding, error) {
	t.Helper()
	var out bytes.Buffer
	err := node.Doctor(t.Context(), node.DoctorOptions{Data: o.Data, Listen: o.Listen, Admin: o.Admin,
		Cloud: o.Cloud, Devices: o.Devices, Stations: o.Stations, Measures: o.Measures, Country: o.Country,
		JSON: true, SelfTest: test, Wait: patient}, "node.toml", &out)
	all := make(map[string]node.Finding)
	lines := bufio.NewScanner(&out)
	for lines.Scan() {
		var f node.Finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		all[f.Check] = f
	}
	return all, err
}

// bad lists what the doctor found bad, and that it said what to do.
func bad(t *testing.T, all map[string]node.Finding) []string {
	t.Helper()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if f := all[name]; f.State == node.Bad {
			names = append(names, name)
			if f.Todo == "" || f.Says == "" {
				t.Errorf("%s says %q and to do %q", name, f.Says, f.Todo)
			}
		}
	}
	return names
}

// readPaper reads the code of the newest receipt from its picture.
func readPaper(t *testing.T, p *printer.Printer) string {
	all := p.Receipts()
	if len(all) == 0 {
		return ""
	}
	f, err := os.Open(all[len(all)-1].PNG)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	picture, _, err := image.Decode(f)
	if err != nil {
		t.Error(err)
		return ""
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Error(err)
		return ""
	}
	code, err := oned.NewCode128Reader().Decode(bitmap, nil)
	if err != nil {
		t.Errorf("the code on the paper cannot be read: %v", err)
		return ""
	}
	return code.GetText()
}

// scanWhatComes is a person who reads the code of each new paper with the
// scanner, again and again.
func (d *desk) scanWhatComes(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		changed := d.paper.Watch()
		if len(d.paper.Receipts()) == 0 {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if code := readPaper(t, d.paper); code != "" {
			_ = d.gun.Scan(ctx, code, "") // the host may be gone by now
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func TestTheDoctorFindsARunningNodeWellAndProvesItsDevices(t *testing.T) {
	d := furnish(t)
	r := open(t, d.wire)
	r.online()
	r.until("the devices are ready", func() bool {
		all, err := examine(t, r.options, false)
		return err == nil && all["device paper"].State == node.Sound && all["device wall"].State == node.Sound
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.scanWhatComes(ctx, t)
	}()
	all, err := examine(t, r.options, true)
	stop()
	<-done
	if names := bad(t, all); err != nil || names != nil {
		t.Errorf("Doctor = %v, bad: %v", err, names)
	}
	for _, name := range []string{"configuration", "identity", "journal", "line to the cloud", "cloud, TCP",
		"cloud, TLS", "port gun", "device gun", "device pan", "test paper", "test wall", "test pan", "proof gun"} {
		if f := all[name]; f.State != node.Sound {
			t.Errorf("%s = %+v, want it sound", name, f)
		}
	}
	code := strings.TrimPrefix(all["proof gun"].Says, "read what was printed: ")
	if !strings.HasPrefix(code, "HFT-") || !strings.Contains(all["test eyes"].Says, code) {
		t.Errorf("the code is %q, the display: %q", code, all["test eyes"].Says)
	}
	if labels := d.tags.Labels(); len(labels) != 1 || !slices.Contains(labels[0].Symbols, code) {
		t.Errorf("labels = %+v", labels)
	}
}

func TestTheDoctorSaysWhatIsWrong(t *testing.T) {
	d := furnish(t)
	r := open(t, d.wire)
	r.online()
	d.paper.SetPaperOut(true)
	d.gun.Unplug()
	r.cloud.end()
	want := []string{"cloud, TCP", "device gun", "device paper", "port gun"}
	r.until("the node has noticed", func() bool {
		all, err := examine(t, r.options, false)
		if err != nil && !errors.Is(err, node.ErrUnwell) {
			t.Fatal(err)
		}
		return cmp.Equal(want, bad(t, all))
	})
}

func TestTheDoctorTellsThatTheNodeHasReadAnotherConfiguration(t *testing.T) {
	d := furnish(t)
	r := open(t, d.wire)
	r.online()
	changed := r.options
	changed.Devices = slices.Clone(d.list[:5])
	changed.Devices[1].Path = "127.0.0.1:9100"
	changed.Devices = append(changed.Devices,
		devices.Config{Name: "second", Kind: devices.Printer, Driver: "escpos-tcp", Path: "127.0.0.1:9101"})
	all, err := examine(t, changed, false)
	if !errors.Is(err, node.ErrUnwell) {
		t.Errorf("Doctor = %v", err)
	}
	f := all["configuration"]
	for _, part := range []string{"second is new", "paper was a printer by escpos-tcp on " + d.list[1].Path,
		"pan is not in it any more"} {
		if f.State != node.Bad || !strings.Contains(f.Says, part) || !strings.Contains(f.Todo, "restart") {
			t.Errorf("configuration = %+v, want it to say %s", f, part)
		}
	}
}

func TestTheDoctorTriesEachProcessOfTheCloud(t *testing.T) {
	r := open(t, func(*node.Options) {})
	r.online()
	const nobody = "127.0.0.1:1"
	all, _ := examine(t, r.options, false)
	somebody, _, _ := strings.Cut(all["cloud, TCP"].Says, " ")
	for _, c := range []struct {
		cloud string
		want  node.Verdict
	}{
		{somebody + ", " + nobody, node.Doubt},
		{nobody + "," + nobody, node.Bad},
		{nobody, node.Bad},
	} {
		o := r.options
		o.Cloud = c.cloud
		all, _ := examine(t, o, false) // the verdict is what counts
		if got := all["cloud, TCP"]; got.State != c.want || got.Todo == "" {
			t.Errorf("%s: %+v, want %s", c.cloud, got, c.want)
		}
		if got := all["cloud, TLS"].State; c.want == node.Doubt && got != node.Sound {
			t.Errorf("the process that answers is %s", got)
		}
	}
}

func TestTheDoctorExaminesANodeThatDoesNotRun(t *testing.T) {
	d := furnish(t)
	r := open(t, d.wire)
	r.online()
	r.node.end()
	all, err := examine(t, r.options, false)
	if names := bad(t, all); err != nil || names != nil {
		t.Errorf("Doctor = %v, bad: %v", err, names)
	}
	if got := all["node"].State; got != node.Doubt {
		t.Errorf("a node that does not run is %s", got)
	}
	broken := r.options
	broken.Data = filepath.Join(t.TempDir(), "none")
	broken.Devices = append(slices.Clone(d.list), devices.Config{Name: "gun", Kind: "lamp"})
	broken.Stations = []kiosk.Station{{Name: "till", Scanner: "paper", Drawer: 3, BagLabels: true}}
	broken.Country = "xx"
	all, err = examine(t, broken, false)
	if !errors.Is(err, node.ErrUnwell) {
		t.Errorf("Doctor = %v", err)
	}
	for _, part := range []string{"two devices are called", `kind "lamp"`, `no scanner is called "paper"`, "drawer 3",
		"bag-labels", `country "xx"`} {
		if !strings.Contains(all["configuration"].Says, part) {
			t.Errorf("configuration = %q, want it to say %s", all["configuration"].Says, part)
		}
	}
	if _, err := os.Stat(broken.Data); !errors.Is(err, os.ErrNotExist) {
		t.Error("the doctor has made a folder")
	}
}
