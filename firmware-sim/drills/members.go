package drills

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// member is one process of the cloud.
type member struct {
	program *daemon
	data    string // its folder
	listen  string // host:port of the shopper API
	nodes   string // host:port where nodes connect
	admin   string
	peers   string // host:port where the others reach it
}

// sharedKeys are the files that all members of a cloud have the same of.
var sharedKeys = []string{"ca.key", "ca.crt", "pickup.key"}

// newMember describes a member; the first one founds the cloud, the others join.
func (s *site) newMember() (*member, error) {
	name := "cloud"
	if n := len(s.members); n > 0 {
		name += "-" + strconv.Itoa(n+1)
	}
	m := &member{data: filepath.Join(s.dir, name)}
	if err := s.ports.Fill(&m.listen, &m.nodes, &m.admin, &m.peers); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(m.data, 0o700); err != nil {
		return nil, fmt.Errorf("make the cloud's folder: %w", err)
	}
	args := []string{"run", "--data", m.data, "--listen", m.listen, "--nodes", m.nodes, "--admin", m.admin}
	if s.several > 1 {
		args = append(args, "--members", m.peers)
	}
	if len(s.members) > 0 {
		args = append(args, "--join", s.members[0].peers)
	}
	m.program = s.newDaemon("holdfast-"+name, "holdfast-cloud", m.admin, args...)
	s.members = append(s.members, m)
	return m, nil
}

// startMembers starts the first member, and lets the others join it.
func (s *site) startMembers(ctx context.Context) error {
	if err := s.members[0].program.startReady(ctx); err != nil {
		return err
	}
	return s.joinMembers(ctx)
}

func (s *site) joinMembers(ctx context.Context) error {
	for _, m := range s.members[1:] {
		for _, name := range sharedKeys {
			raw, err := os.ReadFile(filepath.Join(s.members[0].data, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(m.data, name), raw, 0o600)
			}
			if err != nil {
				return fmt.Errorf("copy the cloud's keys: %w", err)
			}
		}
		if err := m.program.startReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// running is the first member that runs, or the first one.
func (s *site) running() *member {
	for _, m := range s.members {
		if m.program.Alive() == nil {
			return m
		}
	}
	return s.members[0]
}

// nodes are the addresses where nodes connect.
func (s *site) nodes() []string {
	var all []string
	for _, m := range s.members {
		all = append(all, m.nodes)
	}
	return all
}

// standing is how a member stands, as operators see it.
type standing struct {
	ID, Address, Problem string
	Voter, Leader        bool
	Applied              uint64
	Version              uint32
}

// standings asks a member how all stand, in the order of the site's.
func (s *site) standings(ctx context.Context, of *member) ([]standing, error) {
	var said []standing
	text, err := s.get(ctx, of.admin, "/v1/members")
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil {
		return nil, err
	}
	all := make([]standing, len(s.members))
	for i, m := range s.members {
		if at := slices.IndexFunc(said, func(st standing) bool { return st.Address == m.peers }); at >= 0 {
			all[i] = said[at]
		}
	}
	return all, nil
}

// inStep waits until every member has a vote and everything.
func (s *site) inStep(ctx context.Context) error {
	all, err := s.standings(ctx, s.running())
	if err != nil {
		return err
	}
	newest := uint64(0)
	for _, st := range all {
		newest = max(newest, st.Applied)
	}
	for i, st := range all {
		if !st.Voter || st.Problem != "" || st.Applied < newest {
			return fmt.Errorf("member %d: vote %t, entry %d of %d, %s", i+1, st.Voter, st.Applied, newest,
				st.Problem)
		}
	}
	if !slices.ContainsFunc(all, func(st standing) bool { return st.Leader }) {
		return errors.New("no member leads")
	}
	return nil
}

// metric reads a whole number of a member's metrics.
func (s *site) metric(ctx context.Context, m *member, name string) (int, error) {
	text, err := s.get(ctx, m.admin, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", m.admin, name)
}

// loseMembers kills all members and takes their disks away.
func (s *site) loseMembers() error {
	var faults []error
	for _, m := range s.members {
		faults = append(faults, m.lose())
	}
	return errors.Join(faults...)
}

// lose kills a member and takes its disk away.
func (m *member) lose() error {
	return errors.Join(m.program.Kill(), os.RemoveAll(m.data), os.Mkdir(m.data, 0o700))
}
