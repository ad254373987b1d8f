package devices

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/display"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/evdev"
	"holdfast.dev/hardware/locker"
	"holdfast.dev/hardware/receipt/session"
	"holdfast.dev/hardware/scale"
	"holdfast.dev/hardware/serial"
	"holdfast.dev/hardware/ssi"
	"holdfast.dev/hardware/star"
	"holdfast.dev/hardware/tcp"
	"holdfast.dev/hardware/usblp"
	"holdfast.dev/hardware/zpl"
)

// driver is one row of the table: how to open a device and what to make of it.
// One of the functions from scanner to scale is there.
type driver struct {
	file  bool // Path is a device file, which comes and goes with its cable
	baud  int  // of the line as the device is sold; zero: serial.DefaultBaud
	open  func(context.Context, Config) (hardware.Port, error)
	check func(Config) error

	scanner  func(hardware.Port, Config) hardware.Scanner
	printer  func(hardware.Port, Config) hardware.Printer
	label    func(hardware.Port, Config) hardware.LabelPrinter
	display  func(hardware.Port, Config) hardware.Display
	locker   func(hardware.Port, Config) (hardware.Locker, error)
	scale    func(hardware.Port, Config) hardware.Scale
	profiles []session.Profile // of a printer; the first one is the usual
}

// drivers are all there are. A new device is a row here and a package of its own.
var drivers = map[Kind]map[string]driver{
	Scanner: {
		"serial": onSerial(driver{scanner: newScanner, check: checkFrames}),
		"tcp":    onTCP(driver{scanner: newScanner, check: checkFrames}),
		"ssi":    onSerial(driver{scanner: newSSI, check: checkFrames}),
		"evdev":  {file: true, open: openKeyboard, scanner: newKeyboard, check: checkKeyboard},
	},
	Printer: {
		"escpos-serial": onSerial(escposPrinter),
		"escpos-tcp":    onTCP(escposPrinter),
		"escpos-usb":    onUSB(escposPrinter),
		"star-serial":   onSerial(starPrinter),
		"star-tcp":      onTCP(starPrinter),
		"star-usb":      onUSB(starPrinter),
	},
	LabelPrinter: {
		"zpl-serial": onSerial(zplPrinter),
		"zpl-tcp":    onTCP(zplPrinter),
		"zpl-usb":    onUSB(zplPrinter),
	},
	Display: {
		"epson-serial":  onSerial(customerDisplay(display.EpsonDMD)),
		"epson-tcp":     onTCP(customerDisplay(display.EpsonDMD)),
		"cd5220-serial": onSerial(customerDisplay(display.CD5220)),
		"cd5220-tcp":    onTCP(customerDisplay(display.CD5220)),
	},
	Locker: {
		"cu16-serial":    onSerial(lockerOf("cu16")),
		"cu16-tcp":       onTCP(lockerOf("cu16")),
		"cu48-serial":    onSerial(lockerOf("cu48")),
		"cu48-tcp":       onTCP(lockerOf("cu48")),
		"board24-serial": onSerial(lockerOf("board24")),
		"board24-tcp":    onTCP(lockerOf("board24")),
	},
	Scale: {
		"8217-serial":     onSerial(driver{scale: newToledo, check: checkScale}),
		"8217-tcp":        onTCP(driver{scale: newToledo, check: checkScale}),
		"dialog06-serial": onSerial(driver{scale: newDialog06, check: checkScale}),
		"dialog06-tcp":    onTCP(driver{scale: newDialog06, check: checkScale}),
	},
}

// Drivers names the drivers of a kind of device.
func Drivers(kind Kind) []string { return slices.Sorted(maps.Keys(drivers[kind])) }

var (
	escposPrinter = printerOf(escpos.Profiles, func(port hardware.Port, p session.Profile) hardware.Printer {
		return escpos.New(port, p)
	})
	starPrinter = printerOf(star.Profiles, func(port hardware.Port, p session.Profile) hardware.Printer {
		return star.New(port, p)
	})
	zplPrinter = driver{check: checkLabels,
		label: func(port hardware.Port, cfg Config) hardware.LabelPrinter {
			return zpl.New(port, zpl.Config{WriteOnly: cfg.Profile == writeOnly, Poll: cfg.Poll})
		}}
)

func printerOf(profiles []session.Profile, make func(hardware.Port, session.Profile) hardware.Printer) driver {
	return driver{profiles: profiles,
		check: func(cfg Config) error {
			_, err := profileOf(profiles, cfg)
			return err
		},
		printer: func(port hardware.Port, cfg Config) hardware.Printer {
			p, _ := profileOf(profiles, cfg) // checked before Run
			return make(port, p)
		}}
}

// writeOnly is the profile of a printer that never answers.
const writeOnly = "write-only"

func onSerial(d driver) driver {
	baud := d.baud
	d.file, d.open = true, func(_ context.Context, cfg Config) (hardware.Port, error) {
		parity, _ := serial.ParseParity(cfg.Parity) // checked before Run, like the flow
		flow, _ := serial.ParseFlow(cfg.Flow)
		return serial.Open(serial.Config{Path: cfg.Path, Baud: or(cfg.Baud, baud), DataBits: cfg.DataBits,
			Parity: parity, StopBits: cfg.StopBits, Flow: flow})
	}
	return d
}

func onTCP(d driver) driver {
	d.open = func(ctx context.Context, cfg Config) (hardware.Port, error) {
		return tcp.Open(ctx, tcp.Config{Addr: cfg.Path})
	}
	return d
}

func onUSB(d driver) driver {
	d.file, d.open = true, func(_ context.Context, cfg Config) (hardware.Port, error) {
		return usblp.Open(usblp.Config{Path: cfg.Path})
	}
	return d
}

func openKeyboard(_ context.Context, cfg Config) (hardware.Port, error) {
	return evdev.Open(evdev.Config{Path: cfg.Path, Layout: or(cfg.Layout, usualLayout), Names: cfg.DeviceNames})
}

// usualLayout is the country that scanners type for as they are sold.
const usualLayout = "us"

// frames is a scanner's set-up; it was checked before Run.
func frames(cfg Config) barcode.Config {
	suffix, _ := barcode.ParseSuffix(cfg.Suffix)
	aim, _ := barcode.ParseAIM(cfg.AIM)
	return barcode.Config{Suffix: suffix, Prefix: cfg.Prefix, AIM: aim, CodeIDs: cfg.CodeIDs,
		Handshake: cfg.Handshake == "acknak", IdleGap: cfg.IdleGap, MinRescan: cfg.MinRescan}
}

func newScanner(port hardware.Port, cfg Config) hardware.Scanner {
	return barcode.New(port, frames(cfg))
}

func newKeyboard(port hardware.Port, cfg Config) hardware.Scanner {
	set := frames(cfg)
	set.Handshake = false // nothing can be written to a keyboard
	return barcode.New(port, set)
}

func newSSI(port hardware.Port, cfg Config) hardware.Scanner {
	aim, _ := barcode.ParseAIM(cfg.AIM) // checked before Run
	return ssi.New(port, ssi.Config{AsItIs: cfg.AsItIs, AIM: aim, MinRescan: cfg.MinRescan,
		Heartbeat: heartbeat})
}

func checkFrames(cfg Config) error {
	if _, err := barcode.ParseSuffix(cfg.Suffix); err != nil {
		return err
	}
	if _, err := barcode.ParseAIM(cfg.AIM); err != nil {
		return err
	}
	if !slices.Contains([]string{"", "none", "acknak"}, cfg.Handshake) {
		return fmt.Errorf("handshake %q is neither none nor acknak", cfg.Handshake)
	}
	return nil
}

func checkKeyboard(cfg Config) error {
	if _, err := evdev.FindLayout(or(cfg.Layout, usualLayout)); err != nil {
		return err
	}
	return checkFrames(cfg)
}

// profileOf finds the profile of a printer; the first one is the usual.
func profileOf(all []session.Profile, cfg Config) (session.Profile, error) {
	names := make([]string, 0, len(all))
	for _, p := range all {
		if p.Name == cfg.Profile || cfg.Profile == "" {
			return withDrawer(p, cfg.DrawerSwitch)
		}
		names = append(names, p.Name)
	}
	return session.Profile{}, fmt.Errorf("profile %q is none of %s", cfg.Profile, listed(names))
}

// withDrawer is a profile with the switch of the drawer that hangs on it, unless
// nothing is said of that.
func withDrawer(p session.Profile, level string) (session.Profile, error) {
	switch s := session.Switch(level); s {
	case "":
	case session.OpenHigh, session.OpenLow, session.NoSwitch:
		p.Drawer = s
	default:
		return p, fmt.Errorf("drawer_switch %q is none of %s", level,
			listed([]session.Switch{session.OpenHigh, session.OpenLow, session.NoSwitch}))
	}
	return p, nil
}

// drawerSwitch is what a printer's drawer says of itself, if it says anything.
func drawerSwitch(d driver, cfg Config) string {
	p, err := profileOf(d.profiles, cfg)
	if err != nil || !p.BackChannel {
		return string(session.NoSwitch)
	}
	return string(p.Drawer)
}

func checkLabels(cfg Config) error {
	if cfg.Profile != "" && cfg.Profile != writeOnly {
		return fmt.Errorf("profile %q: a label printer has none but %q", cfg.Profile, writeOnly)
	}
	return nil
}

// displayPages are the code pages of Epson displays by the names that people
// know them by.
var displayPages = map[int]display.Page{0: display.Page437, 437: display.Page437,
	850: display.Page850, 858: display.Page858, 1252: display.Page1252}

func customerDisplay(dialect display.Dialect) driver {
	return driver{
		check: func(cfg Config) error {
			if _, ok := displayPages[cfg.Page]; !ok {
				return fmt.Errorf("page %d is none of 437, 850, 858, 1252", cfg.Page)
			}
			return nil
		},
		display: func(port hardware.Port, cfg Config) hardware.Display {
			return display.New(port, display.Config{Dialect: dialect, Page: displayPages[cfg.Page]})
		}}
}

func lockerOf(dialect string) driver {
	i := slices.IndexFunc(locker.Dialects, func(d locker.Dialect) bool { return d.Name == dialect })
	set := func(cfg Config) locker.Config {
		c := locker.Config{Dialect: dialect, Reversed: cfg.Reversed, OpenWait: cfg.OpenWait,
			Poll: cfg.Poll}
		for _, b := range cfg.Boards {
			c.Boards = append(c.Boards, locker.Board{Address: b.Address, Locks: b.Locks})
		}
		return c
	}
	return driver{baud: locker.Dialects[i].Baud,
		check: func(cfg Config) error {
			_, err := locker.New(nil, set(cfg)) // it does no I/O
			return err
		},
		locker: func(port hardware.Port, cfg Config) (hardware.Locker, error) {
			return locker.New(port, set(cfg))
		}}
}

func weighing(cfg Config) scale.Config {
	return scale.Config{EightBits: cfg.EightBits, Settle: cfg.Settle, Poll: cfg.Poll}
}

func newToledo(port hardware.Port, cfg Config) hardware.Scale {
	return scale.NewToledo(port, weighing(cfg))
}

func newDialog06(port hardware.Port, cfg Config) hardware.Scale {
	return scale.NewDialog06(port, weighing(cfg))
}

// checkScale keeps the line at eight bits: the driver codes the parity of the
// protocol by itself.
func checkScale(cfg Config) error {
	if cfg.DataBits != 0 && cfg.DataBits != 8 || cfg.Parity != "" && cfg.Parity != "none" {
		return fmt.Errorf("a scale's parity is the driver's: leave data_bits and parity out, and set " +
			"eight_bits for a scale that was set to 8N1")
	}
	return nil
}

// answers tells whether a device says by itself that it is there.
func answers(cfg Config) bool {
	switch cfg.Kind {
	case Printer:
		p, err := profileOf(drivers[Printer][cfg.Driver].profiles, cfg)
		return err == nil && p.BackChannel
	case LabelPrinter:
		return cfg.Profile != writeOnly
	case Locker, Scale:
		return true
	}
	return false
}
