package quorum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/stock"
)

// statusWithin is how long a member may take to say how it is.
const statusWithin = 500 * time.Millisecond

// Info says how a member stands.
type Info struct {
	ID      string
	Address string
	Voter   bool // has a vote; a new member gets one when it keeps up
	Leader  bool
	Self    bool   // is the member that was asked
	Applied uint64 // the newest entry of its copy
	Version uint32 // newest commands that its program knows
	Tables  int    // newest tables that its program knows
	Scarce  bool   // its disk is all but full
	Problem string // why it did not say the five before; "" if it did
}

// status is what a member says of itself.
func (m *Member) status() Info {
	return Info{ID: string(m.id), Address: string(m.address()), Leader: m.Leads(),
		Applied: m.applied.index(), Version: m.o.Machine.Version(),
		Tables: len(m.o.Machine.Migrations()), Scarce: m.scarce()}
}

func (m *Member) scarce() bool { return m.o.Scarce != nil && m.o.Scarce() }

// Members tells how all members stand, as far as this one can see, in the order
// of their ids.
func (m *Member) Members(ctx context.Context) []Info {
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	infos := m.askAll(ctx)
	slices.SortFunc(infos, func(a, b Info) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return infos
}

func (m *Member) askAll(ctx context.Context) []Info {
	servers := m.servers()
	infos := make([]Info, len(servers))
	var wait sync.WaitGroup
	for i, s := range servers {
		wait.Go(func() {
			infos[i] = m.askStatus(ctx, s)
			infos[i].ID, infos[i].Address = string(s.ID), string(s.Address)
			infos[i].Voter, infos[i].Self = s.Suffrage == raft.Voter, s.ID == m.id
		})
	}
	wait.Wait()
	return infos
}

func (m *Member) askStatus(ctx context.Context, s raft.Server) (info Info) {
	if s.ID == m.id {
		return m.status()
	}
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	text, err := m.peers.ask(ctx, string(s.Address), askStatus, nil)
	if err == nil {
		err = json.Unmarshal(text, &info)
	}
	if err == nil && info.ID != string(s.ID) {
		err = errors.New("another member answers there")
	}
	if err != nil {
		return Info{Problem: err.Error()}
	}
	return info
}

// Ask puts a question to the owner of another member; see Options.Serve.
func (m *Member) Ask(ctx context.Context, id string, question []byte) ([]byte, error) {
	if id == string(m.id) && m.o.Serve != nil {
		return m.o.Serve(ctx, question)
	}
	for _, s := range m.servers() {
		if string(s.ID) == id {
			return m.peers.ask(ctx, string(s.Address), askService, question)
		}
	}
	return nil, unknownMember(id)
}

func alone(step string) error {
	return stock.Refuse(stock.WrongState, "this member is the only one with a vote").
		With("state", "alone").With("step", step)
}

func unknownMember(id string) error {
	return stock.Refuse(stock.BadRequest, "no member has the id %s", id).With("what", "member")
}

// Remove takes a member out, for ever: what its box recorded is of no more use
// to the others, and it never comes back under this id.
func (m *Member) Remove(ctx context.Context, id string) error {
	return m.askLeader(ctx, askRemove, wish{ID: id})
}

// TransferLeader lets another member lead: this one, or with "" any.
func (m *Member) TransferLeader(ctx context.Context, id string) error {
	return m.askLeader(ctx, askTransfer, wish{ID: id})
}

// wish asks the leader for a change of the members.
type wish struct {
	ID      string
	Address string
	Version uint32
	Tables  int
	Known   bool // joining: is a member already, and has moved
}

// askLeader lets the leader grant a wish, wherever it is.
func (m *Member) askLeader(ctx context.Context, kind byte, w wish) error {
	payload, err := json.Marshal(w)
	if err != nil {
		return err
	}
	until := time.Now().Add(m.o.Timing.Patience)
	for {
		news := m.news.wait()
		err := m.manage(ctx, kind, payload)
		var no *notLeaderError
		if errors.As(err, &no) && no.leader != "" {
			_, err = m.peers.ask(ctx, no.leader, kind, payload)
		}
		_, refused := stock.AsRefusal(err)
		if err == nil || refused || ctx.Err() != nil || m.Err() != nil || time.Now().After(until) {
			return m.sayOnce(err)
		}
		select {
		case <-news:
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
	}
}

// manage grants a wish, if this member leads.
func (m *Member) manage(ctx context.Context, kind byte, payload []byte) error {
	var w wish
	if err := json.Unmarshal(payload, &w); err != nil {
		return err
	}
	if !m.Leads() {
		return m.whoLeads()
	}
	switch kind {
	case askJoin:
		return m.takeIn(w)
	case askRemove:
		return m.takeOut(w.ID)
	case askTransfer:
		return m.transfer(w.ID)
	case askListed:
		for _, s := range m.servers() {
			if string(s.ID) == w.ID {
				return nil
			}
		}
		return unknownMember(w.ID)
	}
	return fmt.Errorf("wish of kind %d", kind)
}

// takeIn makes a new member one without a vote, or notes where a known one is
// now.
func (m *Member) takeIn(w wish) error {
	j := m.Journal()
	if w.Version < j.Applied().Version || w.Tables < j.Tables() {
		return stock.Refuse(stock.TooOld, "the new member's program knows version %d and tables %d, "+
			"the cluster uses %d and %d", w.Version, w.Tables, j.Applied().Version, j.Tables())
	}
	id, addr := raft.ServerID(w.ID), raft.ServerAddress(w.Address)
	known := false
	for _, s := range m.servers() {
		switch {
		case s.ID == id && s.Address == addr:
			return nil
		case s.ID == id:
			known = true
		case s.Address == addr:
			return stock.Refuse(stock.BadRequest, "member %s has the address %s: if it is lost, remove it, "+
				"and this one is taken in", s.ID, addr).With("what", "address")
		}
	}
	if !known && w.Known {
		return unknownMember(w.ID)
	}
	m.log.Info("member joins", "member", w.ID, "address", w.Address)
	return m.change(func(r *raft.Raft) raft.Future {
		return r.AddNonvoter(id, addr, 0, changeWithin) // a voter keeps its vote
	})
}

func (m *Member) takeOut(id string) error {
	at := slices.IndexFunc(m.servers(), func(s raft.Server) bool { return string(s.ID) == id })
	if at < 0 {
		return unknownMember(id)
	}
	if id == string(m.id) {
		if len(m.voters()) == 1 {
			return alone("remove")
		}
		r := m.raft.Load()
		if err := m.hear(r, r.LeadershipTransfer()); err != nil {
			return err
		}
		return errNotLeader // the next leader does it
	}
	m.log.Info("member is removed", "member", id)
	return m.change(func(r *raft.Raft) raft.Future {
		return r.RemoveServer(raft.ServerID(id), 0, changeWithin)
	})
}

func (m *Member) transfer(id string) error {
	r := m.raft.Load()
	if len(m.voters()) == 1 {
		return alone("transfer the leadership")
	}
	if id == "" {
		return m.hear(r, r.LeadershipTransfer())
	}
	if id == string(m.id) {
		return nil
	}
	for _, s := range m.voters() {
		if string(s.ID) == id {
			return m.hear(r, r.LeadershipTransferToServer(s.ID, s.Address))
		}
	}
	return unknownMember(id)
}

// announce tells the others where this member is: a new one until it is taken
// in, one that has moved until they know.
func (m *Member) announce() {
	const again = 500 * time.Millisecond
	said := ""
	for {
		self, listed := m.self()
		fresh := m.o.Join != "" && len(m.servers()) == 0
		moved := listed && self.Address != m.address() && !m.Leads()
		if !fresh && (!moved || len(m.servers()) == 1) {
			return
		}
		err := m.askSomebody(askJoin, wish{ID: string(m.id), Address: string(m.address()), Known: moved,
			Version: m.o.Machine.Version(), Tables: len(m.o.Machine.Migrations())})
		if err != nil {
			if text := err.Error(); text != said { // it may take a person, and hours
				m.log.Warn("this member waits to be taken in", "err", err)
				said = text
			}
		} else {
			m.trans.outside.Store(false)
		}
		select {
		case <-time.After(again):
		case <-m.ctx.Done():
			return
		}
	}
}

// HasOthers tells whether there are other members.
func (m *Member) HasOthers() bool { return len(m.servers()) > 1 }

func (m *Member) self() (raft.Server, bool) {
	for _, s := range m.servers() {
		if s.ID == m.id {
			return s, true
		}
	}
	return raft.Server{}, false
}

// askSomebody asks one member after the other, and the leader that they name,
// until one answers. It works without knowing who leads.
func (m *Member) askSomebody(kind byte, w wish) error {
	payload, err := json.Marshal(w)
	if err != nil {
		return err
	}
	var addrs []string
	if m.o.Join != "" {
		addrs = append(addrs, m.o.Join)
	}
	for _, s := range m.servers() {
		if s.ID != m.id {
			addrs = append(addrs, string(s.Address))
		}
	}
	var errs []error
	for _, addr := range addrs {
		ctx, cancel := context.WithTimeout(m.ctx, changeWithin)
		_, err := m.peers.ask(ctx, addr, kind, payload)
		var no *notLeaderError
		if errors.As(err, &no) && no.leader != "" {
			_, err = m.peers.ask(ctx, no.leader, kind, payload)
		}
		cancel()
		if _, refused := stock.AsRefusal(err); err == nil || refused {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// missRemoval ends a member that was removed. The others do not tell it: they
// only stop talking to it. So one that hears of no leader, or finds itself on no
// list, asks.
func (m *Member) missRemoval() {
	tick := time.NewTicker(m.o.Timing.Election / 2)
	defer tick.Stop()
	missed := 0
	for {
		_, listed := m.self()
		leader, _ := m.raft.Load().LeaderWithID()
		switch {
		case len(m.servers()) == 0: // nobody took it in yet
		case !listed:
			missed = missedTicks
		case leader != "":
			missed = 0
		default:
			missed++
		}
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
		if missed < missedTicks {
			continue
		}
		missed = 0
		err := m.askSomebody(askListed, wish{ID: string(m.id)})
		if stock.Refused(err, stock.BadRequest) {
			m.fail(ErrRemoved)
			return
		}
	}
}

// missedTicks is how often a member looks, twice in the time of an election,
// and sees no leader, before it asks whether it still is a member.
const missedTicks = 6
