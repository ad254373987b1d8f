package chaos

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/chaos/history"
)

func TestSchedulesFollowFromTheSeed(t *testing.T) {
	for _, s := range Scenarios() {
		for _, members := range []int{1, 3, 5} {
			if members < s.Members {
				continue
			}
			o := Options{Members: members, Stores: 2, Length: s.Length}
			plan := func(seed uint64) []Event { return s.Plan(rand.New(rand.NewPCG(seed, 0)), o) }
			for seed := range uint64(50) {
				events := plan(seed)
				if diff := cmp.Diff(events, plan(seed)); diff != "" {
					t.Errorf("%s differs with the same seed:\n%s", s.Name, diff)
				}
				last := time.Duration(0)
				for _, e := range events {
					if breakers[e.Fault] == nil {
						t.Errorf("%s: nothing breaks by %q", s.Name, e.Fault)
					}
					if e.At < last || e.At+e.For > s.Length {
						t.Errorf("%s, seed %d: %s is not between %s and %s", s.Name, seed, e, last, s.Length)
					}
					last = e.At + e.For
				}
				if len(events) == 0 && s.whole == nil && s.Name != "calm" {
					t.Errorf("%s, seed %d: nothing breaks", s.Name, seed)
				}
			}
		}
	}
}

func TestSilenceIsTheLongestPause(t *testing.T) {
	ms := func(all ...int) (d []time.Duration) {
		for _, n := range all {
			d = append(d, time.Duration(n)*time.Millisecond)
		}
		return d
	}
	for name, test := range map[string]struct {
		accepted []time.Duration
		want     time.Duration
	}{
		"nothing was accepted": {nil, 100 * time.Millisecond},
		"right after":          {ms(101, 150, 199), 49 * time.Millisecond},
		"at the end":           {ms(110, 120), 80 * time.Millisecond},
		"outside":              {ms(50, 99, 250), 100 * time.Millisecond},
		"in any order":         {ms(190, 130, 160), 30 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			p := &probes{accepted: test.accepted}
			if got := p.silence(100*time.Millisecond, 200*time.Millisecond); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// A refusal after a try that nobody heard of says nothing about that try.
func TestTriesWithoutAnAnswerStayInDoubt(t *testing.T) {
	op := history.PoolOp{Verb: history.Hold, ID: "a"}
	told := func(start time.Duration, o history.Outcome) history.PoolOp {
		op := op
		op.Span = history.Span{Client: 3, Start: start, End: 9}
		op.Outcome = o
		return op
	}
	for name, test := range map[string]struct {
		how  insisted
		want []history.PoolOp
	}{
		"served":      {insisted{outcome: history.OK}, []history.PoolOp{told(1, history.OK)}},
		"turned away": {insisted{outcome: "BUSY", nothing: true}, nil},
		"never answered": {insisted{outcome: history.Unknown, unsure: true},
			[]history.PoolOp{told(1, history.Unknown)}},
		"refused": {insisted{outcome: history.Short}, []history.PoolOp{told(5, history.Short)}},
		"refused after doubt": {insisted{outcome: history.Short, unsure: true},
			[]history.PoolOp{told(1, history.Unknown), told(5, history.Short)}},
	} {
		t.Run(name, func(t *testing.T) {
			test.how.first, test.how.last, test.how.end = 1, 5, 9
			if diff := cmp.Diff(test.want, test.how.poolOps(3, op)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDowntimesAreSummedUpByFault(t *testing.T) {
	const s = time.Second
	r := &Result{Members: 3, Gaps: []Gap{{Fault: "kill leader", Took: s},
		{Fault: "cut a-b", Took: 9 * s}, {Fault: "kill leader", Took: 4 * s}, {Fault: "kill leader", Took: 2 * s}}}
	want := []Downtime{{Fault: "cut a-b", Times: 1, Median: 9 * s, Worst: 9 * s},
		{Fault: "kill leader", Times: 3, Median: 2 * s, Worst: 4 * s, Within: 3 * s, Missed: 1}}
	if diff := cmp.Diff(want, r.Downtimes()); diff != "" {
		t.Error(diff)
	}
}
