package devices

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/serial"
)

// Kind says what a device is for.
type Kind string

// Kinds of devices.
const (
	Scanner      Kind = "scanner"
	Printer      Kind = "printer" // of receipts
	LabelPrinter Kind = "labelprinter"
	Display      Kind = "display" // that a customer reads
	Locker       Kind = "locker"  // for orders to be picked up
	Scale        Kind = "scale"
)

// Kinds lists all kinds of devices.
func Kinds() []Kind { return []Kind{Scanner, Printer, LabelPrinter, Display, Locker, Scale} }

// Config is one device of the store, as its configuration names it. What stands
// here goes before what its model says. The zero value of a field is the usual.
type Config struct {
	Name   string `toml:"name"`   // unique, such as "counter-scanner"
	Kind   Kind   `toml:"kind"`   // one of Kinds
	Driver string `toml:"driver"` // see Drivers; a model names one
	Path   string `toml:"path"`   // device file, or host:port
	Model  string `toml:"model"`  // of a scanner: a name of barcode.Models

	// Of a serial line.
	Baud     int    `toml:"baud"`      // zero: as the device is sold
	DataBits int    `toml:"data_bits"` // zero: 8
	Parity   string `toml:"parity"`    // none, even, odd
	StopBits int    `toml:"stop_bits"` // zero: 1
	Flow     string `toml:"flow"`      // none, rtscts, xonxoff

	// Of a scanner.
	Suffix    string            `toml:"suffix"` // auto, cr, lf, crlf, tab, etx, none
	Prefix    string            `toml:"prefix"`
	AIM       string            `toml:"aim"`       // auto, always, never
	Handshake string            `toml:"handshake"` // none, acknak
	CodeIDs   map[string]string `toml:"code_ids"`
	IdleGap   time.Duration     `toml:"idle_gap"`
	MinRescan time.Duration     `toml:"min_rescan"` // of a presentation scanner
	AsItIs    bool              `toml:"as_it_is"`   // SSI: leave the scanner's settings alone
	Layout    string            `toml:"layout"`     // country of a keyboard; us if empty
	// DeviceNames are words of which a keyboard's own name must contain one.
	DeviceNames []string `toml:"device_names"`

	Profile string `toml:"profile"` // of a printer: what its model can do
	// DrawerSwitch is the level of the switch of the drawer on a printer that means
	// open: high, low or none; empty: what the profile says.
	DrawerSwitch string `toml:"drawer_switch"`
	Width        int    `toml:"width"` // of a receipt, in characters; zero: DefaultWidth

	Page int `toml:"page"` // of an Epson display: its code page, 437 if zero

	Boards   []Board       `toml:"boards"`    // of a locker
	Reversed bool          `toml:"reversed"`  // its sensors say open when closed
	OpenWait time.Duration `toml:"open_wait"` // for a door to open; some must be pulled

	EightBits bool          `toml:"eight_bits"` // a scale that is set to 8N1
	Settle    time.Duration `toml:"settle"`     // how long a weighing waits for a load at rest

	// Poll is how often a label printer, a locker or a scale is looked at.
	Poll time.Duration `toml:"poll"`
}

// Board is one board of a locker.
type Board struct {
	Address int `toml:"address"`
	Locks   int `toml:"locks"` // wired to doors, from lock 1
}

// Check says what is wrong with a list of devices, all of it.
func Check(list []Config) error {
	var wrong []error
	seen := make(map[string]bool, len(list))
	for i, cfg := range list {
		switch {
		case cfg.Name == "":
			wrong = append(wrong, fmt.Errorf("device %d has no name", i+1))
		case seen[cfg.Name]:
			wrong = append(wrong, fmt.Errorf("two devices are called %q", cfg.Name))
		}
		seen[cfg.Name] = true
		if err := checkDriver(cfg); err != nil {
			wrong = append(wrong, fmt.Errorf("device %q: %w", cfg.Name, err))
		}
	}
	wrong = append(wrong, checkPaths(list)...)
	return errors.Join(append(wrong, checkDoors(list)...)...)
}

// checkPaths finds lines with two owners: a line has one.
func checkPaths(list []Config) (wrong []error) {
	owner := make(map[string]string, len(list))
	for _, cfg := range list {
		if cfg.Path == "" {
			continue
		}
		path := filepath.Clean(cfg.Path)
		if other, taken := owner[path]; taken && other != cfg.Name {
			wrong = append(wrong, fmt.Errorf("devices %q and %q share the path %s", other, cfg.Name, path))
		}
		owner[path] = cfg.Name
	}
	return wrong
}

func checkDriver(cfg Config) error {
	if !slices.Contains(Kinds(), cfg.Kind) {
		return fmt.Errorf("kind %q is none of %s", cfg.Kind, listed(Kinds()))
	}
	full, err := cfg.full()
	if err != nil {
		return err
	}
	d, ok := drivers[full.Kind][full.Driver]
	if !ok {
		return fmt.Errorf("a %s has no driver %q, only %s", full.Kind, full.Driver,
			listed(Drivers(full.Kind)))
	}
	path := checkPath(full, d.file)
	_, parity := serial.ParseParity(full.Parity)
	_, flow := serial.ParseFlow(full.Flow)
	if err := errors.Join(path, parity, flow); err != nil || d.check == nil {
		return err
	}
	return d.check(full)
}

// checkPath tells what a driver would have as a path: a device file, or an
// address on the network.
func checkPath(cfg Config, file bool) error {
	if cfg.Path == "" {
		return fmt.Errorf("driver %s needs a path", cfg.Driver)
	}
	if _, port, err := net.SplitHostPort(cfg.Path); !file && (err != nil || port == "") {
		return fmt.Errorf("driver %s needs an address with a port, such as 192.0.2.10:9100, not %q",
			cfg.Driver, cfg.Path)
	}
	if file && !strings.Contains(cfg.Path, "/") {
		return fmt.Errorf("driver %s needs the whole path of a device file, such as /dev/holdfast/…, not %q",
			cfg.Driver, cfg.Path)
	}
	return nil
}

// listed writes names for people.
func listed[T ~string](names []T) string {
	text := make([]string, 0, len(names))
	for _, name := range names {
		text = append(text, string(name))
	}
	return strings.Join(text, ", ")
}

// full is the configuration with what the device's model says of the rest.
func (c Config) full() (Config, error) {
	if c.Model == "" {
		c.Width = c.width()
		return c, nil
	}
	if c.Kind != Scanner {
		return c, fmt.Errorf("model %q: only scanners have models; a printer has a profile", c.Model)
	}
	m, err := barcode.FindModel(c.Model)
	if err != nil {
		return c, err
	}
	c.Driver, c.Baud, c.DataBits = or(c.Driver, string(m.Driver)), or(c.Baud, m.Baud), or(c.DataBits, m.DataBits)
	c.Parity, c.StopBits, c.Flow = or(c.Parity, m.Parity), or(c.StopBits, m.StopBits), or(c.Flow, m.Flow)
	c.Suffix, c.Prefix, c.AIM = or(c.Suffix, m.Suffix), or(c.Prefix, m.Prefix), or(c.AIM, m.AIM)
	c.Handshake, c.Layout = or(c.Handshake, m.Handshake), or(c.Layout, m.Layout)
	c.IdleGap, c.MinRescan = or(c.IdleGap, m.IdleGap), or(c.MinRescan, m.MinRescan)
	if c.CodeIDs == nil {
		c.CodeIDs = m.CodeIDs
	}
	if c.DeviceNames == nil {
		c.DeviceNames = m.DeviceNames
	}
	return c, nil
}

// width is how many characters a receipt has on a line: those of narrow paper,
// or the usual number on all wider paper.
func (c Config) width() int {
	if c.Kind != Printer || c.Width != 0 {
		return c.Width
	}
	p, err := profileOf(drivers[Printer][c.Driver].profiles, c)
	if err != nil || p.Columns == 0 {
		return DefaultWidth
	}
	return min(p.Columns, DefaultWidth)
}

func or[T comparable](own, model T) T {
	var zero T
	if own != zero {
		return own
	}
	return model
}

// Doors lists the doors of a locker.
func (c Config) Doors() (all []Door) {
	if c.Kind != Locker {
		return nil
	}
	for _, b := range c.Boards {
		for lock := range b.Locks {
			all = append(all, Door{c.Name, b.Address, lock + 1})
		}
	}
	return all
}

// Door is one compartment of the store's lockers.
type Door struct {
	Device string
	Board  int
	Lock   int
}

// String is the compartment's name, as it stands on its door: "L0-3".
func (d Door) String() string { return fmt.Sprintf("L%d-%d", d.Board, d.Lock) }

// checkDoors finds compartments of the same name: an order must have one door.
func checkDoors(list []Config) (wrong []error) {
	seen := make(map[string]bool)
	for _, cfg := range list {
		for _, d := range cfg.Doors() {
			if seen[d.String()] {
				wrong = append(wrong, fmt.Errorf("two locker doors are called %s", d))
			}
			seen[d.String()] = true
		}
	}
	return wrong
}
