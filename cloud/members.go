package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/gateway"
	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/cloud/quorum"
	"holdfast.dev/cloud/uplink"
	"holdfast.dev/internal/process"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// MemberOptions say how this process belongs to a cloud of several.
type MemberOptions struct {
	Members       string `help:"Address for the other processes of this cloud (mutual TLS), such as :8444; without one this process is alone."`
	MemberAddress string `help:"host:port where the others reach this process; this machine's name and the port of --members unless given." placeholder:"HOST:PORT"`
	Join          string `help:"host:port of a process that takes this one in. The folder then holds ca.key, ca.crt and pickup.key of the cloud, and nothing else." placeholder:"HOST:PORT"`
	Adopt         bool   `help:"Found a new cloud with a database from a backup."`
	KeepLog       uint64 `help:"Entries of the log that are kept for processes that were away, which are sent the whole database when they need older ones; those of 15 minutes unless given." placeholder:"N"`
}

const (
	// exitCode ends a process that should be looked at before it starts again.
	exitCode = 1
	// exitInstallLoop ends one that was sent the whole database again and again.
	exitInstallLoop = 3
	// exitRemoved ends one that was taken out for ever.
	exitRemoved = 4
	// exitTooOld ends a program that is older than what the cloud uses.
	exitTooOld = 5
	// exitDiffers ends a proof that found tables which are not what the log says,
	// exitUnproven one that had too little to prove them from.
	exitDiffers  = 6
	exitUnproven = 7

	// greetAgain is how often a process tries to say that it is here.
	greetAgain = time.Second
)

// ExitCode returns what a program ends with after this error of Run or Verify.
func ExitCode(err error) int {
	switch {
	case errors.Is(err, quorum.ErrInstallLoop):
		return exitInstallLoop
	case errors.Is(err, quorum.ErrRemoved):
		return exitRemoved
	case errors.Is(err, quorum.ErrTooOld):
		return exitTooOld
	case errors.Is(err, errDiffers):
		return exitDiffers
	case errors.Is(err, errUnproven):
		return exitUnproven
	}
	return exitCode
}

// sharedKeys are the files that all processes of a cloud have the same of.
var sharedKeys = []string{"ca.key", "ca.crt", "pickup.key"}

// haveKeys refuses to join with keys of its own, that nobody would trust, and to
// found a second cloud with the keys of one that is.
func (c *cloud) haveKeys() error {
	if c.o.Join == "" {
		return c.lostNothing()
	}
	for _, name := range sharedKeys {
		if _, err := os.Stat(filepath.Join(c.o.Data, name)); err != nil {
			return fmt.Errorf("to join a cloud, copy its %s, %s and %s to %s first: %w", sharedKeys[0],
				sharedKeys[1], sharedKeys[2], c.o.Data, err)
		}
	}
	return nil
}

// lostNothing refuses a folder that has a cloud's keys and no database.
func (c *cloud) lostNothing() error {
	if _, err := os.Stat(filepath.Join(c.o.Data, sharedKeys[2])); err != nil {
		return nil // nothing was ever here
	}
	for _, name := range []string{engine.Database, memberLog} {
		if _, err := os.Stat(filepath.Join(c.o.Data, name)); err == nil {
			return nil // what is left is looked at later
		}
	}
	return fmt.Errorf("%s holds the keys of a cloud and no database: join its other processes (--join), or restore a "+
		"backup; to begin a cloud that knows nothing, empty the folder", c.o.Data)
}

// openEngine opens the log, alone or with others.
func (c *cloud) openEngine(ctx context.Context) (err error) {
	o := engine.Options{Dir: c.o.Data, Join: c.o.Join, Adopt: c.o.Adopt, Logger: c.log,
		Scarce: func() bool { return c.disk.Room() == process.RoomScarce }, Serve: c.answerMember, Timing: quorum.Timing{Trailing: c.o.KeepLog, Snapshot: c.o.KeepLog}}
	if c.o.Join != "" && c.o.Members == "" {
		return errors.New("--join needs an address for the other processes: give --members, such as :8444")
	}
	if c.o.Members != "" {
		l, err := process.Listen("members", c.o.Members)
		if err != nil {
			return err
		}
		server, client := c.ca.MemberTLS()
		addr, err := c.memberAddress(l)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		o.Net = quorum.TLS(l, addr, server, client)
	}
	c.engine, err = engine.Open(ctx, o)
	return err
}

// memberAddress is where the others reach this process.
func (c *cloud) memberAddress(l net.Listener) (string, error) {
	if c.o.MemberAddress != "" {
		return c.o.MemberAddress, nil
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("name of this machine, for --member-address: %w", err)
		}
	}
	return net.JoinHostPort(host, port), nil
}

// greet does what a process does once when it is here: it ends the sessions that
// it left open, and publishes the key. In a cloud of several that takes a
// leader, which may take a while.
func (c *cloud) greet(ctx context.Context) error {
	for {
		err := errors.Join(c.closeOldSessions(ctx), c.publishKeys(ctx))
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			c.log.Info("waiting for the cloud's other processes", "err", err)
		}
		select {
		case <-time.After(greetAgain):
		case <-ctx.Done():
			return nil
		}
	}
	<-ctx.Done()
	return nil
}

// lines is the way to the stores' nodes in the words of the gateway, whichever
// process of the cloud a node is connected to.
type lines struct {
	*uplink.Server
	engine *engine.Engine
}

// question is what a process asks the one that a store is connected to.
type question struct {
	Store stock.StoreID
	Needs []uplink.Need
}

// AskGrant asks a store for units and waits for its answer.
func (l lines) AskGrant(ctx context.Context, store stock.StoreID, needs []gateway.Need) error {
	q := question{Store: store, Needs: make([]uplink.Need, len(needs))}
	for i, n := range needs {
		q.Needs[i] = uplink.Need{SKU: n.SKU, Units: n.Units}
	}
	if s := l.elsewhere(ctx, store); s != nil {
		text, err := json.Marshal(q)
		if err != nil {
			return err
		}
		_, err = l.engine.Member().Ask(ctx, s.Member, text)
		return err
	}
	_, err := l.Server.AskGrant(ctx, store, q.Needs)
	return err
}

// answerMember serves what another process asks.
func (c *cloud) answerMember(ctx context.Context, text []byte) ([]byte, error) {
	var q question
	if err := json.Unmarshal(text, &q); err != nil {
		return nil, err
	}
	nodes := c.asked.Load()
	if nodes == nil {
		return nil, stock.Refuse(stock.Offline, "store %s has no session here", q.Store)
	}
	_, err := nodes.AskGrant(ctx, q.Store, q.Needs)
	return nil, err
}

// Standing says how a store stands with the cloud now, whichever process it is or
// was connected to. s is what all processes know of it.
func (l lines) Standing(s *headoffice.Store) gateway.Standing {
	on, since := l.Connected(s.ID)
	here := gateway.Standing{Connected: on, Since: since, LastHeard: l.LastSeen(s.ID)}
	if on || !l.engine.Member().HasOthers() || s.Session == 0 {
		return here
	}
	seen := gateway.Standing{Connected: l.isElsewhere(s), Since: time.UnixMilli(s.SessionAt),
		LastHeard: time.UnixMilli(max(s.SessionAt, s.AppliedAt))}
	if !seen.Connected && here.Since.After(seen.Since) {
		return here
	}
	return seen
}

// row is what all processes know of a store; nil when that cannot be read.
func (l lines) row(ctx context.Context, store stock.StoreID) (found *headoffice.Store) {
	err := l.engine.View(ctx, func(tx *journal.Tx) (err error) {
		found, err = headoffice.FindStore(tx, store)
		return err
	})
	if err != nil {
		return nil
	}
	return found
}

func (l lines) isElsewhere(s *headoffice.Store) bool {
	return s.Connected && s.Member != l.engine.Member().ID()
}

// elsewhere returns a store that is connected to another process of the cloud,
// or nil.
func (l lines) elsewhere(ctx context.Context, store stock.StoreID) *headoffice.Store {
	if on, _ := l.Connected(store); on || !l.engine.Member().HasOthers() {
		return nil
	}
	if s := l.row(ctx, store); s != nil && l.isElsewhere(s) {
		return s
	}
	return nil
}

// serveMembers adds what operators do about the cloud's processes.
func (c *cloud) serveMembers(mux *http.ServeMux) {
	m := c.engine.Member()
	mux.HandleFunc("GET /v1/members", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(m.Members(r.Context())) // whoever asked may be gone
	})
	change := func(do func(ctx context.Context, id string) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			// A page of another site cannot say this without being asked first.
			if r.Header.Get("Content-Type") != "application/json" {
				http.Error(w, "send application/json", http.StatusUnsupportedMediaType)
				return
			}
			if err := do(r.Context(), r.PathValue("id")); err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
			}
		}
	}
	mux.HandleFunc("DELETE /v1/members/{id}", change(m.Remove))
	mux.HandleFunc("POST /v1/members/{id}/lead", change(m.TransferLeader))
	mux.HandleFunc("POST /v1/members/lead", change(m.TransferLeader))
}
