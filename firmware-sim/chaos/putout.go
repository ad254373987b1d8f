package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

const (
	// exitRemoved is what a member ends with that was put out.
	exitRemoved = 4
	// removedWithin is how long it may take to find out.
	removedWithin = 30 * time.Second
)

// meant is the member that a word means now.
func (w *world) meant(ctx context.Context, who string) (*member, error) {
	c, err := w.program(ctx, who)
	if err != nil {
		return nil, err
	}
	for _, m := range w.members {
		if m.child == c {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s is no member", who)
}

// putOut lets another member take this one out of the cloud for ever.
func (w *world) putOut(ctx context.Context, lost *member, id string) error {
	return poll(ctx, leaderPatience, func() error {
		by := w.members[(lost.number+1)%len(w.members)]
		err := runTool(ctx, by.child, filepath.Join(w.o.Bin, "holdfast-cloud"), "remove", "--admin",
			by.admin, id)
		if err != nil && strings.Contains(err.Error(), "no member has the id") {
			return nil // the answer to the first try was lost
		}
		return err
	})
}

// joinAnew lets a member join with an empty folder.
func (w *world) joinAnew(lost *member) error {
	by := w.members[(lost.number+1)%len(w.members)]
	return errors.Join(lost.Stop(), wipe(lost.data), lost.prepareJoin(by), lost.Start())
}

// rejoin loses a member's disk: it is put out, and joins with an empty folder.
func rejoin(ctx context.Context, w *world, e Event) (mend, error) {
	lost, err := w.meant(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	id, err := lost.id(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		return errors.Join(w.putOut(ctx, lost, id), w.joinAnew(lost))
	}, lost.Kill()
}

// remove puts a member out that works, or one that was killed and comes back:
// it finds out by itself and ends. Then it joins with an empty folder.
func remove(dead bool) breaker {
	return func(ctx context.Context, w *world, e Event) (mend, error) {
		lost, err := w.meant(ctx, e.Who)
		if err != nil {
			return nil, err
		}
		id, err := lost.id(ctx)
		if err != nil {
			return nil, err
		}
		if dead {
			if err := lost.Kill(); err != nil {
				return nil, err
			}
		}
		if err := w.putOut(ctx, lost, id); err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			if err := lost.Start(); err != nil {
				return err
			}
			err := poll(ctx, removedWithin, func() error {
				if code := lost.State().Code; code != exitRemoved {
					return fmt.Errorf("%s was removed and did not end by itself (it ended with %d last)",
						lost.Name(), code)
				}
				return nil
			})
			return errors.Join(err, w.joinAnew(lost))
		}, nil
	}
}
