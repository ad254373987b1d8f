package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	"wipe":    rejoin,
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
		gone.Go(func() { faults[i] = c.kill() })
	}
	gone.Wait()
	err = errors.Join(faults...)
	return func(context.Context) error {
		var err error
		for _, c := range all {
			err = errors.Join(err, c.start())
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
	return func(context.Context) error { return c.start() }, c.stop()
}

// rejoin loses a member's disk: it is put out, and joins with an empty folder.
func rejoin(ctx context.Context, w *world, e Event) (mend, error) {
	leader, err := w.awaitLeader(ctx)
	if err != nil {
		return nil, err
	}
	lost := w.members[0]
	if lost == leader {
		lost = w.members[1]
	}
	id, err := lost.id(ctx)
	if err != nil {
		return nil, err
	}
	if err := lost.kill(); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := runTool(ctx, filepath.Join(w.o.Bin, "holdfast-cloud"), "remove", "--admin", leader.admin, id)
		if err != nil {
			return err
		}
		return errors.Join(wipe(lost.data), lost.prepareJoin(leader), lost.start())
	}, nil
}

func freeze(ctx context.Context, w *world, e Event) (mend, error) {
	all, err := w.programs(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		err = errors.Join(err, c.freeze())
	}
	return func(context.Context) error {
		var err error
		for _, c := range all {
			err = errors.Join(err, c.thaw())
		}
		return err
	}, err
}

// joint is one direction in which a cable is used.
type joint struct {
	c    *cable
	from string
	back bool // the other end calls: what is up for it is down for the one meant
}

func (j joint) set(r rule) {
	if j.back {
		r.up, r.down = r.down, r.up
	}
	j.c.set(j.from, r)
}

// joints finds the cables between two ends.
func (w *world) joints(ctx context.Context, who string) (all []joint, err error) {
	near, far, ok := strings.Cut(who, "-")
	switch {
	case ok && near == "clients":
		for i, m := range w.members {
			if far == "cloud" || far == memberName(i) {
				all = append(all, joint{c: m.shop})
			}
		}
	case ok && strings.HasPrefix(near, "node"):
		if i, err := strconv.Atoi(near[4:]); err == nil && i < len(w.nodes) {
			all = append(all, joint{c: w.nodes[i].line})
		}
	case ok:
		return w.between(ctx, near, far)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no cable %s", who)
	}
	return all, nil
}

// between finds the cables between two groups of members.
func (w *world) between(ctx context.Context, near, far string) (all []joint, err error) {
	here, err := w.group(ctx, near)
	if err != nil {
		return nil, err
	}
	for j, other := range w.members {
		if slices.Contains(here, j) || far != "rest" && far != memberName(j) &&
			far != "another" {
			continue
		}
		for _, i := range here {
			all = append(all, joint{c: other.mesh, from: memberName(i)},
				joint{c: w.members[i].mesh, from: memberName(j), back: true})
		}
		if far == "another" {
			return all, nil
		}
	}
	return all, nil
}

// group is the members that a word means now: the leader, somebody who follows,
// or, as a minority, the leader and almost half of the others.
func (w *world) group(ctx context.Context, who string) ([]int, error) {
	for i := range w.members {
		if who == memberName(i) {
			return []int{i}, nil
		}
	}
	leader, err := w.awaitLeader(ctx)
	if err != nil {
		return nil, err
	}
	others := make([]int, 0, len(w.members))
	for i := range w.members {
		if i != leader.number {
			others = append(others, i)
		}
	}
	switch who {
	case "leader":
		return []int{leader.number}, nil
	case "follower":
		return others[:1], nil
	case "minority":
		return append([]int{leader.number}, others[:(len(w.members)-1)/2-1]...), nil
	case "followers": // almost half of all, without the leader
		return others[:(len(w.members)-1)/2], nil
	}
	return nil, fmt.Errorf("there are no members %q", who)
}

func withRule(r rule) breaker {
	return func(ctx context.Context, w *world, e Event) (mend, error) {
		all, err := w.joints(ctx, e.Who)
		for _, j := range all {
			j.set(r)
		}
		return func(context.Context) error {
			for _, j := range all {
				j.set(rule{})
			}
			return nil
		}, err
	}
}

// flap cuts and mends a cable many times.
func flap(ctx context.Context, w *world, e Event) (mend, error) {
	all, err := w.joints(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	until, stop := context.WithTimeout(ctx, e.For)
	done := make(chan struct{})
	go func() {
		defer close(done)
		by := rand.New(rand.NewPCG(w.o.Seed, uint64(e.At)))
		for on := true; until.Err() == nil; on = !on {
			for _, j := range all {
				j.set(rule{cut: on})
			}
			select {
			case <-time.After(30*time.Millisecond + time.Duration(by.Int64N(int64(400*time.Millisecond)))):
			case <-until.Done():
			}
		}
	}()
	return func(context.Context) error {
		stop()
		<-done
		for _, j := range all {
			j.set(rule{})
		}
		return nil
	}, nil
}

// play breaks and mends by the schedule, and mends everything at its end.
// When whole is set, nothing is broken before all members are back.
func (w *world) play(ctx context.Context, began time.Time, events []Event, whole bool,
	say func(string, ...any)) error {
	type step struct {
		at time.Duration
		do func() error
	}
	var steps []step
	for i, e := range events {
		var undo mend
		steps = append(steps, step{e.At, func() (err error) {
			if whole {
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
