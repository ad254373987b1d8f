package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// joint joins two ends.
type joint interface{ set(r rule) error }

// plugged is one direction in which a cable is used.
type plugged struct {
	c    *cable
	from string
	back bool // the other end calls: what is up for it is down for the one meant
}

func (p plugged) set(r rule) error {
	if p.back {
		r.up, r.down = r.down, r.up
	}
	p.c.set(p.from, r)
	return nil
}

// wire joins two ends of a fabric, which can only lose: nobody is told.
type wire struct {
	f         *fabric
	near, far string
}

func (w wire) set(r rule) error {
	lane := func(loses bool) lane {
		switch {
		case loses || r.cut:
			return lost
		case r.delay > 0:
			return slow
		}
		return open
	}
	if err := w.f.set(w.near, w.far, lane(r.up)); err != nil {
		return err
	}
	return w.f.set(w.far, w.near, lane(r.down))
}

// joints finds what joins two ends.
func (w *world) joints(ctx context.Context, who string) (all []joint, err error) {
	near, far, ok := strings.Cut(who, "-")
	switch {
	case ok && near == "clients":
		for i, m := range w.members {
			if far == "cloud" || far == memberName(i) {
				all = append(all, plugged{c: m.shop})
			}
		}
	case ok && strings.HasPrefix(near, "node"):
		if i, err := strconv.Atoi(near[4:]); err == nil && i < len(w.nodes) {
			all = w.toCloud(near, w.nodes[i])
		}
	case ok:
		return w.between(ctx, near, far)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no cable %s", who)
	}
	return all, nil
}

// toCloud is what joins a node to the cloud.
func (w *world) toCloud(name string, n *node) (all []joint) {
	if w.fabric == nil {
		return []joint{plugged{c: n.line}}
	}
	for i := range w.members {
		all = append(all, wire{w.fabric, name, memberName(i)})
	}
	return all
}

// between finds what joins two groups of members.
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
			if w.fabric != nil {
				all = append(all, wire{w.fabric, memberName(i), memberName(j)})
				continue
			}
			all = append(all, plugged{c: other.mesh, from: memberName(i)},
				plugged{c: w.members[i].mesh, from: memberName(j), back: true})
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

func setAll(all []joint, r rule) (err error) {
	for _, j := range all {
		if failed := j.set(r); failed != nil {
			err = failed
		}
	}
	return err
}

func withRule(r rule) breaker {
	return func(ctx context.Context, w *world, e Event) (mend, error) {
		all, err := w.joints(ctx, e.Who)
		if err != nil {
			return nil, err
		}
		return func(context.Context) error { return setAll(all, rule{}) }, setAll(all, r)
	}
}

// flap cuts and mends a cable many times.
func flap(ctx context.Context, w *world, e Event) (mend, error) {
	all, err := w.joints(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	until, stop := context.WithTimeout(ctx, e.For)
	done := make(chan error, 1)
	go func() {
		by := rand.New(rand.NewPCG(w.o.Seed, uint64(e.At)))
		var failed error
		for on := true; until.Err() == nil && failed == nil; on = !on {
			failed = setAll(all, rule{cut: on})
			select {
			case <-time.After(30*time.Millisecond + time.Duration(by.Int64N(int64(400*time.Millisecond)))):
			case <-until.Done():
			}
		}
		done <- failed
	}()
	return func(context.Context) error {
		stop()
		if err := <-done; err != nil {
			return err
		}
		return setAll(all, rule{})
	}, nil
}
