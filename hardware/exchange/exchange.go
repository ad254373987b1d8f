// Package exchange asks a device one question at a time: it owns the port,
// sends a question, and collects what comes back until it is an answer.
package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
)

const (
	maxHeard   = 4096 // bytes kept of what came in; a device that babbles says nothing
	chunkBytes = 512
)

var (
	errNotRunning = errors.New("driver is not running")
	errRan        = errors.New("driver ran already")
)

// Line is a port on which one question is asked at a time. It never retries and
// never reconnects. Bytes that come in unasked are dropped.
type Line struct {
	port  hardware.Port
	pause time.Duration
	turn  chan struct{} // held by the one who writes
	ended chan struct{} // closed when the port failed or was closed
	spoke time.Time     // last byte sent or heard; owned by the holder of turn
	late  bool          // the last answer did not come; owned by the holder of turn

	mu      sync.Mutex
	ran     bool          // guarded by mu
	heard   []byte        // guarded by mu; since the last question
	changed chan struct{} // guarded by mu; closed when heard grows
}

// New makes a line of a port that is open. Between two questions it is quiet
// for the pause, which the drivers of a two-wire bus need to turn around.
func New(port hardware.Port, pause time.Duration) *Line {
	return &Line{
		port: port, pause: pause,
		turn: make(chan struct{}, 1), ended: make(chan struct{}), changed: make(chan struct{}),
	}
}

// Run reads the port until ctx ends (nil) or the port fails (a fault). Function
// work, if any, runs meanwhile: it must return when its context ends. Run works
// once; it closes the port.
func (l *Line) Run(ctx context.Context, work func(ctx context.Context)) error {
	l.mu.Lock()
	ran := l.ran
	l.ran = true
	l.mu.Unlock()
	if ran {
		return errRan
	}
	working, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		failed <- l.listen()
		close(l.ended)
		cancel()
	}()
	stop := context.AfterFunc(ctx, func() { l.port.Close() }) // wakes a blocked Read or Write
	var fault error
	func() {
		defer func() { // also when work panics
			cancel()
			stop()
			l.port.Close()
			<-l.ended
		}()
		if work != nil {
			work(working)
		}
		<-working.Done()
	}()
	fault = <-failed
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("read device: %w", fault)
}

func (l *Line) listen() error {
	buf := make([]byte, chunkBytes)
	for {
		n, err := l.port.Read(buf)
		if n > 0 {
			l.hear(buf[:n])
		}
		if err != nil {
			return err
		}
	}
}

func (l *Line) hear(in []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, in...)
	if over := len(l.heard) - maxHeard; over > 0 {
		l.heard = append(l.heard[:0], l.heard[over:]...)
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Ask sends a question and returns what came back as soon as complete says that
// it holds the answer. After limit it returns hardware.ErrTimeout with what came
// till then. What came in before the question is dropped.
func (l *Line) Ask(
	ctx context.Context, question []byte, limit time.Duration, complete func(heard []byte) bool,
) ([]byte, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	defer l.free()
	if l.late {
		l.settle(ctx, limit) // the answer that did not come may come still
	}
	if _, err := l.send(ctx, question); err != nil {
		return nil, err
	}
	heard, err := l.await(ctx, limit, complete)
	l.late, l.spoke = err != nil, time.Now()
	return heard, err
}

// Tell sends bytes that have no answer, and says how many the port took.
func (l *Line) Tell(ctx context.Context, data []byte) (int, error) {
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer l.free()
	return l.send(ctx, data)
}

// take waits for the turn to write.
func (l *Line) take(ctx context.Context) error {
	l.mu.Lock()
	ran := l.ran
	l.mu.Unlock()
	if !ran {
		return errNotRunning
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-l.ended:
		return hardware.ErrGone
	default:
	}
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-l.ended:
		return hardware.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Line) free() { <-l.turn }

func (l *Line) send(ctx context.Context, data []byte) (int, error) {
	if err := l.sleep(ctx, l.pause-time.Since(l.spoke)); err != nil {
		return 0, err
	}
	l.mu.Lock()
	l.heard = l.heard[:0]
	l.mu.Unlock()
	n, err := l.port.Write(data)
	l.spoke = time.Now()
	if err != nil {
		return n, fmt.Errorf("write device: %w", err)
	}
	return n, nil
}

// settle waits until nothing came in for the limit, at most four times that.
func (l *Line) settle(ctx context.Context, limit time.Duration) {
	for range 4 {
		l.mu.Lock()
		l.heard = l.heard[:0]
		l.mu.Unlock()
		err := l.sleep(ctx, limit)
		l.mu.Lock()
		quiet := len(l.heard) == 0
		l.mu.Unlock()
		if quiet || err != nil {
			return
		}
	}
}

func (l *Line) await(
	ctx context.Context, limit time.Duration, complete func([]byte) bool,
) ([]byte, error) {
	over := time.NewTimer(limit)
	defer over.Stop()
	for {
		l.mu.Lock()
		heard, changed := append([]byte(nil), l.heard...), l.changed
		l.mu.Unlock()
		if complete(heard) {
			return heard, nil
		}
		select {
		case <-changed:
		case <-over.C:
			return heard, hardware.ErrTimeout
		case <-l.ended:
			return heard, hardware.ErrGone
		case <-ctx.Done():
			return heard, ctx.Err()
		}
	}
}

func (l *Line) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case <-l.ended:
		return hardware.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Sleep pauses for d. It returns early with an error when ctx or the line ends.
func (l *Line) Sleep(ctx context.Context, d time.Duration) error { return l.sleep(ctx, d) }
