package demo

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"holdfast.dev/firmware-sim/display"
	"holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/firmware-sim/locker"
	"holdfast.dev/firmware-sim/scale"
	"holdfast.dev/firmware-sim/wire"
)

const (
	// Compartments is how many doors the demo's locker has, on board 0.
	Compartments = 6
	lockerBaud   = 19200
)

// Extras are the devices that one store of the demo has beside its scanners and
// its receipt printer, so that each can be tried.
type Extras struct {
	Display *display.Display
	Scale   *scale.Scale
	Labels  *labelprinter.Printer
	Locker  *locker.Locker
}

// plugExtras switches a store's other devices on.
func (s *Store) plugExtras() error {
	line := func(name string, baud int) wire.Options { return wire.Options{Link: s.device(name), Baud: baud} }
	x := &Extras{}
	var err [4]error
	x.Display, err[0] = display.Start(display.Options{Options: line("display", 9600)})
	x.Scale, err[1] = scale.Start(scale.Options{Options: line("scale", 9600)})
	x.Labels, err[2] = labelprinter.Start(labelprinter.Options{Options: line("labels", 0),
		OutDir: filepath.Join(s.Dir, "labels")})
	x.Locker, err[3] = locker.Start(locker.Options{Options: line("locker", lockerBaud), Doors: Compartments})
	s.Extras = x
	return errors.Join(err[:]...)
}

// writeExtras adds the other devices to the node's configuration.
func (s *Store) writeExtras(w io.Writer) {
	for _, d := range []struct{ name, kind, driver, more string }{
		{"display", "display", "epson-serial", "page = 858"},
		{"scale", "scale", "8217-serial", ""},
		{"labels", "labelprinter", "zpl-serial", `poll = "1s"`},
		{"locker", "locker", "cu16-serial",
			fmt.Sprintf("open_wait = \"2s\"\nboards = [{address = 0, locks = %d}]", Compartments)},
	} {
		fmt.Fprintf(w, "\n[[device]]\nname = %q\nkind = %q\ndriver = %q\npath = %q\n%s\n", d.name, d.kind, d.driver,
			s.device(d.name), d.more)
	}
}

// stationExtras are the lines of a station about the other devices.
func (s *Store) stationExtras(station string) string {
	switch {
	case s.Extras == nil:
		return ""
	case station == Till:
		return "display = \"display\"\nscale = \"scale\"\nlabels = \"labels\"\ndrawer = 1\n"
	case station == Stockroom:
		return "labels = \"labels\"\nbag-labels = true\n"
	}
	return ""
}

func (x *Extras) close() {
	if x.Display != nil {
		_ = x.Display.Close() // a simulated device that goes away has nothing to lose
	}
	if x.Scale != nil {
		_ = x.Scale.Close()
	}
	if x.Labels != nil {
		_ = x.Labels.Close()
	}
	if x.Locker != nil {
		_ = x.Locker.Close()
	}
}
