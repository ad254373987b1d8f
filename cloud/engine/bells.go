package engine

import (
	"sync"

	"holdfast.dev/stock"
)

// bells are the channels that wait for changes of stores.
type bells struct {
	mu      sync.Mutex
	rung    uint64                          // guarded by mu: commands up to here have rung
	touched map[uint64][]stock.StoreID      // guarded by mu: by command, not rung yet
	waiting map[stock.StoreID]chan struct{} // guarded by mu
}

func (b *bells) init() {
	b.touched = make(map[uint64][]stock.StoreID)
	b.waiting = make(map[stock.StoreID]chan struct{})
}

// open begins to note what commands touch; what was applied before that touched
// nobody who waits.
func (b *bells) open(rung uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rung = max(b.rung, rung)
	for seq := range b.touched {
		if seq <= b.rung {
			delete(b.touched, seq)
		}
	}
}

// changed notes what a command touched, before it is committed. A replay, as
// verifying does, touches nobody.
func (b *bells) changed(seq uint64, stores []stock.StoreID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq > b.rung {
		b.touched[seq] = stores
	}
}

// applied rings for what was committed. After a whole database was received,
// anything may have changed.
func (b *bells) applied(head uint64, restored bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if restored {
		for store := range b.waiting {
			b.ring(store)
		}
		clear(b.touched)
		b.rung = head
		return
	}
	for seq := b.rung + 1; seq <= head && len(b.touched) > 0; seq++ {
		for _, store := range b.touched[seq] {
			b.ring(store)
		}
		delete(b.touched, seq)
	}
	b.rung = max(b.rung, head)
}

// ring needs mu.
func (b *bells) ring(store stock.StoreID) {
	if c, ok := b.waiting[store]; ok {
		close(c)
		delete(b.waiting, store)
	}
}

func (b *bells) next(store stock.StoreID) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.waiting[store]
	if !ok {
		c = make(chan struct{})
		b.waiting[store] = c
	}
	return c
}
