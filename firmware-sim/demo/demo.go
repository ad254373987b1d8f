// Package demo is a machine room: one cloud and some stores, with their cables
// and devices, as real programs on one machine.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"holdfast.dev/firmware-sim/demodata"
	"holdfast.dev/firmware-sim/program"
	"holdfast.dev/internal/process"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	startPatience = 30 * time.Second
	restartAfter  = time.Second // pause before a crashed program is started again
	mostCrashes   = 1           // of a program that starts
	reconnectCap  = time.Second // of the nodes, so that a pulled cable is soon back
	mostMembers   = 5
	lockFile      = "demo.lock"
	// manyCalls a second may come from this one machine, which is all shoppers.
	manyCalls = "5000"
)

// Options say what demo to set up.
type Options struct {
	Bin       string   // folder of holdfast-cloud and holdfast-node
	Data      string   // folder that everything is kept in
	Catalogue string   // CSV of products; empty: the demo's own
	Stores    int      // zero: 3
	Members   int      // of the cloud; zero: 1
	Ports     Ports    // where to listen
	FreePorts bool     // take any ports that are free
	Progress  *os.File // where the programs that set up show how far they are; nil: nowhere
	Logger    *slog.Logger
}

// Room is a demo that is set up. Its methods may be called from anywhere, but
// one setting-up step at a time.
type Room struct {
	Head   *Head
	Stores []*Store
	Log    *Log // what happened, newest last

	o         Options
	layout    layout
	lock      *os.File
	catalogue string // path

	mu      sync.Mutex
	changed chan struct{} // closed at the next change; guarded by mu
}

// New lays cables, switches devices on and describes the programs; it starts
// none of them. Close takes all of it away again.
func New(o Options) (r *Room, err error) {
	o.Stores, o.Members = cmp.Or(o.Stores, 3), cmp.Or(o.Members, 1)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if most := len(demodata.Stores()); o.Stores < 1 || o.Stores > most {
		return nil, fmt.Errorf("%d stores: the demo has 1 to %d", o.Stores, most)
	}
	if o.Members < 1 || o.Members > mostMembers {
		return nil, fmt.Errorf("%d members: the demo has 1 to %d", o.Members, mostMembers)
	}
	if o.Data, err = filepath.Abs(o.Data); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := checkPrograms(o.Bin); err != nil {
		return nil, err
	}
	r = &Room{o: o, changed: make(chan struct{})}
	r.Log = &Log{changed: r.Touch}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if r.lock, err = lockData(o.Data); err != nil {
		return r, err
	}
	if r.layout, err = plan(o); err != nil {
		return r, err
	}
	if err := r.furnish(); err != nil {
		return r, err
	}
	return r, nil
}

// checkPrograms looks for the binaries before anything is set up.
func checkPrograms(dir string) error {
	for _, name := range []string{"holdfast-cloud", "holdfast-node"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("%s is not beside holdfast-sim: build it with make build, or name its folder "+
				"with --bin: %w", name, err)
		}
	}
	return nil
}

// furnish makes everything that is no program of ours.
func (r *Room) furnish() error {
	if err := os.MkdirAll(filepath.Join(r.o.Data, "logs"), 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	if err := r.placeCatalogue(); err != nil {
		return err
	}
	var err error
	if r.Head, err = r.newHead(); err != nil {
		return err
	}
	staff, manager := process.HashPIN(StaffPIN), process.HashPIN(ManagerPIN)
	for i := range r.o.Stores {
		s := &Store{Store: demodata.Stores()[i]}
		r.Stores = append(r.Stores, s)
		if err := r.furnishStore(s, r.layout.stores[i], staff, manager); err != nil {
			return fmt.Errorf("store %d: %w", s.ID, err)
		}
	}
	return nil
}

func (r *Room) furnishStore(s *Store, ports storePorts, staff, manager string) (err error) {
	s.Dir = filepath.Join(r.o.Data, "store-"+strconv.Itoa(int(s.ID)))
	s.URL, s.Admin = "http://"+program.Address(ports.pages), program.Address(ports.admin)
	if err := os.MkdirAll(s.nodeDir(), 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	if s.conn, err = dial(program.Address(ports.pages)); err != nil {
		return err
	}
	s.Floor = storev1.NewStoreFloorClient(s.conn)
	port, err := r.layout.ports.Next()
	if err != nil {
		return err
	}
	if s.Cable, err = LayCable(port, r.Head.nodes()...); err != nil {
		return err
	}
	if err := s.plugDevices(); err != nil {
		return err
	}
	if s == r.Stores[0] {
		if err := s.plugExtras(); err != nil {
			return err
		}
	}
	config, err := s.writeConfig(staff, manager)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("node-%d", s.ID)
	s.Program = r.newProgram(name, "holdfast-node", "run", "--config", config, "--data", s.nodeDir(),
		"--listen", program.Address(ports.pages), "--admin", s.Admin, "--cloud", s.Cable.Addr(), "--reconnect-cap", reconnectCap.String())
	return nil
}

func (r *Room) bin(name string) string { return filepath.Join(r.o.Bin, name) }

// newProgram describes one of the room's programs.
func (r *Room) newProgram(name, binary string, args ...string) *program.Program {
	command := append([]string{r.bin(binary)}, args...)
	return program.New(program.Options{Name: "holdfast-" + name,
		Command: func() []string { return command },
		Log:     filepath.Join(r.o.Data, "logs", name+".log"),
		Restart: restartAfter, Crashes: mostCrashes, Changed: r.Touch})
}

// ConsolePort is where the console of this demo shall listen.
func (r *Room) ConsolePort() int { return r.layout.console }

// Store finds a store by its number.
func (r *Room) Store(id uint32) (*Store, bool) {
	i := slices.IndexFunc(r.Stores, func(s *Store) bool { return s.ID == id })
	if i < 0 {
		return nil, false
	}
	return r.Stores[i], true
}

// StartStore starts the node of a store and waits until it is ready; it need
// not have reached the cloud then.
func (r *Room) StartStore(ctx context.Context, s *Store) error {
	if err := s.Program.Start(); err != nil {
		return err
	}
	return awaitReady(ctx, s.Program, s.Admin)
}

// Close stops the programs, the stores before the cloud, and then takes
// cables and devices away.
func (r *Room) Close() error {
	var faults []error
	for _, s := range slices.Backward(r.Stores) {
		if s.Program != nil {
			faults = append(faults, s.Program.Stop())
		}
	}
	if r.Head != nil {
		faults = append(faults, r.Head.stop())
	}
	for _, s := range slices.Backward(r.Stores) {
		s.close()
	}
	if r.lock != nil {
		faults = append(faults, r.lock.Close())
	}
	return errors.Join(faults...)
}

// Changed is closed at the next change of a program, a cable or the log.
func (r *Room) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Touch tells those who watch that something changed.
func (r *Room) Touch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}
