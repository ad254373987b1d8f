package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// birth is when every world begins.
var birth = time.UnixMilli(1_767_600_000_000)

// Options say what to run.
type Options struct {
	Seed    uint64
	Stores  int       // 0: the seed decides
	Days    int       // 0: the seed decides
	Busy    int       // things that people do in a store on a day; 0: the seed decides
	Until   uint64    // stop after this step; 0: at the end
	Log     io.Writer // what happens, in words; nil: nobody listens
	Without FaultSet  // kinds of faults to leave out
	Keep    []int     // only these of the planned stimuli; nil: all
	Verify  bool      // replay every journal at the end

	also func(*World) // looks after every event, for tests
	kit  *kit         // what runs leave to each other; nil: nothing
}

// Violation is something that must never be.
type Violation struct {
	Step      uint64 `json:"step"`
	Invariant string `json:"invariant"`
	What      string `json:"what"`
}

// Result is what became of a run.
type Result struct {
	Seed      uint64     `json:"seed"`
	Steps     uint64     `json:"events"`
	Deeds     int        `json:"deeds"`
	Records   uint64     `json:"records"`
	Commands  uint64     `json:"commands"`
	StoreDays int        `json:"store_days"`
	Trace     uint64     `json:"trace"`
	Faults    string     `json:"faults"`
	Violation *Violation `json:"violation,omitempty"`

	marks marks
}

// World is one run.
type World struct {
	ctx       context.Context
	o         Options
	plan      *plan
	mix       *mix
	now       time.Duration
	agenda    agenda
	steps     uint64
	trace     uint64
	marks     marks
	routines  map[*routine]struct{}
	running   *routine
	stores    []*store
	office    *office
	products  []product
	chance    chance // of the network and of people's steps
	healed    bool   // nothing breaks any more
	closed    bool   // nobody begins anything any more
	records   uint64
	commands  uint64
	dirty     []*cell
	violation *Violation
	kit       *kit
}

// kit is what a run leaves to the next: databases to write over.
type kit struct{ office, boxes journal.Spare }

func (k *kit) close() error { return errors.Join(k.office.Close(), k.boxes.Close()) }

// Run lives through a seed and tells what it found. The error is a fault of
// the simulator, or the end of ctx.
func Run(ctx context.Context, o Options) (result Result, err error) {
	w := &World{ctx: timeless{context.WithoutCancel(ctx)}, o: o, plan: newPlan(o), trace: 14695981039346656037,
		routines: make(map[*routine]struct{}), chance: newChance(o.Seed, 3)}
	w.mix, w.kit = &w.plan.mix, o.kit
	if w.kit == nil {
		w.kit = new(kit)
		defer func() { err = errors.Join(err, w.kit.close()) }()
	}
	defer func() { err = errors.Join(err, w.end()) }()
	err = w.live(ctx)
	result = Result{Seed: o.Seed, Steps: w.steps, Records: w.records, Commands: w.commands,
		StoreDays: w.mix.stores * w.mix.days, Trace: w.trace, Faults: w.mix.faults.String(),
		Deeds: len(w.plan.stimuli), Violation: w.violation, marks: w.marks}
	return result, err
}

// timeless is a context whose deadline has passed without ending it. Whoever
// would wait in real time gets no timer of his own from it.
type timeless struct{ context.Context }

// Deadline is before any that somebody could ask for.
func (timeless) Deadline() (time.Time, bool) { return time.Unix(0, 0), true }

// live goes through the phases: everything may break, then everything is
// mended and must come together.
func (w *World) live(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.fail("PANIC", "%v\n%s", p, debug.Stack())
		}
	}()
	if err := w.build(); err != nil {
		return fmt.Errorf("build the world of seed %d: %w", w.o.Seed, err)
	}
	for _, s := range w.plan.stimuli {
		w.agenda.add(s.at, "deed", func() { w.befall(s) })
	}
	for day := 1; day <= w.mix.days; day++ {
		if err := w.runUntil(ctx, time.Duration(day)*w.mix.day); err != nil {
			return err
		}
		w.audit()
	}
	return w.converge(ctx)
}

// runUntil lets everything happen that is due up to a moment.
func (w *World) runUntil(ctx context.Context, until time.Duration) error {
	for len(w.agenda.events) > 0 && w.agenda.events[0].at <= until && !w.over() {
		if w.steps%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		w.step()
	}
	w.now = max(w.now, until)
	return nil
}

// over tells whether there is nothing left to find out.
func (w *World) over() bool {
	return w.violation != nil || w.o.Until > 0 && w.steps >= w.o.Until
}

func (w *World) step() {
	e := w.agenda.next()
	w.now = e.at
	w.steps++
	w.mix64(uint64(e.at))
	for i := range len(e.name) {
		w.trace = (w.trace ^ uint64(e.name[i])) * 1099511628211
	}
	e.do()
	w.observe()
	if w.o.also != nil {
		w.o.also(w)
	}
}

// mix64 makes a number part of the trace.
func (w *World) mix64(n uint64) {
	w.trace = (w.trace ^ n) * 1099511628211
	w.trace ^= w.trace >> 29
}

// after plans an event.
func (w *World) after(d time.Duration, name string, do func()) {
	w.agenda.add(w.now+max(0, d), name, do)
}

// time is the true time.
func (w *World) time() time.Time { return birth.Add(w.now) }

// fail notes the first violation; the run ends with it.
func (w *World) fail(invariant, format string, args ...any) {
	if w.violation != nil {
		return
	}
	w.violation = &Violation{Step: w.steps, Invariant: invariant, What: fmt.Sprintf(format, args...)}
	w.logf("VIOLATION %s: %s", invariant, w.violation.What)
}

// has tells whether a kind of fault may strike now.
func (w *World) has(f FaultSet) bool { return w.mix.faults.has(f) && !w.healed }

// careless tells whether somebody makes a mistake that is part of these faults.
func (w *World) careless(c chance, f FaultSet) bool { return w.has(f) && c.of(120+w.mix.careless) }

func (w *World) logf(format string, args ...any) {
	if w.o.Log == nil {
		return
	}
	fmt.Fprintf(w.o.Log, "%6d %11s  %s\n", w.steps, w.now.Truncate(time.Millisecond),
		fmt.Sprintf(format, args...))
}

// end lets go of what the run held.
func (w *World) end() error {
	for r := range w.routines {
		r.stop()
	}
	var errs []error
	for _, st := range w.stores {
		errs = append(errs, st.close())
	}
	if w.office != nil {
		errs = append(errs, w.office.journal.Close())
	}
	return errors.Join(errs...)
}

// product is one article of the assortment.
type product struct {
	sku     stock.SKU
	gtin    string
	weighed bool
}

// String says in a line how a run went.
func (r Result) String() string {
	head := fmt.Sprintf("seed %d: %d events, %d records, %d commands, faults %s", r.Seed, r.Steps, r.Records,
		r.Commands, r.Faults)
	if v := r.Violation; v != nil {
		return fmt.Sprintf("FAIL seed=%d step=%d inv=%s\n  %s\n  %s", r.Seed, v.Step, v.Invariant, v.What, head)
	}
	return "ok " + head
}
