package devices

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/serial"
	"holdfast.dev/hardware/tcp"
)

// driver is one row of the table: how to open a device and what to make of it.
type driver struct {
	file    bool // Path is a device file, which comes and goes with its cable
	open    func(context.Context, Config) (hardware.Port, error)
	scanner func(hardware.Port, Config) hardware.Scanner
	printer func(hardware.Port, Config) hardware.Printer
}

// drivers are all there are. A new device is a row here and a package of its own.
var drivers = map[Kind]map[string]driver{
	Scanner: {
		"serial": {file: true, open: openSerial, scanner: newScanner},
		"tcp":    {open: openTCP, scanner: newScanner},
	},
	Printer: {
		"escpos-serial": {file: true, open: openSerial, printer: newPrinter},
		"escpos-tcp":    {open: openTCP, printer: newPrinter},
	},
}

// Drivers names the drivers of a kind of device.
func Drivers(kind Kind) []string { return slices.Sorted(maps.Keys(drivers[kind])) }

func openSerial(_ context.Context, cfg Config) (hardware.Port, error) {
	return serial.Open(serial.Config{Path: cfg.Path, Baud: cfg.Baud})
}

func openTCP(ctx context.Context, cfg Config) (hardware.Port, error) {
	return tcp.Open(ctx, tcp.Config{Addr: cfg.Path})
}

func newScanner(port hardware.Port, cfg Config) hardware.Scanner {
	suffix, _ := barcode.ParseSuffix(cfg.Suffix) // checked before Run
	return barcode.New(port, barcode.Config{Suffix: suffix, MinRescan: cfg.MinRescan})
}

func newPrinter(port hardware.Port, cfg Config) hardware.Printer {
	profile, _ := profileOf(cfg) // checked before Run
	return escpos.New(port, profile)
}

func checkDriver(cfg Config) error {
	if _, ok := drivers[cfg.Kind]; !ok {
		return fmt.Errorf("kind %q is neither %s nor %s", cfg.Kind, Scanner, Printer)
	}
	if _, ok := drivers[cfg.Kind][cfg.Driver]; !ok {
		return fmt.Errorf("a %s has no driver %q, only %q", cfg.Kind, cfg.Driver, Drivers(cfg.Kind))
	}
	if cfg.Path == "" {
		return fmt.Errorf("driver %s needs a path", cfg.Driver)
	}
	if _, err := barcode.ParseSuffix(cfg.Suffix); err != nil {
		return err
	}
	_, err := profileOf(cfg)
	return err
}

// profileOf finds the profile of a printer; the first one is the usual.
func profileOf(cfg Config) (escpos.Profile, error) {
	if cfg.Profile == "" {
		return escpos.Profiles[0], nil
	}
	names := make([]string, 0, len(escpos.Profiles))
	for _, p := range escpos.Profiles {
		if p.Name == cfg.Profile {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return escpos.Profile{}, fmt.Errorf("profile %q is none of %q", cfg.Profile, names)
}

// answers tells whether a device says by itself that it is there.
func answers(cfg Config) bool {
	profile, _ := profileOf(cfg)
	return cfg.Kind == Printer && profile.BackChannel
}
