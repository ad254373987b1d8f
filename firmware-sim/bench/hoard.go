package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/internal/process"
)

const hoardGoal = 1.5

// hoard is how much stock a cloud has.
type hoard struct{ stores, products int }

func (h hoard) rows() int { return h.stores * h.products }

func (b *bench) hoardRow() string {
	return b.name(fmt.Sprintf("one reservation with %d stock rows, against %d", b.size.much.rows(),
		b.size.little.rows()))
}

// hoards measures what one reservation takes in a cloud with very much stock,
// against one with little, in turns.
func hoards(ctx context.Context, b *bench) (err error) {
	var cells [2]*cell
	for i, h := range []hoard{b.size.little, b.size.much} {
		dir, err := b.folder("hoard")
		if err != nil {
			return err
		}
		if cells[i], err = b.openHoard(ctx, dir, h); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cells[i].Close()) }()
	}
	pick := 0
	reserve := func(c *cell, h hoard) timed {
		return func(ctx context.Context) (time.Duration, error) {
			pick += 7919 // a prime: not the same stores and products again
			began := time.Now()
			err := c.reserveAt(ctx, 1+pick%h.stores, 1+pick/h.stores%h.products)
			return time.Since(began), err
		}
	}
	m, err := b.percentile(ctx, 50, reserve(cells[0], b.size.little), reserve(cells[1], b.size.much))
	if err != nil {
		return err
	}
	b.add(atMost(b.hoardRow(), "ms", m, hoardGoal))
	return nil
}

// openHoard opens a cloud of one member with so much stock. The rows are
// written past the log, which would take hours: what is measured is how a
// reservation finds its own among them.
func (b *bench) openHoard(ctx context.Context, dir string, h hoard) (c *cell, err error) {
	if c, err = openCell(ctx, dir, 1); err != nil {
		return nil, err
	}
	if err := importProducts(ctx, c.propose, h.products); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if _, err := foundPapers(ctx, c.propose, h.stores, nil); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	file := filepath.Join(dir, "member-0", engine.Database)
	bar := process.NewProgress(b.o.Progress, "fill the shelves", int64(h.rows()))
	defer bar.Close()
	if err := fillShelves(ctx, file, h, bar.Add); err != nil {
		return nil, errors.Join(fmt.Errorf("fill %s: %w", filepath.Base(file), err), c.Close())
	}
	return c, nil
}

const (
	numbers   = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) `
	fillQuota = numbers + `INSERT INTO quota (store, timeline, sku, granted, returned, assigned, held)
SELECT ?1, 1, i, ?3, 0, 0, 0 FROM n`
	fillBooks = numbers + `INSERT INTO acct (store, sku, sellable, online, reserved, picked, staged,
  to_shelve, damaged, in_transfer, suspense, supplier, sold, collected, returned, missing, found,
  transfer_out, writeoff, timeline, granted, returned_rights, assigned)
SELECT ?1, i, ?3, ?3, 0, 0, 0, 0, 0, 0, 0, -2 * ?3, 0, 0, 0, 0, 0, 0, 0, 1, ?3, 0, 0 FROM n`
	// The engine writes its log back by itself, but does not know of these pages.
	writeBack = `PRAGMA wal_checkpoint(PASSIVE)`
	backEvery = 20 // stores
)

// fillShelves writes stock of every product into every store, beside the engine
// that has the file open.
func fillShelves(ctx context.Context, file string, h hoard, filled func(int64)) (err error) {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_busy_timeout=5000&_synchronous=OFF")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for store := 1; store <= h.stores; store++ {
		for _, fill := range []string{fillQuota, fillBooks} {
			if _, err := conn.ExecContext(ctx, fill, store, h.products, plenty); err != nil {
				return err
			}
		}
		if store%backEvery == 0 || store == h.stores {
			if _, err := conn.ExecContext(ctx, writeBack); err != nil {
				return err
			}
		}
		filled(int64(h.products))
	}
	return nil
}
