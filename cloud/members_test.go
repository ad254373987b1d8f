package cloud

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast.dev/cloud/quorum"
)

// place is one process of a cloud, in this process.
type place struct {
	o     Options
	ended chan error
	stop  context.CancelFunc
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newPlace(t *testing.T, join string) *place {
	p := &place{ended: make(chan error, 1)}
	p.o = Options{Data: t.TempDir(), Listen: freeAddress(t), Nodes: freeAddress(t),
		Admin: freeAddress(t), Language: "en",
		MemberOptions: MemberOptions{Members: freeAddress(t), Join: join}}
	return p
}

func (p *place) start(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() {
		err := Run(ctx, p.o, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Logf("the process of %s ended: %v", p.o.Admin, err)
		}
		p.ended <- err
	}()
	t.Cleanup(func() {
		stop()
		<-p.ended
	})
}

func (p *place) admin() AdminAt { return AdminAt{Admin: p.o.Admin} }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// until waits for what operators will see.
func until(t *testing.T, what string, ask func() (string, error), holds func(string) bool) string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		text, err := ask()
		if err == nil && holds(text) {
			return text
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %q, %v", what, text, err)
		}
	}
}

func TestAProcessJoinsACloudAndLeavesIt(t *testing.T) {
	first := newPlace(t, "")
	other := newPlace(t, first.o.Members)
	if err := Run(t.Context(), other.o, slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) ||
		!strings.Contains(err.Error(), "copy") {
		t.Errorf("a process joins without the cloud's keys: %v", err)
	}
	first.start(t)
	list := func() (string, error) { return Members(t.Context(), first.admin()) }
	until(t, "the first leads", list, func(s string) bool { return strings.Contains(s, "leads") })
	for _, name := range sharedKeys {
		key, err := os.ReadFile(filepath.Join(first.o.Data, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(other.o.Data, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other.o.Join = freeAddress(t) // nobody is there
	stray := newPlace(t, other.o.Join)
	if err := os.CopyFS(stray.o.Data, os.DirFS(other.o.Data)); err != nil {
		t.Fatal(err)
	}
	other.o.Join = first.o.Members
	stray.start(t)
	until(t, "one that finds nobody waits", func() (string, error) { return Members(t.Context(), stray.admin()) },
		func(s string) bool { return strings.Contains(s, "waits to be taken in") })
	other.start(t)
	text := until(t, "the second is taken in", list, func(s string) bool {
		return strings.Contains(s, other.o.Members) && !strings.Contains(s, "not answer")
	})
	put := func() (string, error) {
		return PutStore(t.Context(), StoreOptions{AdminAt: other.admin(), ID: 7, Name: "Tjalk",
			Town: "Utrecht", Country: "NL", Timezone: "Europe/Amsterdam", Language: "nl", Currency: "EUR"})
	}
	until(t, "a store through the second", put, func(s string) bool { return strings.Contains(s, "Tjalk") })
	if _, err := RemoveMember(t.Context(), MemberWish{AdminAt: other.admin(), ID: "nobody"}); err == nil {
		t.Error("nobody was removed")
	}
	id, _, _ := strings.Cut(text[strings.LastIndex(text[:strings.Index(text, other.o.Members)], "\n")+1:], " ")
	if _, err := RemoveMember(t.Context(), MemberWish{AdminAt: first.admin(), ID: id}); err != nil {
		t.Fatal(err)
	}
	var err error
	select {
	case err = <-other.ended:
		other.ended <- err
	case <-time.After(patience):
		t.Fatal("the removed process goes on")
	}
	if !errors.Is(err, quorum.ErrRemoved) || ExitCode(err) != exitRemoved {
		t.Errorf("the removed process ends with %v, %d", err, ExitCode(err))
	}
	until(t, "the first is alone", list, func(s string) bool { return !strings.Contains(s, other.o.Members) })
}

func TestKeysWithoutADatabaseFoundNoSecondCloud(t *testing.T) {
	p := newPlace(t, "")
	for _, name := range sharedKeys {
		if err := os.WriteFile(filepath.Join(p.o.Data, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := Run(t.Context(), p.o, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("a folder that lost its database: %v", err)
	}
}

func TestALoneProcessKeepsLeading(t *testing.T) {
	p := newPlace(t, "")
	p.start(t)
	list := func() (string, error) { return Members(t.Context(), p.admin()) }
	text := until(t, "it leads", list, func(s string) bool { return strings.Contains(s, "leads") })
	id, _, _ := strings.Cut(text, " ")
	for what, err := range map[string]error{
		"a transfer": second(TransferLeader(t.Context(), LeaderWish{AdminAt: p.admin()})),
		"a removal":  second(RemoveMember(t.Context(), MemberWish{AdminAt: p.admin(), ID: id})),
	} {
		if err == nil || !strings.Contains(err.Error(), "only one with a vote") {
			t.Errorf("%s gives %v", what, err)
		}
	}
}

func second(_ string, err error) error { return err }

func TestOperatorsHearWhatIsWrong(t *testing.T) {
	nowhere := AdminAt{Admin: freeAddress(t)}
	if _, err := Join(t.Context(), JoinOptions{AdminAt: nowhere, Store: 1}); err == nil ||
		!strings.HasPrefix(err.Error(), "reach the cloud at "+nowhere.Admin+": dial tcp ") {
		t.Errorf("nobody is there: %v", err)
	}
	p := newPlace(t, "")
	p.start(t)
	until(t, "it leads", func() (string, error) { return Members(t.Context(), p.admin()) },
		func(s string) bool { return strings.Contains(s, "leads") })
	_, err := PutStore(t.Context(), StoreOptions{AdminAt: p.admin(), ID: 7, Name: "Tjalk", Town: "Utrecht",
		Country: "NL", Timezone: "Mars/Utopia", Language: "nl", Currency: "EUR"})
	if err == nil || !strings.Contains(err.Error(), "Mars/Utopia") {
		t.Errorf("a zone that is none: %v", err)
	}
}
