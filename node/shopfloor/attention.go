package shopfloor

import (
	"maps"
	"slices"
	"sync"

	"holdfast.dev/stock"
)

// attention is which SKUs may need a look at how their units are split.
type attention struct {
	wake chan struct{} // something was touched

	mu      sync.Mutex
	touched map[stock.SKU]bool // something happened to them
	due     map[stock.SKU]bool // their move waits for the line, or for its turn
	all     bool               // every SKU
}

func newAttention() *attention {
	return &attention{wake: make(chan struct{}, 1), touched: make(map[stock.SKU]bool),
		due: make(map[stock.SKU]bool)}
}

func (t *attention) touch(skus []stock.SKU) {
	if len(skus) == 0 {
		return
	}
	t.mu.Lock()
	for _, sku := range skus {
		t.touched[sku] = true
	}
	t.mu.Unlock()
	t.look()
}

func (t *attention) touchAll() {
	t.mu.Lock()
	t.all = true
	t.mu.Unlock()
	t.look()
}

func (t *attention) look() {
	select {
	case t.wake <- struct{}{}:
	default: // a look is due already
	}
}

// later notes a SKU whose move has to wait.
func (t *attention) later(sku stock.SKU) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due[sku] = true
}

// ready tells whether there is anything to look at; moves that wait count when
// they can be made.
func (t *attention) ready(connected bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all || len(t.touched) > 0 || connected && len(t.due) > 0
}

// take returns what to look at now, in order: all that was touched, and as many
// of those that wait as have their turn.
func (t *attention) take(turns int) (skus []stock.SKU, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turns > 0 {
		waiting := slices.Sorted(maps.Keys(t.due))
		for _, sku := range waiting[:min(turns, len(waiting))] {
			delete(t.due, sku)
			t.touched[sku] = true
		}
	}
	skus, all = slices.Sorted(maps.Keys(t.touched)), t.all
	clear(t.touched)
	t.all = false
	return skus, all
}
