package drills

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// Codes of what people are told after a recovery.
const (
	rolledBack  = "STORE_ROLLED_BACK"
	rebuilt     = "STORE_REBUILT"
	forked      = "STORE_FORKED"
	oldBox      = "OLD_BOX"
	givenUp     = "ABANDONED"
	broughtBack = "BROUGHT_BACK"
)

// Units of the products that drills are about.
const (
	plenty = 20
	some   = 3
)

// ordinary opens a store where goods came in, were sold and are promised, and
// waits until nothing is under way.
func (s *site) ordinary(ctx context.Context) (b *box, o *order, err error) {
	if b, err = s.opened(ctx); err != nil {
		return nil, nil, err
	}
	for i := range 2 {
		if err := s.receive(ctx, b, goods(i), plenty); err != nil {
			return nil, nil, err
		}
	}
	if err := s.sell(ctx, b, goods(0), 2); err != nil {
		return nil, nil, err
	}
	if o, err = s.promise(ctx, goods(0), some); err != nil {
		return nil, nil, err
	}
	if err := s.shared(ctx, goods(1)); err != nil {
		return nil, nil, err
	}
	return b, o, b.settled(ctx)
}

// shared waits until the cloud has its share of a product.
func (s *site) shared(ctx context.Context, gtin string) error {
	return eventually(ctx, func() error {
		seen, err := s.office.ListBooks(ctx, &shopv1.ListBooksRequest{Store: store, Gtin: gtin})
		if err == nil && (len(seen.GetRows()) != 1 || seen.GetRows()[0].GetStoreGranted() == 0) {
			err = fmt.Errorf("the cloud has no share of product %s", gtin)
		}
		return err
	})
}

// goOn proves that all is as told, and that the store works as ever: an old
// order is collected, units are sold, and once a manager says that the tills
// have spoken the web may promise more than it could.
func (s *site) goOn(ctx context.Context, b *box, open *order) (string, error) {
	if _, err := s.prove(ctx, b); err != nil {
		return "", err
	}
	if open != nil {
		if err := s.stage(ctx, b, open); err != nil {
			return "", err
		}
		if err := s.collect(ctx, b, open); err != nil {
			return "", err
		}
	}
	if err := s.sell(ctx, b, goods(0), 1); err != nil {
		return "", err
	}
	if err := b.settle(ctx); err != nil {
		return "", err
	}
	if err := s.receive(ctx, b, goods(2), plenty); err != nil {
		return "", err
	}
	if _, err := s.promise(ctx, goods(2), some); err != nil {
		return "", fmt.Errorf("after the recovery: %w", err)
	}
	return s.prove(ctx, b)
}

// lostDisk: the database is gone, the machine and its key are there.
func (s *site) lostDisk(ctx context.Context) (string, error) {
	b, o, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	if err := b.program.Kill(); err != nil {
		return "", err
	}
	if err := b.loseDisk(); err != nil {
		return "", err
	}
	s.expects(rebuilt)
	began := time.Now()
	if err := b.startSettled(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	said, err := s.goOn(ctx, b, o)
	return fmt.Sprintf("rebuilt by itself %s after the start; %s", round(took), said), err
}

// olderDisk sells so much more that the cloud hears of it, and puts back the
// disk of before.
func (s *site) olderDisk(ctx context.Context, b *box, sales int) error {
	saved := filepath.Join(s.dir, "saved-disk")
	if err := b.program.Stop(); err != nil {
		return err
	}
	if err := b.saveDisk(saved); err != nil {
		return err
	}
	if err := b.startSettled(ctx); err != nil {
		return err
	}
	for range sales {
		if err := s.sell(ctx, b, goods(0), 1); err != nil {
			return err
		}
	}
	if err := b.settled(ctx); err != nil {
		return err
	}
	if err := b.program.Kill(); err != nil {
		return err
	}
	return b.oldDisk(saved)
}

// restoredDisk: somebody restored an old copy of the database.
func (s *site) restoredDisk(ctx context.Context) (string, error) {
	b, o, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	if err := s.olderDisk(ctx, b, some); err != nil {
		return "", err
	}
	s.expects(rolledBack)
	began := time.Now()
	if err := b.startSettled(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	said, err := s.goOn(ctx, b, o)
	return fmt.Sprintf("its own records came back %s after the start; %s", round(took), said), err
}

// forkedDisk: an old copy sold before it could reach the cloud, so that two
// different records have one number.
func (s *site) forkedDisk(ctx context.Context) (string, error) {
	b, o, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	if err := s.olderDisk(ctx, b, some); err != nil {
		return "", err
	}
	b.cable.Cut()
	if err := b.program.startReady(ctx); err != nil {
		return "", err
	}
	for range some {
		if err := s.sell(ctx, b, goods(0), 1); err != nil {
			return "", err
		}
	}
	if err := s.receive(ctx, b, goods(1), plenty); err != nil {
		return "", err
	}
	s.expects(forked)
	began := time.Now()
	b.cable.Plug()
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	said, err := s.goOn(ctx, b, o)
	return fmt.Sprintf("handed over and rebuilt %s after the cable was in; %s", round(took), said), err
}
