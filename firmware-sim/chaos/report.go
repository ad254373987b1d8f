package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Report is how several scenarios went.
type Report struct {
	OK      bool      `json:"ok"`
	Results []*Result `json:"results,omitempty"`
	Cuts    []*Cuts   `json:"cuts,omitempty"` // the last one is the control
}

// RunAll runs the named scenarios, or all that fit if nothing else is asked for,
// one after the other, each in the same world set up anew, and then power cuts.
// It goes on after one in which something did not hold.
func RunAll(ctx context.Context, o Options, names ...string) (report *Report, err error) {
	report = &Report{OK: true}
	chosen, err := choose(o, names)
	if err != nil {
		return report, err
	}
	say := func(format string, args ...any) {
		if o.Progress != nil {
			fmt.Fprintf(o.Progress, format+"\n", args...)
		}
	}
	began := time.Now()
	dir := filepath.Join(o.Data, fmt.Sprintf("world-%d", o.Members))
	w, err := newWorld(ctx, o, dir)
	defer func() {
		err = errors.Join(err, w.end())
		if err != nil {
			report.OK, err = false, fmt.Errorf("%w (see %s)", err, dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	if err != nil {
		return report, err
	}
	say("%d members and %d stores set up in %s", o.Members, o.Stores,
		time.Since(began).Round(time.Millisecond))
	for _, s := range chosen {
		r, err := w.run(ctx, s, func(format string, args ...any) {
			say("%s %d/%d: %s", s.Name, o.Members, o.Seed, fmt.Sprintf(format, args...))
		})
		report.Results = append(report.Results, r)
		if err != nil {
			return report, fmt.Errorf("%s: %w", s.Name, err)
		}
		report.OK = report.OK && r.OK()
		if say("%s", r.line()); !r.OK() {
			say("%s", r)
		}
	}
	return report, report.cutPower(ctx, w, say)
}

// controlCuts of disks that lie must lose something.
const controlCuts = 5

func (r *Report) cutPower(ctx context.Context, w *world, say teller) error {
	if w.o.Cuts == 0 {
		return nil
	}
	for _, lying := range []bool{false, true} {
		n := w.o.Cuts
		if lying {
			n = controlCuts
		}
		c, err := w.cutPower(ctx, n, lying, say)
		r.Cuts = append(r.Cuts, c)
		if err != nil {
			return fmt.Errorf("power cuts: %w", err)
		}
		r.OK = r.OK && c.OK()
	}
	return nil
}

func choose(o Options, names []string) (chosen []Scenario, err error) {
	for _, name := range names {
		s, err := Named(name)
		if err != nil {
			return nil, err
		}
		if s.Members > o.Members {
			return nil, fmt.Errorf("scenario %s needs %d members", name, s.Members)
		}
		chosen = append(chosen, s)
	}
	for _, s := range scenarios {
		if len(names) == 0 && o.Cuts == 0 && s.Members <= o.Members && !s.Short {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// String gives the report for people.
func (r *Report) String() string {
	var b strings.Builder
	for _, one := range r.Results {
		fmt.Fprintln(&b, one)
	}
	for _, c := range r.Cuts {
		fmt.Fprint(&b, c)
	}
	return b.String()
}

func (r *Result) line() string {
	word := "held"
	if !r.OK() {
		word = fmt.Sprintf("DID NOT HOLD (%d)", len(r.Found.Wrong))
	}
	return fmt.Sprintf("%s, %d members, seed %d: %s in %s", r.Scenario, r.Members, r.Seed, word,
		r.Took.Round(100*time.Millisecond))
}

// String gives the result for people.
func (r *Result) String() string {
	var b strings.Builder
	f := r.Found
	fmt.Fprintln(&b, r.line())
	fmt.Fprintf(&b, "  %d faults; %d answers about %d pairs of counters and %d about %d reservations\n"+
		"  explained; %d facts acknowledged, %d records replayed, %d promises kept and %d forgotten,\n"+
		"  %d things checked by head office, %d equal copies\n", len(r.Schedule), f.PoolOps, f.Shelves,
		f.LifeOps, f.Lives, f.Facts, f.Records, f.Promises, f.Forgotten, f.Invariant, f.Copies)
	if r.Seen > 0 {
		fmt.Fprintf(&b, "  it came %d times to what it is for\n", r.Seen)
	}
	var said []string
	for _, kind := range slices.Sorted(maps.Keys(r.Outcomes)) {
		n := r.Outcomes[kind]
		said = append(said, fmt.Sprintf("%s %d ok %d refused %d unknown", kind, n["ok"], n["refused"],
			n["unknown"]))
	}
	fmt.Fprintf(&b, "  %s\n", strings.Join(said, "; "))
	for _, d := range r.Downtimes() {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	for _, wrong := range f.Wrong {
		fmt.Fprintf(&b, "  WRONG %s\n", wrong)
	}
	if !r.OK() {
		for _, e := range r.Schedule {
			fmt.Fprintf(&b, "  %s\n", e)
		}
		fmt.Fprintf(&b, "  again: holdfast-sim chaos --scenario %s --members %d --stores %d --seed %d;"+
			" kept in %s\n", r.Scenario, r.Members, r.Stores, r.Seed, r.Kept)
	}
	return b.String()
}
