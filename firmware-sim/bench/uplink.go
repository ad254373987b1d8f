package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	uplinkRow  = "uplink catch-up after a cut"
	uplinkGoal = 0.2
	// backlogTills is how many tills fill the journal while the line is cut.
	backlogTills = 64
)

// catchUp measures how many records a second travel from a store's journal to
// the cloud's books once the cable is back, against inserting as many equal
// rows in batches.
func catchUp(ctx context.Context, b *bench) (err error) {
	dir, err := b.folder("uplink")
	if err != nil {
		return err
	}
	o, err := openOffice(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	branchDir := filepath.Join(dir, "branch")
	if err := os.Mkdir(branchDir, 0o700); err != nil {
		return err
	}
	s, err := o.openBranch(ctx, branchDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.plug(ctx)
	if err := errors.Join(s.acknowledged(ctx, s.journal.Head().Seq), s.cut()); err != nil {
		return err
	}
	if err := s.tills(1)[0].sell(ctx); err != nil {
		return err
	}
	rowBytes, err := s.recordBytes(ctx)
	if err != nil {
		return err
	}
	limit, err := openBare(ctx, dir, rowBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, limit.Close()) }()
	m, err := b.alternate(ctx,
		func(ctx context.Context) (float64, error) { return limit.insert(ctx, b.size.backlog) },
		func(ctx context.Context) (float64, error) { return s.cutAndPlug(ctx, b.size.backlog) })
	if err != nil {
		return err
	}
	b.add(atLeast(b.name(uplinkRow), "records/s", m, uplinkGoal))
	return o.sound(ctx, s)
}

// cutAndPlug sells while the line is cut, plugs it in, and returns how fast the
// records went up from that moment on.
func (b *branch) cutAndPlug(ctx context.Context, sales int) (float64, error) {
	if err := b.sellMany(ctx, backlogTills, sales, nil); err != nil {
		return 0, err
	}
	began := time.Now()
	b.plug(ctx)
	err := b.acknowledged(ctx, b.journal.Head().Seq)
	took := time.Since(began)
	return float64(sales) / took.Seconds(), errors.Join(err, b.cut())
}

// sound checks that the cloud really has what the store has: a fast uplink
// that loses records would be no figure.
func (o *office) sound(ctx context.Context, b *branch) error {
	has, err := o.asOf(ctx)
	if err == nil && has.Applied < b.journal.Head().Seq {
		err = fmt.Errorf("the cloud has %d of %d records", has.Applied, b.journal.Head().Seq)
	}
	return err
}
