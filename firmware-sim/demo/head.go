package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
)

const (
	// standingWithin bounds how long the members are asked how they stand,
	// stateWithin how a store stands.
	standingWithin = time.Second
	stateWithin    = 5 * time.Second
)

// sharedKeys are the files that all members of a cloud have the same of.
var sharedKeys = []string{"ca.key", "ca.crt", "pickup.key"}

// Head is the cloud as its clients see it, of one process or several.
type Head struct {
	Members []*Member
	Shop    shopv1.ShopClient       // of any member that runs
	Office  shopv1.HeadOfficeClient // the same

	conns []*grpc.ClientConn
}

// Member is one process of the cloud.
type Member struct {
	Number  int // from 1
	Program *program.Program
	URL     string // storefront and shopper API
	Admin   string // host:port of head office
	Nodes   string // host:port where nodes connect
	Peers   string // host:port where the others reach it
	dir     string
	office  shopv1.HeadOfficeClient // of this process alone
}

// Standing is what the members say of one of them.
type Standing struct {
	ID, Address, Problem string
	Voter, Leader, Self  bool
	Applied              uint64
}

// newHead describes the cloud's processes; nothing runs yet.
func (r *Room) newHead() (h *Head, err error) {
	h = new(Head)
	var shops, admins []string
	for i, p := range r.layout.members {
		m := r.newMember(i, p)
		h.Members = append(h.Members, m)
		own, err := dial(m.Admin)
		if err != nil {
			return h, err
		}
		h.conns, m.office = append(h.conns, own), shopv1.NewHeadOfficeClient(own)
		shops, admins = append(shops, program.Address(p.shop)), append(admins, m.Admin)
		if err := os.MkdirAll(m.dir, 0o700); err != nil {
			return h, fmt.Errorf("make data folder: %w", err)
		}
	}
	more := r.memberDir(len(h.Members))
	if _, err := os.Stat(more); err == nil {
		return h, fmt.Errorf("%s is kept: this demo had more members; start it with as many as before "+
			"(--cloud), or let it start over", more)
	}
	shop, err := dial(shops...)
	if err != nil {
		return h, err
	}
	h.conns = append(h.conns, shop)
	office, err := dial(admins...)
	if err != nil {
		return h, err
	}
	h.conns = append(h.conns, office)
	h.Shop, h.Office = shopv1.NewShopClient(shop), shopv1.NewHeadOfficeClient(office)
	return h, nil
}

// memberDir is where member i, counted from zero, keeps its data.
func (r *Room) memberDir(i int) string {
	name := "cloud"
	if i > 0 {
		name += "-" + strconv.Itoa(i+1)
	}
	return filepath.Join(r.o.Data, name)
}

func (r *Room) newMember(i int, p memberPorts) *Member {
	m := &Member{Number: i + 1, URL: "http://" + program.Address(p.shop), Admin: program.Address(p.admin),
		Nodes: program.Address(p.nodes), Peers: program.Address(p.members), dir: r.memberDir(i)}
	args := []string{"run", "--data", m.dir, "--listen", program.Address(p.shop), "--nodes", m.Nodes,
		"--admin", m.Admin, "--rate", manyCalls, "--burst", manyCalls}
	if len(r.layout.members) > 1 {
		args = append(args, "--members", m.Peers)
	}
	if i > 0 {
		args = append(args, "--join", program.Address(r.layout.members[0].members))
	}
	name := filepath.Base(m.dir)
	m.Program = r.newProgram(name, "holdfast-cloud", args...)
	return m
}

// StartCloud starts all members and waits until they are ready. New ones join
// the first when it is there.
func (r *Room) StartCloud(ctx context.Context) error {
	first := r.Head.Members[0]
	if err := first.Program.Start(); err != nil {
		return err
	}
	for _, m := range r.Head.Members[1:] {
		if !m.hasKeys() {
			if err := r.awaitMember(ctx, first); err != nil {
				return err
			}
			if err := m.copyKeys(first); err != nil {
				return fmt.Errorf("prepare member %d: %w", m.Number, err)
			}
		}
		if err := m.Program.Start(); err != nil {
			return err
		}
	}
	for _, m := range r.Head.Members {
		if err := r.awaitMember(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (r *Room) awaitMember(ctx context.Context, m *Member) error {
	return awaitReady(ctx, m.Program, m.Admin)
}

// hasKeys tells whether a member was prepared to join.
func (m *Member) hasKeys() bool {
	_, err := os.Stat(filepath.Join(m.dir, sharedKeys[len(sharedKeys)-1]))
	return err == nil
}

// copyKeys does what an operator does before a member joins.
func (m *Member) copyKeys(from *Member) error {
	for _, name := range sharedKeys {
		raw, err := os.ReadFile(filepath.Join(from.dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(m.dir, name), raw, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Running is the first member that runs, or the first one.
func (h *Head) Running() *Member {
	for _, m := range h.Members {
		if m.Program.State().Running {
			return m
		}
	}
	return h.Members[0]
}

// URL is the storefront of a member that runs.
func (h *Head) URL() string { return h.Running().URL }

// URLs are the storefronts of all members.
func (h *Head) URLs() []string {
	var all []string
	for _, m := range h.Members {
		all = append(all, m.URL)
	}
	return all
}

// nodes are the addresses where nodes connect.
func (h *Head) nodes() []string {
	var all []string
	for _, m := range h.Members {
		all = append(all, m.Nodes)
	}
	return all
}

// Kill ends all members at once, as a power cut would, and waits until they are
// down.
func (h *Head) Kill() error {
	var all errgroup.Group
	for _, m := range h.Members {
		all.Go(m.Program.Kill)
	}
	return all.Wait()
}

// stop stops all members and frees the connections to them.
func (h *Head) stop() error {
	var faults []error
	for _, m := range slices.Backward(h.Members) {
		faults = append(faults, m.Program.Stop())
	}
	for _, c := range h.conns {
		_ = c.Close() // nothing is under way on it any more
	}
	return errors.Join(faults...)
}

// Standings asks a member that runs how all members stand, in the order of
// Members. One that it does not know has no id.
func (h *Head) Standings(ctx context.Context) ([]Standing, error) {
	said, err := h.Running().standings(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Standing, len(h.Members))
	for i, m := range h.Members {
		at := slices.IndexFunc(said, func(s Standing) bool { return s.Address == m.Peers })
		if at < 0 && len(h.Members) == 1 {
			at = 0 // alone, it may have no address
		}
		if at >= 0 {
			all[i] = said[at]
		}
	}
	return all, nil
}

// Leader finds the member that leads.
func (h *Head) Leader(ctx context.Context) (*Member, error) {
	all, err := h.Standings(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(s Standing) bool { return s.Leader && s.Problem == "" })
	if at < 0 {
		return nil, errors.New("no member leads")
	}
	return h.Members[at], nil
}

func (m *Member) standings(ctx context.Context) (said []Standing, err error) {
	ctx, cancel := context.WithTimeout(ctx, standingWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.Admin+"/v1/members", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("members of %s: %s", m.Admin, resp.Status)
	}
	return said, json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&said)
}

// State is how the cloud sees a store: what the member says that knows most, for
// the others hear of what was done a moment later.
func (h *Head) State(ctx context.Context, store uint32) (newest *shopv1.StoreState, err error) {
	ctx, cancel := context.WithTimeout(ctx, stateWithin)
	defer cancel()
	states := make([]*shopv1.StoreState, len(h.Members))
	faults := make([]error, len(h.Members))
	var all sync.WaitGroup
	for i, m := range h.Members {
		all.Go(func() { states[i], faults[i] = m.state(ctx, store) })
	}
	all.Wait()
	for _, s := range states {
		if s != nil && (newest == nil || slices.Compare(progress(s), progress(newest)) > 0) {
			newest = s
		}
	}
	if newest == nil {
		return nil, errors.Join(faults...)
	}
	return newest, nil
}

// progress grows with everything that the cloud does with a store.
func progress(s *shopv1.StoreState) []uint64 {
	return []uint64{uint64(s.GetTimeline()), s.GetSession(), s.GetJournalApplied(), s.GetDirectivesNext(), s.GetDirectivesAcked()}
}

func (m *Member) state(ctx context.Context, store uint32) (*shopv1.StoreState, error) {
	all, err := m.office.ListStoreStates(ctx, &shopv1.ListStoreStatesRequest{})
	if err != nil {
		return nil, err
	}
	for _, s := range all.GetStates() {
		if s.GetStore().GetStore() == store {
			return s, nil
		}
	}
	return nil, fmt.Errorf("the cloud does not know store %d", store)
}
