package fleet

import (
	"maps"
	"testing"
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

// TestAStoreIsRenewedInTheMiddleOfADay lets head office take over a store's own
// books while people work there, and expects everything to come together.
func TestAStoreIsRenewedInTheMiddleOfADay(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		var st *store
		r, err := Run(t.Context(), Options{Seed: seed, Days: 1, Stores: 2, Verify: true, also: func(w *World) {
			if st != nil && st.renewing && !st.cloud.quarantined {
				st.renewing = false
				look(w, st)
				st.astray = !st.agrees()
			}
			if st != nil || w.now < w.mix.day/3 {
				return
			}
			st = w.stores[0]
			st.renewing = true
			_, err := w.office.Propose(w.ctx, &recordv1.Command{Body: &recordv1.Command_Renew{
				Renew: &recordv1.Renew{Store: uint32(st.id)}}})
			if err != nil {
				w.fail("FAULT", "renew: %v", err)
				return
			}
			look(w, st)
		}})
		if err != nil || r.Violation != nil || st == nil || st.renewing {
			t.Errorf("seed %d: %v, %v, renewed %t", seed, r, err, st != nil && !st.renewing)
		}
	}
}

// look takes what the cloud has of a store for what it is: its past was changed.
func look(w *World, st *store) {
	maps.DeleteFunc(w.office.held, func(_ id, h *hold) bool { return h.st == st })
	err := w.office.View(w.ctx, func(tx *journal.Tx) error { return st.reloadCloud(tx) })
	if err != nil {
		w.fail("FAULT", "look at store %d: %v", st.id, err)
	}
}

// TestAStoreClearsUpInTheMiddleOfADay lets stores write their books down and
// forget while people work there: the copy stays right, and the books provable.
func TestAStoreClearsUpInTheMiddleOfADay(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		next := time.Duration(0)
		r, err := Run(t.Context(), Options{Seed: seed, Days: 1, Stores: 2, Verify: true,
			Without: faultRestore | faultLoss | faultClone | faultCloudRestore, also: func(w *World) {
				if next += w.mix.day / 5; w.now < next || w.running != nil {
					next -= w.mix.day / 5
					return
				}
				for _, st := range w.stores {
					if b := st.box; b.up && !st.torn() {
						b.call(func() error { return b.unexpected(b.floor.Housekeep(w.ctx)) })
					}
				}
			}})
		if err != nil || r.Violation != nil || next == 0 {
			t.Errorf("seed %d: %v, %v, last at %s", seed, r, err, next)
		}
	}
}
