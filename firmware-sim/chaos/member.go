package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
)

const (
	leaderPatience = time.Minute
	// votePatience is how long new members may take to get their votes.
	votePatience = 4 * time.Minute
)

// sharedKeys are the files that all members of a cloud have the same of.
var sharedKeys = []string{"ca.key", "ca.crt", "pickup.key"}

// member is one process of the cloud.
type member struct {
	*child
	number int
	data   string
	join   *member                      // that takes it in; nil: it founds the cloud
	wrap   func(args []string) []string // what the program is started by; nil: itself

	listen, nodes, admin, peers string // where it listens
	shop                        *cable // from clients
	mesh                        *cable // from other members; nil on a fabric
	peersAt                     string // where other members reach it
	office                      *rest  // of somebody who inspects
}

// newMember describes a member; nothing is started.
func (w *world) newMember(number int) (*member, error) {
	name := fmt.Sprintf("cloud-%d", number)
	m := &member{number: number, data: w.path(name)}
	m.child = w.newChild(name, func() []string { return w.memberArgs(m) })
	if err := w.ports.Fill(&m.listen, &m.nodes, &m.admin, &m.peers); err != nil {
		return nil, err
	}
	var err error
	if w.fabric != nil {
		var ip string
		if m.ns, ip, err = w.fabric.plug(memberName(number)); err != nil {
			return nil, err
		}
		m.nodes, m.peers = movedTo(ip, m.nodes), movedTo(ip, m.peers)
		m.peersAt = m.peers
	} else {
		if m.mesh, err = w.lay(place{addr: m.peers}); err != nil {
			return nil, err
		}
		m.mesh.who, m.peersAt = w.whichMember, m.mesh.addr()
	}
	if m.shop, err = w.lay(m.at(m.listen)); err != nil {
		return nil, err
	}
	m.office = newREST(m.at(m.admin), adminWithin)
	return m, nil
}

// movedTo is the same port at another address.
func movedTo(ip, addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return net.JoinHostPort(ip, port)
}

// memberArgs is how a member is started.
func (w *world) memberArgs(m *member) []string {
	args := []string{filepath.Join(w.o.Bin, "holdfast-cloud"), "run", "--data", m.data, "--listen",
		m.listen,
		"--nodes", m.nodes, "--admin", m.admin, "--rate", manyCalls, "--burst", manyCalls}
	if len(w.members) > 1 {
		args = append(args, "--members", m.peers, "--member-address", m.peersAt)
	}
	if m.join != nil {
		args = append(args, "--join", m.join.peersAt)
	}
	if w.keepLog > 0 {
		args = append(args, "--keep-log", strconv.Itoa(w.keepLog))
	}
	if m.wrap != nil {
		return m.wrap(args)
	}
	return args
}

// whichMember names the member that has the other end of a connection.
func (w *world) whichMember(near *net.TCPConn) string {
	pids := make([]int, len(w.members))
	for i, m := range w.members {
		pids[i] = m.pid()
	}
	owner := ownerOf(near, pids)
	for i, pid := range pids {
		if pid == owner && pid != 0 {
			return memberName(i)
		}
	}
	return ""
}

func memberName(i int) string { return fmt.Sprintf("member%d", i) }

// startMembers founds the cloud, and lets the other members join it.
func (w *world) startMembers(ctx context.Context) error {
	for _, m := range w.members {
		if err := os.MkdirAll(m.data, 0o700); err != nil {
			return err
		}
		if m.number > 0 {
			if err := m.prepareJoin(w.members[0]); err != nil {
				return err
			}
		}
		if err := m.Start(); err != nil {
			return err
		}
		if err := awaitReady(ctx, m.child, m.admin); err != nil {
			return err
		}
	}
	return w.awaitVotes(ctx)
}

// prepareJoin makes an empty folder one that another member takes in.
func (m *member) prepareJoin(by *member) error {
	m.join = by
	for _, name := range sharedKeys {
		raw, err := os.ReadFile(filepath.Join(by.data, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(m.data, name), raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// standing is what a member says of one of them.
type standing struct {
	ID, Address, Problem string
	Voter, Leader, Self  bool
	Applied              uint64
}

// ask reads what a member says outside the API.
func (m *member) ask(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.office.base+path, nil)
	if err != nil {
		return err
	}
	resp, err := m.office.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s of %s: %s", path, m.Name(), resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// standings are how all members stand, as this one sees it.
func (m *member) standings(ctx context.Context) (all []standing, err error) {
	err = m.ask(ctx, "/v1/members", &all)
	return all, err
}

// id is the member's own.
func (m *member) id(ctx context.Context) (string, error) {
	all, err := m.standings(ctx)
	for _, s := range all {
		if s.Self {
			return s.ID, nil
		}
	}
	return "", fmt.Errorf("%s does not say its id: %w", m.Name(), err)
}

// awaitVotes waits until every member has a vote.
func (w *world) awaitVotes(ctx context.Context) error {
	if len(w.members) == 1 {
		return nil
	}
	return poll(ctx, votePatience, func() error {
		leader := w.leader(ctx)
		if leader == nil {
			return errNoLeader
		}
		all, err := leader.standings(ctx)
		if err != nil {
			return err
		}
		votes := 0
		for _, s := range all {
			if s.Voter && s.Problem == "" {
				votes++
			}
		}
		if votes < len(w.members) || len(all) > votes {
			return fmt.Errorf("%d of %d members have a vote: %+v", votes, len(w.members), all)
		}
		return nil
	})
}

var errNoLeader = errors.New("nobody leads")

// leader is the member that leads, or nil while nobody says so.
func (w *world) leader(ctx context.Context) *member {
	if len(w.members) == 1 {
		return w.members[0]
	}
	for _, m := range w.members {
		if m.pid() == 0 {
			continue
		}
		all, err := m.standings(ctx)
		if err != nil {
			continue
		}
		for _, s := range all {
			if s.Leader && s.Self {
				return m
			}
		}
	}
	return nil
}

// awaitLeader waits until a member leads.
func (w *world) awaitLeader(ctx context.Context) (m *member, err error) {
	err = poll(ctx, leaderPatience, func() error {
		if m = w.leader(ctx); m == nil {
			return errNoLeader
		}
		return nil
	})
	return m, err
}

// invariants asks a member to check what the cloud can see.
func (m *member) invariants(ctx context.Context) ([]*shopv1.InvariantResult, error) {
	answer := new(shopv1.CheckInvariantsResponse)
	err := m.office.get(ctx, "/v1/invariants", answer)
	return answer.GetResults(), err
}

// books are what the cloud knows of a store, by SKU.
func (m *member) books(ctx context.Context, store uint32) (map[uint32]*shopv1.BookRow, error) {
	all, token := make(map[uint32]*shopv1.BookRow), ""
	for {
		page := new(shopv1.ListBooksResponse)
		path := fmt.Sprintf("/v1/stores/%d/books?page_size=1000&page_token=%s", store, token)
		if err := m.office.get(ctx, path, page); err != nil {
			return nil, err
		}
		for _, row := range page.GetRows() {
			all[row.GetSku()] = row
		}
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}

// state is how the cloud sees a store.
func (m *member) state(ctx context.Context, store uint32) (*shopv1.StoreState, error) {
	all := new(shopv1.ListStoreStatesResponse)
	if err := m.office.get(ctx, "/v1/storeStates", all); err != nil {
		return nil, err
	}
	for _, s := range all.GetStates() {
		if s.GetStore().GetStore() == store {
			return s, nil
		}
	}
	return nil, fmt.Errorf("the cloud does not know store %d", store)
}
