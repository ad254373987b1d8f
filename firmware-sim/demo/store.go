package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"holdfast.dev/firmware-sim/demodata"
	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/firmware-sim/program"
	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/internal/identity"
	storev1 "holdfast.dev/proto/store/v1"
)

// Stations are the places in each store that have a scanner and a screen.
const (
	Till      = "till"      // sells
	Desk      = "desk"      // hands orders over
	Stockroom = "stockroom" // receives, picks and stages
)

// Stations lists the stations of a store.
func Stations() []string { return []string{Till, Desk, Stockroom} }

// People who work in each store, with the PIN they sign in with.
const (
	Staff, StaffPIN     = "Anna", "1111"
	Manager, ManagerPIN = "Bram", "2222"
)

// scannerBaud is the speed of the demo's scanners: a pickup code of 300
// characters then takes 26 ms, not a third of a second.
const scannerBaud = 115200

// quickRetry finds a program that was started again within a second.
var quickRetry = grpc.ConnectParams{
	Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2,
		MaxDelay: 500 * time.Millisecond},
	MinConnectTimeout: 2 * time.Second,
}

// Store is one shop of the demo: a node, its cable, and its devices.
type Store struct {
	demodata.Store
	Program  *program.Program
	URL      string // of its pages and API
	Admin    string // host:port of its checks
	Dir      string // what it keeps
	Floor    storev1.StoreFloorClient
	Cable    *Cable
	Scanners map[string]*scanner.Scanner // by station
	Printer  *printer.Printer
	Extras   *Extras // nil for all stores but the first

	conn *grpc.ClientConn
}

// nodeDir is where the node keeps its journal and its key.
func (s *Store) nodeDir() string { return filepath.Join(s.Dir, "node") }

// KeyDir is where the node keeps its key and certificate.
func (s *Store) KeyDir() string { return s.nodeDir() }

// Scan lets the scanner of a station send a code, over its line.
func (s *Store) Scan(ctx context.Context, station, code string) error {
	return s.Scanners[station].Scan(ctx, code, "")
}

// ScannerPlugged tells whether the cable of a station's scanner is in: its
// device file is there then.
func (s *Store) ScannerPlugged(station string) bool {
	_, err := os.Lstat(s.device(station))
	return err == nil
}

// enrolled tells whether the node has a certificate.
func (s *Store) enrolled() (bool, error) {
	if _, err := os.Stat(filepath.Join(s.nodeDir(), "node.key")); err != nil {
		return false, nil //nolint:nilerr // no key is an answer
	}
	id, err := identity.OpenNodeKey(s.nodeDir())
	if err != nil {
		return false, err
	}
	return id.Enrolled(), nil
}

// plugDevices switches the store's scanners and printer on.
func (s *Store) plugDevices() (err error) {
	s.Scanners = make(map[string]*scanner.Scanner)
	for _, station := range Stations() {
		s.Scanners[station], err = scanner.Start(scanner.Options{Link: s.device(station), Baud: scannerBaud})
		if err != nil {
			return err
		}
	}
	s.Printer, err = printer.Start(printer.Options{Link: s.device("receipts"),
		OutDir: filepath.Join(s.Dir, "receipts")})
	return err
}

func (s *Store) device(name string) string { return filepath.Join(s.Dir, "dev", name) }

// writeConfig writes the node's configuration: its devices, stations and staff.
func (s *Store) writeConfig(staffHash, managerHash string) (path string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by holdfast-sim demo at every start.\n")
	for _, station := range Stations() {
		fmt.Fprintf(&b, "\n[[device]]\nname = %q\nkind = \"scanner\"\ndriver = \"serial\"\npath = %q\nbaud = %d\n",
			station+"-scanner", s.device(station), scannerBaud)
	}
	fmt.Fprintf(&b, "\n[[device]]\nname = \"receipts\"\nkind = \"printer\"\ndriver = \"escpos-serial\"\npath = %q\n",
		s.device("receipts"))
	if s.Extras != nil {
		s.writeExtras(&b)
	}
	for _, station := range Stations() {
		fmt.Fprintf(&b, "\n[[station]]\nname = %q\nscanner = %q\nprinter = \"receipts\"\n%s", station,
			station+"-scanner", s.stationExtras(station))
	}
	for _, p := range []struct{ name, role, hash string }{
		{Staff, "staff", staffHash}, {Manager, "manager", managerHash},
	} {
		fmt.Fprintf(&b, "\n[[staff]]\nname = %q\nrole = %q\npin-hash = %q\n", p.name, p.role, p.hash)
	}
	path = filepath.Join(s.Dir, "node.toml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return "", fmt.Errorf("write configuration of store %d: %w", s.ID, err)
	}
	return path, nil
}

// close takes cable and devices away; the node has stopped before.
func (s *Store) close() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing is under way on it any more
	}
	if s.Cable != nil {
		_ = s.Cable.Close()
	}
	for _, sc := range s.Scanners {
		if sc != nil {
			_ = sc.Close()
		}
	}
	if s.Printer != nil {
		_ = s.Printer.Close()
	}
	if s.Extras != nil {
		s.Extras.close()
	}
}
