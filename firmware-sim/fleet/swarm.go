package fleet

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// twiceEach of the seeds are run twice, to see that a seed is one run.
const twiceEach = 100

// SwarmOptions say which seeds to run.
type SwarmOptions struct {
	Run      Options // of every run, but for its seed
	From, To uint64
	Workers  int         // runs at once; 0: one for each core
	Failures int         // after which no new run begins; 0: none
	Done     func(n int) // told after each run; nil: nobody listens
}

// Report is what a swarm found.
type Report struct {
	Seeds     uint64            `json:"seeds"`
	Events    uint64            `json:"events"`
	Records   uint64            `json:"records"`
	Commands  uint64            `json:"commands"`
	StoreDays int               `json:"store_days"`
	Fewest    uint64            `json:"fewest_events"` // in a store-day of any run, on average
	Took      time.Duration     `json:"took_ns"`
	Busy      time.Duration     `json:"busy_ns"` // summed over the workers
	CPU       time.Duration     `json:"cpu_ns"`  // of the process meanwhile
	Marks     map[string]uint64 `json:"marks"`
	Unreached []string          `json:"unreached"`
	Failed    []Result          `json:"failed"`

	marks marks
}

// Swarm runs many seeds, several at once; each is a world of its own. The
// error is a fault of the simulator, or the end of ctx.
func Swarm(ctx context.Context, o SwarmOptions) (*Report, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	s := &swarm{o: o, next: o.From, report: &Report{}}
	begun, used := time.Now(), cpuTime()
	var group sync.WaitGroup
	for range o.Workers {
		group.Go(func() { s.work(ctx) })
	}
	group.Wait()
	s.report.Took, s.report.CPU = time.Since(begun), cpuTime()-used
	s.report.finish()
	return s.report, s.err
}

// cpuTime is how long this process has kept cores busy.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type swarm struct {
	o SwarmOptions

	mu     sync.Mutex
	next   uint64 // guarded by mu
	report *Report
	err    error // guarded by mu
}

func (s *swarm) work(ctx context.Context) {
	k := new(kit)
	defer k.close() // nothing is in it that anybody wants
	for {
		seed, more := s.take(ctx)
		if !more {
			return
		}
		o := s.o.Run
		o.Seed, o.kit = seed, k
		begun := time.Now()
		result, err := Run(ctx, o)
		if err == nil && seed%twiceEach == 0 && result.Violation == nil {
			result, err = again(ctx, o, result)
		}
		s.put(result, time.Since(begun), err)
	}
}

// again runs a seed once more, which must be the same run.
func again(ctx context.Context, o Options, first Result) (Result, error) {
	second, err := Run(ctx, o)
	if err == nil && (second.Trace != first.Trace || second.Steps != first.Steps) {
		first.Violation = &Violation{Step: min(first.Steps, second.Steps), Invariant: "TWICE",
			What: fmt.Sprintf("two runs: %d events with trace %x, %d with %x", first.Steps, first.Trace,
				second.Steps, second.Trace)}
	}
	return first, err
}

func (s *swarm) take(ctx context.Context) (seed uint64, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	enough := s.o.Failures > 0 && len(s.report.Failed) >= s.o.Failures
	if s.next > s.o.To || s.err != nil || ctx.Err() != nil || enough {
		return 0, false
	}
	s.next++
	return s.next - 1, true
}

func (s *swarm) put(r Result, took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("seed %d: %w", r.Seed, err)
	}
	p := s.report
	p.Seeds++
	p.Busy += took
	p.Events += r.Steps
	p.Records += r.Records
	p.Commands += r.Commands
	p.StoreDays += r.StoreDays
	p.marks.add(&r.marks)
	if r.Violation != nil {
		p.Failed = append(p.Failed, r)
	} else if n := r.Steps / uint64(max(1, r.StoreDays)); err == nil && (p.Fewest == 0 || n < p.Fewest) {
		p.Fewest = n
	}
	if s.o.Done != nil {
		s.o.Done(1)
	}
}

// finish names the marks that were reached, and those that were not.
func (p *Report) finish() {
	p.Marks = make(map[string]uint64)
	for m := mark(1); m < numMarks; m++ {
		p.Marks[markNames[m]] = p.marks[m]
		if p.marks[m] == 0 {
			p.Unreached = append(p.Unreached, markNames[m])
		}
	}
	slices.SortFunc(p.Failed, func(a, b Result) int { return cmp.Compare(a.Seed, b.Seed) })
}

// Names lists the marks in the order of the table.
func (p *Report) Names() []string { return markNames[1:] }
