package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/firmware-sim/program"
)

// cloudProcess is one process of a cloud, as a data center runs it.
type cloudProcess struct {
	*program.Program
	data                        string
	listen, nodes, admin, peers string // where it listens
	alone                       bool
}

const manyCalls = "100000" // a second may come from this one machine

// newCloudProcess describes a process on a folder; nothing is started.
func (b *bench) newCloudProcess(data string) (*cloudProcess, error) {
	path, err := b.bin("holdfast-cloud")
	if err != nil {
		return nil, err
	}
	m := &cloudProcess{data: data}
	m.Program = program.New(program.Options{Name: "holdfast-cloud",
		Command: func() []string { return append([]string{path}, m.args()...) }})
	return m, b.ports.Fill(&m.listen, &m.nodes, &m.admin, &m.peers)
}

// run starts the process and waits until it can work.
func (m *cloudProcess) run(ctx context.Context) error {
	if err := m.Start(); err != nil {
		return err
	}
	if err := m.awaitReady(ctx); err != nil {
		return errors.Join(err, m.Kill())
	}
	return nil
}

func (m *cloudProcess) args() []string {
	args := []string{"run", "--data", m.data, "--listen", m.listen, "--nodes", m.nodes, "--admin", m.admin,
		"--rate", manyCalls, "--burst", manyCalls, "--log-level", "warn"}
	if !m.alone {
		args = append(args, "--members", m.peers, "--member-address", m.peers)
	}
	return args
}

// awaitReady waits until the process can work.
func (m *cloudProcess) awaitReady(ctx context.Context) error {
	return m.AwaitReady(ctx, patience, program.Ready(http.DefaultClient, m.admin))
}

const pollEvery = 20 * time.Millisecond

// get reads from the operators' listener.
func (m *cloudProcess) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.admin+path, nil)
	if err != nil {
		return err
	}
	body, err := call(r)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// post sends JSON to an address.
func post(ctx context.Context, client *http.Client, url string, in any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	_, err = callBy(client, r)
	return err
}

// standing is what a process says of one of them.
type standing struct {
	ID, Problem         string
	Voter, Leader, Self bool
	Applied             uint64
}

// trio is a cloud of three processes with stock that shoppers reserve.
type trio struct {
	members []*cloudProcess
	shopper *shopper
}

// openTrio makes the folders of three members that know each other, and starts
// their processes. folder says where each is.
func (b *bench) openTrio(ctx context.Context, folder func(member int) (string, error)) (t *trio, err error) {
	t = &trio{shopper: newShopper()}
	var addrs []string
	for i := range 3 {
		dir, err := folder(i)
		if err != nil {
			return nil, err
		}
		m, err := b.newCloudProcess(dir)
		if err != nil {
			return nil, err
		}
		t.members = append(t.members, m)
		addrs = append(addrs, m.peers)
	}
	if err := t.found(ctx, addrs); err != nil {
		return nil, err
	}
	for i, m := range t.members {
		if err := m.Start(); err != nil {
			return nil, errors.Join(err, t.kill(t.members[:i]))
		}
	}
	for _, m := range t.members {
		if err := m.awaitReady(ctx); err != nil {
			return nil, errors.Join(err, t.kill(t.members))
		}
	}
	return t, nil
}

// found makes a cloud of three in this process, with stock, and leaves its
// folders behind.
func (t *trio) found(ctx context.Context, addrs []string) error {
	folders := make([]string, len(t.members))
	for i, m := range t.members {
		folders[i] = m.data
	}
	c, err := openCellAt(ctx, folders, addrs)
	if err != nil {
		return err
	}
	if err := errors.Join(c.stock(ctx), c.Close()); err != nil {
		return err
	}
	for _, m := range t.members[1:] {
		for _, name := range []string{"ca.key", "ca.crt", "pickup.key"} {
			raw, err := os.ReadFile(filepath.Join(t.members[0].data, name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(m.data, name), raw, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *trio) kill(some []*cloudProcess) error {
	var errs []error
	for _, m := range some {
		errs = append(errs, m.Kill())
	}
	return errors.Join(errs...)
}

// Close kills all processes.
func (t *trio) Close() error {
	t.shopper.client.CloseIdleConnections()
	return t.kill(t.members)
}

// leader returns the member that leads, and the others, once all three are
// there and have what it has.
func (t *trio) leader(ctx context.Context) (leader *cloudProcess, others []*cloudProcess, err error) {
	err = poll(ctx, pollEvery, func(ctx context.Context) error {
		for _, m := range t.members {
			var all []standing
			if err := m.get(ctx, "/v1/members", &all); err != nil {
				return err
			}
			votes, leads := 0, false
			for _, s := range all {
				if s.Voter && s.Problem == "" {
					votes++
				}
				leads = leads || s.Leader && s.Self
			}
			if votes == len(t.members) && leads {
				leader = m
				return nil
			}
		}
		return errors.New("nobody leads all three")
	})
	for _, m := range t.members {
		if m != leader {
			others = append(others, m)
		}
	}
	return leader, others, err
}

// lead lets a member lead.
func (t *trio) lead(ctx context.Context, m *cloudProcess) error {
	return poll(ctx, time.Second/2, func(ctx context.Context) error {
		leader, _, err := t.leader(ctx)
		if err != nil || leader == m {
			return err
		}
		var all []standing
		if err := m.get(ctx, "/v1/members", &all); err != nil {
			return err
		}
		for _, s := range all {
			if s.Self {
				err = post(ctx, http.DefaultClient, "http://"+m.admin+"/v1/members/"+s.ID+"/lead", struct{}{})
			}
		}
		return errors.Join(err, errors.New("another leads"))
	})
}
