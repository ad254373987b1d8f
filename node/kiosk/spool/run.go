package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/node/devices"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// restarted is why a job that was under way is unknown.
const restarted = "restarted while printing"

// Run prints what is queued, each printer in its own order, until ctx ends. A
// job that was under way when the process ended before may be on paper: it
// becomes unknown and waits for a person.
func (s *Spool) Run(ctx context.Context) error {
	err := s.o.Journal.Local(ctx, func(tx *journal.Tx) error {
		if _, err := tx.Exec(orphans, restarted); err != nil {
			return err
		}
		_, err := tx.Exec(deleteOld, time.Now().Add(-keep).UnixMilli())
		return err
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("look through print jobs: %w", err)
	}
	var all sync.WaitGroup
	for _, d := range s.o.Devices.States() {
		if d.Prints() {
			all.Go(func() { s.serve(ctx, d.Name) })
		}
	}
	all.Go(func() { s.wakeOnNews(ctx) })
	all.Wait()
	return nil
}

// wakeOnNews makes every worker look when a device has changed.
func (s *Spool) wakeOnNews(ctx context.Context) {
	for range s.o.Devices.Watch(ctx) {
		for _, d := range s.o.Devices.States() {
			if d.Prints() {
				s.wake(d.Name)
			}
		}
	}
}

// step says what a printer's worker does next.
type step uint8

const (
	goOn    step = iota // there may be another job
	forNews             // wait until something changes
	forTime             // wait until something changes, or a pause is over
)

// serve prints one printer's jobs.
func (s *Spool) serve(ctx context.Context, device string) {
	wake := s.wakeOf(device)
	for {
		next, err := s.printNext(ctx, device)
		if err != nil {
			next = forTime
			if ctx.Err() == nil {
				s.o.Logger.Error("print queue", "device", device, "err", err)
			}
		}
		var again <-chan time.Time
		switch next {
		case goOn:
			continue
		case forTime:
			again = time.After(pause)
		case forNews:
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-again:
		}
	}
}

// next is the oldest job that a printer has to do.
type next struct {
	id    int64
	data  []byte
	tries int
}

// printNext prints one job if there is one and the printer is ready. That the
// bytes go out is on the disk before they do, so that a power cut leaves no job
// that looks untouched.
func (s *Spool) printNext(ctx context.Context, device string) (step, error) {
	if !s.ready(device) {
		return forNews, nil
	}
	var n next
	err := s.view(ctx, func(tx *journal.Tx) error {
		return tx.QueryRow(selectNext, device).Scan(&n.id, &n.data, &n.tries)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return forNews, nil
	}
	if err != nil {
		return forTime, fmt.Errorf("next print job: %w", err)
	}
	if err := s.save(ctx, n.id, hardware.Sent, false, "", n.tries); err != nil {
		return forTime, err
	}
	state, fault := s.o.Devices.Print(ctx, device, n.data)
	return s.settle(context.WithoutCancel(ctx), device, n, state, fault)
}

// settle writes down what became of a job. Only one of which nothing is on
// paper may go back to the queue: as often as its printer is away or cannot
// print, and maxTries times for any other cause.
func (s *Spool) settle(ctx context.Context, device string, n next, state hardware.PrintState,
	fault error) (
	step, error) {
	cause := ""
	if fault != nil {
		cause = fault.Error()
	}
	switch {
	case state == hardware.Queued, state == hardware.Failed && s.away(device, fault):
		return forTime, s.save(ctx, n.id, hardware.Queued, false, cause, n.tries)
	case state == hardware.Failed && n.tries+1 < maxTries:
		if err := s.save(ctx, n.id, hardware.Queued, false, cause, n.tries+1); err != nil {
			return forTime, err
		}
		return forTime, fmt.Errorf("print job %d: %w", n.id, fault)
	}
	return goOn, s.save(ctx, n.id, state, true, cause, n.tries+1)
}

// away tells whether a job was not printed because its printer is gone, silent
// or cannot print just now.
func (s *Spool) away(device string, fault error) bool {
	return stock.Refused(fault, stock.PrinterDown) || errors.Is(fault, hardware.ErrGone) ||
		errors.Is(fault, hardware.ErrTimeout) || errors.Is(fault, context.Canceled) ||
		!s.ready(device)
}

func (s *Spool) save(ctx context.Context, id int64, state hardware.PrintState, settled bool,
	cause string,
	tries int) error {
	err := s.o.Journal.Local(ctx, func(tx *journal.Tx) error {
		_, err := tx.Exec(updateState, int64(state), settled, cause, tries, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("save print job %d: %w", id, err)
	}
	s.changed(id)
	return nil
}

func (s *Spool) ready(device string) bool {
	for _, d := range s.o.Devices.States() {
		if d.Name == device {
			return d.Phase == devices.Ready
		}
	}
	return false
}
