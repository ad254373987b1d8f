package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast.dev/internal/identity"
)

const (
	// lookWithin bounds how long one question to the network may take.
	lookWithin = 5 * time.Second
	// soonExpired is how early a certificate that was not renewed is worth a word:
	// it is renewed when half of its life is over.
	soonExpired = 24 * time.Hour
)

// Bytes that should be free on the node's disk.
const (
	enoughDisk = 2 << 30
	tooFull    = 200 << 20
)

// checkData looks at the node's folder and its identity, and changes neither.
func (d *doctor) checkData() {
	info, err := os.Stat(d.o.Data)
	if err == nil {
		err = unix.Access(d.o.Data, unix.R_OK|unix.W_OK|unix.X_OK)
	}
	d.judge("data folder", d.o.Data, err, "Make it, and give it to the node's user: chown holdfast "+d.o.Data)
	if err != nil {
		return
	}
	if info.Mode().Perm()&0o077 != 0 {
		d.tell(Finding{Check: "data folder", State: Doubt, Says: fmt.Sprintf("others may look into it: %v", info.Mode()),
			Todo: "chmod 700 " + d.o.Data})
	}
	d.checkIdentity()
	d.checkJournal()
}

func (d *doctor) identity() (*identity.NodeIdentity, error) {
	if _, err := os.Stat(filepath.Join(d.o.Data, "node.key")); err != nil {
		return nil, err // opening it would make one
	}
	id, err := identity.OpenNodeKey(d.o.Data)
	if err == nil && !id.Enrolled() {
		err = errors.New("the node belongs to no store yet")
	}
	return id, err
}

func (d *doctor) checkIdentity() {
	id, err := d.identity()
	if err != nil {
		d.judge("identity", "", err, "Get a join string from head office and run holdfast-node enrol.")
		return
	}
	f := Finding{Check: "identity", State: Sound, Says: fmt.Sprintf("store %s, certificate until %s",
		id.Peer().Store, id.NotAfter().Format(time.DateOnly))}
	switch left := time.Until(id.NotAfter()); {
	case left <= 0:
		f.State, f.Todo = Bad, "The node renews it by itself once it reaches the cloud."
	case left < soonExpired:
		f.State, f.Todo = Doubt, "It should have been renewed by now: see that the node reaches the cloud."
	}
	d.tell(f)
}

// checkJournal looks at the file of a journal. What is in it is for verify.
func (d *doctor) checkJournal() {
	path := filepath.Join(d.o.Data, journalFile)
	info, err := os.Stat(path)
	if err == nil {
		err = unix.Access(path, unix.R_OK|unix.W_OK)
	}
	if errors.Is(err, os.ErrNotExist) {
		d.tell(Finding{Check: "journal file", State: Doubt, Says: "there is none yet"})
		return
	}
	says := ""
	if err == nil {
		says = fmt.Sprintf("%s, %d MiB; holdfast-node verify proves what is in it", path, info.Size()>>20)
	}
	d.judge("journal file", says, err, "Give it to the node's user.")
}

func (d *doctor) checkDisk() {
	dir := d.o.Data
	var fs unix.Statfs_t
	err := unix.Statfs(dir, &fs)
	if err != nil {
		return // the folder is not there, which was told
	}
	free := uint64(fs.Bavail) * uint64(fs.Bsize)
	f := Finding{Check: "disk", State: Sound, Says: fmt.Sprintf("%.1f GiB free", float64(free)/(1<<30))}
	switch {
	case free < tooFull:
		f.State, f.Todo = Bad, "Make room: a node that cannot write stops selling."
	case free < enoughDisk:
		f.State, f.Todo = Doubt, "Make room soon."
	}
	d.tell(f)
}

// checkClock asks the kernel whether something keeps the clock right.
func (d *doctor) checkClock() {
	const unsynchronized = 5 // TIME_ERROR
	f := Finding{Check: "clock", State: Sound, Says: time.Now().Format(time.RFC3339) + ", kept by a time service"}
	if state, err := unix.Adjtimex(new(unix.Timex)); err != nil || state == unsynchronized {
		f.State, f.Says = Doubt, time.Now().Format(time.RFC3339)+", which nothing keeps right"
		f.Todo = "Compare it with another clock and set up a time service: timedatectl set-ntp true"
	}
	d.tell(f)
}

// checkCloud goes the way to each process of the cloud step by step. One that
// does not answer is no harm while another one does.
func (d *doctor) checkCloud(ctx context.Context) {
	id, err := d.identity()
	if err != nil {
		return // which was told
	}
	several := strings.Split(cmp.Or(d.o.Cloud, id.Addr()), ",")
	answers := false
	var findings []Finding
	for _, address := range several {
		found, ok := lookAt(ctx, strings.TrimSpace(address), id.ClientTLS().Clone())
		findings, answers = append(findings, found...), answers || ok
	}
	for _, f := range findings {
		if f.State == Bad && answers {
			f.State, f.Todo = Doubt, "The node uses the others. "+f.Todo
		}
		d.tell(f)
	}
}

// lookAt goes the way to one process of the cloud, and tells whether it gets there.
func lookAt(ctx context.Context, address string, config *tls.Config) (found []Finding, answers bool) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	found = append(found, finding("cloud, TCP",
		fmt.Sprintf("%s answers within %v", address, time.Since(began).Round(time.Millisecond)), err,
		"Check the cable, the router and the firewall, and the cloud option. The store works on without."))
	if err != nil {
		return found, false
	}
	defer conn.Close()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address) // an address that was dialled has both
	}
	config.NextProtos = []string{"h2"}
	began = time.Now()
	err = tls.Client(conn, config).HandshakeContext(ctx)
	found = append(found, finding("cloud, TLS",
		fmt.Sprintf("it is ours, and took %v", time.Since(began).Round(time.Millisecond)), err,
		"Somebody else answers there, or the clock is wrong. Call head office if it stays so."))
	return found, err == nil
}
