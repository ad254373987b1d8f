package chaos

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// backup is what an operator has of a cloud: its database and its keys.
type backup struct {
	file string
	at   time.Duration // what was promised until then is in it
}

// yesterday loses the cloud with all its members and restores it from a backup.
// The stores bring back what they know. What the cloud promised after the
// backup and no store had heard of may be gone, and nothing else.
func yesterday(ctx context.Context, w *world, r *Result, length time.Duration,
	say teller) error {
	h, err := w.newShift(ctx)
	if err != nil {
		return err
	}
	var b backup
	err = h.work(ctx, length, func() (err error) {
		time.Sleep(length / 3)
		b, err = w.backUp(ctx, h.c.rec)
		say("backed up; working on")
		return err
	})
	if err != nil {
		return err
	}
	r.Outcomes = h.c.rec.outcomes()
	lost := time.Now()
	if err := w.restoreCloud(ctx, b); err != nil {
		return err
	}
	say("restored; the stores come back")
	h.c.forgets = func(p promise) bool { return p.Told > b.at }
	if err := h.back(ctx); err != nil {
		return err
	}
	for _, n := range w.nodes {
		if err := w.settled(ctx, n); err != nil {
			r.Found.wrong("store %d does not come back: %v", n.store, err)
			return nil
		}
	}
	r.Gaps = append(r.Gaps, Gap{Fault: "restore cloud", Took: time.Since(lost)})
	if err := w.joinOthers(ctx); err != nil {
		return err
	}
	if err := r.Found.check(ctx, w, h.c); err != nil || !r.OK() {
		return err
	}
	say("%d promises may be forgotten, nothing else; working on", r.Found.Forgotten)
	return w.afterwards(ctx, r, length)
}

// afterwards works on in the new timeline, and checks that too.
func (w *world) afterwards(ctx context.Context, r *Result, length time.Duration) error {
	for _, m := range w.members { // the check has killed them
		if err := m.Start(); err != nil {
			return err
		}
	}
	// What the first store had set aside before stays so, for codes that may
	// still be shown: it takes new goods in.
	if err := errors.Join(w.awaitMembers(ctx), w.fill(ctx, silent)); err != nil {
		return err
	}
	h, err := w.newShift(ctx)
	if err != nil {
		return err
	}
	if err := h.work(ctx, length/2, func() error { return nil }); err != nil {
		return err
	}
	return h.check(ctx, &r.Found)
}

// backUp backs the cloud up while it works.
func (w *world) backUp(ctx context.Context, rec *records) (b backup, err error) {
	from := w.members[len(w.members)-1]
	b = backup{file: w.path("backup"), at: rec.now()}
	if err := errors.Join(os.RemoveAll(b.file), awaitReady(ctx, from.child, from.admin)); err != nil {
		return b, err
	}
	err = runTool(ctx, from.child, filepath.Join(w.o.Bin, "holdfast-cloud"), "backup", "--admin",
		from.admin,
		"--data", from.data, b.file)
	return b, err
}

// restoreCloud kills all members and founds the cloud with a backup, in a new
// timeline.
func (w *world) restoreCloud(ctx context.Context, b backup) error {
	if _, err := kill(ctx, w, Event{Who: "members"}); err != nil {
		return err
	}
	for _, m := range w.members {
		if err := wipe(m.data); err != nil {
			return err
		}
	}
	first := w.members[0]
	err := runTool(ctx, first.child, filepath.Join(w.o.Bin, "holdfast-cloud"), "restore",
		"--data", first.data,
		"--trust-nodes", b.file)
	if err != nil {
		return err
	}
	first.join = nil
	return errors.Join(first.Start(), awaitReady(ctx, first.child, first.admin))
}

// joinOthers lets all other members join the one that was restored.
func (w *world) joinOthers(ctx context.Context) error {
	first := w.members[0]
	for _, m := range w.members[1:] {
		if err := errors.Join(m.prepareJoin(first), m.Start()); err != nil {
			return err
		}
	}
	return errors.Join(w.awaitMembers(ctx), w.awaitVotes(ctx))
}
