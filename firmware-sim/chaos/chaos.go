// Package chaos runs real processes, breaks what can break between and under
// them, and holds every answer that their clients got against what may be true.
package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say what to run.
type Options struct {
	Bin      string // folder of holdfast-cloud and holdfast-node
	Data     string // folder of what a run keeps; it is removed when all went well
	Members  int    // of the cloud
	Stores   int    // of which the first is cut off
	Netns    bool   // each program in a namespace of its own, with real packets lost between them
	Seed     uint64
	Length   time.Duration // of one scenario; zero: as it says itself
	Cuts     int           // power cuts of all members at once
	Progress io.Writer
}

// Result is how one scenario went.
type Result struct {
	Scenario string                    `json:"scenario"`
	Members  int                       `json:"members"`
	Stores   int                       `json:"stores"`
	Seed     uint64                    `json:"seed"`
	Took     time.Duration             `json:"took_ns"`
	Schedule []Event                   `json:"schedule"`
	Outcomes map[string]map[string]int `json:"outcomes"`
	Gaps     []Gap                     `json:"gaps,omitempty"`
	Seen     int                       `json:"seen,omitempty"` // how often it came to what it is for
	Found    findings                  `json:"found"`
	Kept     string                    `json:"kept,omitempty"` // folder of what led to a failure
}

// teller says how a run goes.
type teller func(format string, args ...any)

// Gap is the longest while after a fault in which no write was accepted.
type Gap struct {
	Fault  string        `json:"fault"`
	Took   time.Duration `json:"took_ns"`
	Within time.Duration `json:"within_ns"` // the goal; zero: there is none
}

// OK tells whether everything held.
func (r *Result) OK() bool { return len(r.Found.Wrong) == 0 }

// run plays one scenario in a world that is set up. Its schedule follows from
// the seed; how processes and clients meet it does not.
func (w *world) run(ctx context.Context, s Scenario, say teller) (r *Result, err error) {
	began := time.Now()
	o := w.o
	if o.Length == 0 {
		o.Length = s.Length
	}
	r = &Result{Scenario: s.Name, Members: o.Members, Stores: o.Stores, Seed: o.Seed,
		Schedule: s.Plan(rand.New(rand.NewPCG(o.Seed, 0)), o)}
	defer func() {
		err = errors.Join(err, w.halt())
		r.Took = time.Since(began)
		if err == nil && !r.OK() {
			r.Kept, err = w.keep(r)
		}
		err = errors.Join(err, w.plugOut())
	}()
	w.keepLog = s.keepLog
	if err := w.plugIn(s.disks(o)); err != nil {
		return r, err
	}
	if err := w.load(ctx); err != nil {
		return r, err
	}
	return r, w.live(ctx, r, s, o.Length, say)
}

// keep puts what led to a failure aside.
func (w *world) keep(r *Result) (string, error) {
	dir := filepath.Join(w.o.Data, fmt.Sprintf("kept-%s-%d-%d", r.Scenario, r.Members, r.Seed))
	errs := []error{os.RemoveAll(dir), os.MkdirAll(dir, 0o700)}
	for _, part := range append(w.folders(), w.path("logs"), w.path("pages")) {
		if _, err := os.Lstat(part); err == nil {
			errs = append(errs, copyFolder(part, filepath.Join(dir, filepath.Base(part))))
		}
	}
	return dir, errors.Join(append(errs, keep(filepath.Join(dir, "result.json"), r))...)
}

func keep(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}

// live lets everybody work while the schedule is played, and then checks.
func (w *world) live(ctx context.Context, r *Result, s Scenario, length time.Duration,
	say teller) error {
	if s.whole != nil {
		if err := s.whole(ctx, w, r, length, say); err != nil {
			return err
		}
	} else {
		h, err := w.newShift(ctx)
		if err != nil {
			return err
		}
		err = h.work(ctx, length, func() error {
			return w.play(ctx, h.p.start, r.Schedule, s.between, say)
		})
		if err != nil {
			return err
		}
		r.Outcomes, r.Gaps = h.c.rec.outcomes(), h.p.gaps(r.Schedule)
		say("quiet; checking")
		if err := h.check(ctx, &r.Found); err != nil {
			return err
		}
	}
	if s.seen == "" {
		return nil
	}
	var err error
	r.Seen, err = w.seen(s.seen)
	if r.Seen == 0 {
		r.Found.wrong("it never came to %q", s.seen)
	}
	return err
}

// shift is a while in which everybody works, and the first store is cut off.
type shift struct {
	w    *world
	c    *crowd
	p    *probes
	back mend // of the first store
}

func (w *world) newShift(ctx context.Context) (*shift, error) {
	back, err := w.silence(ctx)
	if err != nil {
		return nil, err
	}
	leader, err := w.awaitLeader(ctx)
	if err != nil {
		return nil, err
	}
	books, err := leader.books(ctx, w.nodes[silent].store)
	if err != nil {
		return nil, err
	}
	return &shift{w: w, c: w.stand(books, newRecords()), p: &probes{start: time.Now()}, back: back},
		nil
}

// work lets everybody work for a time, and while something is done to them.
func (h *shift) work(ctx context.Context, length time.Duration, do func() error) error {
	working, stop := context.WithTimeout(ctx, length)
	defer stop()
	var all sync.WaitGroup
	all.Go(func() { h.c.run(working) })
	all.Go(func() { h.w.staff(working, h.c.rec) })
	all.Go(func() { h.p.run(working, h.w) })
	err := do()
	all.Wait()
	return err
}

// check lets the first store come back and checks everything.
func (h *shift) check(ctx context.Context, f *findings) error {
	if err := h.back(ctx); err != nil {
		return err
	}
	return f.check(ctx, h.w, h.c)
}

// silence cuts the first store off, by its cable and perhaps by its power too,
// and says how it comes back.
func (w *world) silence(ctx context.Context) (mend, error) {
	n := w.nodes[silent]
	plug, err := breakers["cut"](ctx, w, Event{Who: fmt.Sprintf("node%d-cloud", silent)})
	if err != nil {
		return nil, err
	}
	if w.o.Seed%2 == 1 {
		if err := n.Kill(); err != nil {
			return nil, err
		}
	}
	back := func(ctx context.Context) error { return errors.Join(plug(ctx), n.Start()) }
	return back, poll(ctx, settleWithin, func() error {
		leader := w.leader(ctx)
		if leader == nil {
			return errNoLeader
		}
		state, err := leader.state(ctx, n.store)
		if err == nil && state.GetStore().GetConnected() {
			err = fmt.Errorf("store %d is still connected", n.store)
		}
		return err
	})
}
