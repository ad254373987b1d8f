package program

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	readyEvery = 20 * time.Millisecond // how often a program that starts is asked
	readyAsk   = 2 * time.Second       // how long it may take to answer
)

// AwaitReady waits until the program says that it is ready. It gives up when
// the program has ended too often meanwhile; the error has the end of its log.
func (p *Program) AwaitReady(ctx context.Context, within time.Duration,
	ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("not within %s", within))
	defer cancel()
	before := p.State().Restarts
	var ended error
	err := Poll(ctx, readyEvery, func() error {
		if ended = p.gaveUp(before); ended != nil {
			return nil
		}
		return ready(ctx)
	})
	if err = errors.Join(ended, err); err != nil {
		return fmt.Errorf("%s does not start: %w\n%s", p.o.Name, err, p.Log())
	}
	return nil
}

// gaveUp says how the program ended that will not become ready.
func (p *Program) gaveUp(before int) error {
	s := p.State()
	crashes := s.Restarts - before
	if !s.Running {
		crashes++
	}
	if crashes <= p.o.Crashes {
		return nil
	}
	return fmt.Errorf("it ended: %w", orInOrder(s.Ended))
}

var errInOrder = errors.New("in order, unasked")

func orInOrder(err error) error {
	if err == nil {
		return errInOrder
	}
	return err
}

// Ready asks a program's admin listener whether the program can do its work.
func Ready(client *http.Client, admin string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, readyAsk)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s is not ready: %s", admin, resp.Status)
		}
		return nil
	}
}

// Poll tries until it works or ctx ends; the error is then the last one.
func Poll(ctx context.Context, every time.Duration, try func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}
