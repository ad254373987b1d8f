package engine_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/quorum"
	"holdfast.dev/internal/identity"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// three opens a cloud of three members that know each other by certificate.
func three(t *testing.T) []*engine.Engine {
	t.Helper()
	ca, err := identity.OpenCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var all []*engine.Engine
	first := ""
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		server, client := ca.MemberTLS()
		e, err := engine.Open(t.Context(), engine.Options{Dir: t.TempDir(), Join: first,
			Net:    quorum.TLS(l, addr, server, client),
			Now:    func() time.Time { return time.UnixMilli(startMS) },
			Timing: quorum.Timing{Election: 400 * time.Millisecond, Settle: time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		all = append(all, e)
		if first == "" {
			first = addr
		}
	}
	for len(votersOf(all)) < len(all) {
		time.Sleep(5 * time.Millisecond)
	}
	return all
}

func votersOf(all []*engine.Engine) (voters []quorum.Info) {
	for _, i := range all[0].Member().Members(context.Background()) {
		if i.Voter && i.Problem == "" {
			voters = append(voters, i)
		}
	}
	return voters
}

func TestAPromiseIsKnownOnEveryMember(t *testing.T) {
	all, f := three(t), &feed{}
	shop(t, all[1])
	bells := make([]<-chan struct{}, len(all))
	for i, e := range all {
		bells[i] = e.Watch(1)
	}
	propose(t, all[2], f.batch(t, receipt(1, 10), grant(1, 5, 5)))
	for i := range all {
		<-bells[i]
	}
	var wait sync.WaitGroup
	won := make([]int, len(all))
	for i, e := range all {
		wait.Go(func() {
			for n := range 5 {
				_, err := e.Propose(t.Context(), reserve(100*i+n, 1))
				switch {
				case err == nil:
					won[i]++
				case !stock.Refused(err, stock.Short):
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if sum := won[0] + won[1] + won[2]; sum != 5 {
		t.Errorf("%v promises of 5 units", won)
	}
	before := propose(t, all[0], firstAgain(t))
	for _, e := range all {
		if again := propose(t, e, firstAgain(t)); !proto.Equal(before, again) {
			t.Errorf("duplicates are answered %v, elsewhere %v", again, before)
		}
	}
	same(t, all)
}

// firstAgain sends a feed's first record once more.
func firstAgain(t *testing.T) *recordv1.Command { return new(feed).batch(t, receipt(1, 10)) }

// same compares what the commands have built everywhere.
func same(t *testing.T, all []*engine.Engine) {
	t.Helper()
	var first map[string]journal.Hash
	for _, e := range all {
		if err := e.Member().Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		digest, err := e.Journal().Digest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = digest
		}
		for table, hash := range digest {
			if first[table] != hash {
				t.Errorf("table %s differs", table)
			}
		}
	}
}

func TestAKeptDatabaseIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	e, f := open(t, dir), &feed{}
	shop(t, e)
	propose(t, e, f.batch(t, receipt(1, 10), grant(1, 5, 5)))
	before := propose(t, e, reserve(1, 2))
	kept := t.TempDir()
	if err := e.Journal().Backup(t.Context(), kept+"/"+engine.Database); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Open(t.Context(), engine.Options{Dir: kept}); err == nil {
		t.Fatal("a copy of a member's database went on by itself")
	}
	again, err := engine.Open(t.Context(), engine.Options{Dir: kept, Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if r := propose(t, again, reserve(1, 2)); !proto.Equal(before, r) {
		t.Errorf("the taken over cloud answers %v, before %v", r, before)
	}
}
