package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Event is something that is broken for a while.
type Event struct {
	At    time.Duration `json:"at"`
	Began time.Duration `json:"began"` // when it really happened
	For   time.Duration `json:"for"`
	Fault string        `json:"fault"`
	Who   string        `json:"who"`
}

// String tells the event as one line of a schedule.
func (e Event) String() string {
	return fmt.Sprintf("%6.2fs  %-9s %-12s for %.2fs", e.At.Seconds(), e.Fault, e.Who, e.For.Seconds())
}

// mend undoes what an event did.
type mend func(ctx context.Context) error

// breaker breaks something, and says how it is mended.
type breaker func(ctx context.Context, w *world, e Event) (mend, error)

// breakers are the faults by name. Programs are "leader", "follower", "member0"
// or "node0"; cables are named by their two ends, such as "node0-member1". Who
// is mute is not heard by the other end; who is deaf does not hear it.
var breakers = map[string]breaker{
	"kill":    kill,
	"freeze":  freeze,
	"hang":    hang,
	"power":   power,
	"full":    full,
	"restart": restart,
	"drag":    drag,
	"wipe":    rejoin,
	"remove":  remove(false),
	"replace": remove(true),
	"cut":     withRule(rule{cut: true}),
	"ghost":   withRule(rule{cut: true, ghost: true}),
	"hole":    withRule(rule{up: true, down: true}),
	"mute":    withRule(rule{up: true}),
	"deaf":    withRule(rule{down: true}),
	"slow":    withRule(rule{delay: 120 * time.Millisecond}),
	"flap":    flap,
}

// program finds who is meant, at the moment.
func (w *world) program(ctx context.Context, who string) (*child, error) {
	switch {
	case who == "leader", who == "follower":
		leader, err := w.awaitLeader(ctx)
		if err != nil {
			return nil, err
		}
		if who == "leader" {
			return leader.child, nil
		}
		for _, m := range w.members {
			if m != leader && m.pid() != 0 {
				return m.child, nil
			}
		}
	case strings.HasPrefix(who, "member"):
		if i, err := strconv.Atoi(who[6:]); err == nil && i < len(w.members) {
			return w.members[i].child, nil
		}
	case strings.HasPrefix(who, "node"):
		if i, err := strconv.Atoi(who[4:]); err == nil && i < len(w.nodes) {
			return w.nodes[i].child, nil
		}
	}
	return nil, fmt.Errorf("there is no %s", who)
}

// programs are all that a word means: one, or all members.
func (w *world) programs(ctx context.Context, who string) (all []*child, err error) {
	switch who {
	case "members":
		for _, m := range w.members {
			all = append(all, m.child)
		}
	case "everything":
		for _, n := range w.nodes {
			all = append(all, n.child)
		}
		for _, m := range w.members {
			all = append(all, m.child)
		}
	default:
		one, err := w.program(ctx, who)
		return []*child{one}, err
	}
	return all, nil
}

func kill(ctx context.Context, w *world, e Event) (mend, error) {
	all, err := w.programs(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	faults := make([]error, len(all))
	var gone sync.WaitGroup
	for i, c := range all { // at once, not one after the other has gone
		gone.Go(func() { faults[i] = c.Kill() })
	}
	gone.Wait()
	err = errors.Join(faults...)
	return func(context.Context) error {
		var err error
		for _, c := range all {
			err = errors.Join(err, c.Start())
		}
		return err
	}, err
}

// restart ends a program in order, as for a new version of it.
func restart(ctx context.Context, w *world, e Event) (mend, error) {
	c, err := w.program(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	return func(context.Context) error { return c.Start() }, c.Stop()
}

func freeze(ctx context.Context, w *world, e Event) (mend, error) {
	all, err := w.programs(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		err = errors.Join(err, c.Signal(syscall.SIGSTOP))
	}
	return func(context.Context) error {
		var err error
		for _, c := range all {
			err = errors.Join(err, c.Signal(syscall.SIGCONT))
		}
		return err
	}, err
}

// play breaks and mends by the schedule, and mends everything at its end.
// When between is set, nothing is broken before all members are back.
func (w *world) play(ctx context.Context, began time.Time, events []Event, between bool,
	say teller) error {
	type step struct {
		at time.Duration
		do func() error
	}
	var steps []step
	for i, e := range events {
		var undo mend
		steps = append(steps, step{e.At, func() (err error) {
			if between {
				err = w.awaitVotes(ctx)
			}
			say("%s", e)
			events[i].Began = time.Since(began)
			var failed error
			undo, failed = breakers[e.Fault](ctx, w, e)
			return errors.Join(err, failed)
		}}, step{e.At + e.For, func() error {
			if undo == nil {
				return nil
			}
			again := undo
			undo = nil
			return again(ctx)
		}})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
	var faults []error
	for _, s := range steps {
		select {
		case <-time.After(s.at - time.Since(began)):
		case <-ctx.Done():
		}
		faults = append(faults, s.do())
	}
	return errors.Join(faults...)
}
