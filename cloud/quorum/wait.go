package quorum

import (
	"context"
	"sync"
)

// bell wakes everybody who waits, each time it rings.
type bell struct {
	mu   sync.Mutex
	next chan struct{} // guarded by mu: closed at the next ring
}

func (b *bell) init() { b.next = make(chan struct{}) }

// wait returns a channel that is closed at the next ring. Take it, look, then
// wait: nothing is missed.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.next = make(chan struct{})
}

// progress is how far this copy came in the log.
type progress struct {
	bell
	at sync.Mutex
	n  uint64 // guarded by at
}

func (p *progress) index() uint64 {
	p.at.Lock()
	defer p.at.Unlock()
	return p.n
}

func (p *progress) moved(index uint64) {
	p.at.Lock()
	p.n = max(p.n, index)
	p.at.Unlock()
	p.ring()
}

// reach waits until the copy has applied the entry with this index.
func (p *progress) reach(ctx context.Context, index uint64) error {
	for {
		moved := p.wait()
		if p.index() >= index {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
