package uplink

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNodesThatAreTurnedAwayGetTurnsAtThePaceOfAdmissions(t *testing.T) {
	s := NewServer(Options{HelloRate: 10}) // 8 of them are for who was turned away
	now := time.UnixMilli(1_700_000_000_000)
	const turn = 125 * time.Millisecond
	var got []time.Duration
	pause := func(at time.Time) time.Duration {
		after, _ := s.turn(at)
		return after
	}
	for range 3 {
		got = append(got, pause(now))
	}
	now = now.Add(turn)
	got = append(got, pause(now))
	want := []time.Duration{time.Second + turn, time.Second + 2*turn, time.Second + 3*turn,
		time.Second + 3*turn}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	if got := pause(now.Add(time.Hour)); got != time.Second+turn {
		t.Errorf("long after the storm the first one waits %s", got)
	}
}

func TestTurnsThatAreFarOffAreSpread(t *testing.T) {
	s := NewServer(Options{HelloRate: 1})
	s.random = func(n int64) int64 { return n - 1 }
	now := time.UnixMilli(1_700_000_000_000)
	for range 1000 {
		if got, _ := s.turn(now); got <= 0 || got > turnedAwayMax {
			t.Fatalf("a node is sent away for %s", got)
		}
	}
}

func TestAMemberThatStopsSendsNodesAwayForAsLongAsThatTakes(t *testing.T) {
	s := NewServer(Options{HelloRate: 1})
	s.random = func(n int64) int64 { return n - 1 }
	s.leaving = 2 * time.Second
	got, why := s.turn(time.UnixMilli(1_700_000_000_000))
	if got < turnedAwayMin || got >= turnedAwayMin+s.leaving || why != "this process is about to stop" {
		t.Errorf("sent away for %s, because %s", got, why)
	}
}
