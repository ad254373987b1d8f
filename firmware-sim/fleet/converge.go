package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast.dev/node/uplink"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"

	"holdfast.dev/firmware-sim/fleet/check"
)

const (
	// patienceSteps is how often it is looked whether everything came together.
	patienceSteps = 60
	verifyEach    = 16 // of seeds whose journals are replayed at the end
)

// heal ends every fault.
func (w *World) heal() {
	w.healed = true
	w.logf("--- everything is mended")
	w.office.unsure, w.office.noQuorum = 0, 0
	w.office.clock.mend()
	for _, m := range w.office.members {
		m.up = true
	}
	for _, st := range w.stores {
		st.line.outage++
		st.line.mend()
		for _, b := range st.boxes {
			b.clock.mend()
			b.doomed, b.tooNew = nil, false
			if b.full {
				b.roomOnDisk()
			}
		}
		if st.twin != nil {
			st.endTwin(st.twin, true, newChance(w.o.Seed, 4))
		}
		if b := st.box; !b.up && !st.replacing {
			b.restart()
		}
	}
	w.start(func(r *routine) { r.greetAll() })
}

// greetAll lets every till look at its box once more: it may keep what the box
// has lost.
func (r *routine) greetAll() {
	for _, st := range r.w.stores {
		for st.replacing || st.astray {
			r.sleep(r.w.mix.day / 100)
		}
		for _, t := range st.tills {
			for t.enter(r); !t.talksTo().up || !t.witness(t.talksTo()); {
				r.sleep(time.Second)
			}
			t.leave()
		}
		st.greeted = true
	}
}

// converge mends everything and waits, for a bounded time, until both sides
// agree on everything.
func (w *World) converge(ctx context.Context) error {
	if w.over() {
		return nil
	}
	w.heal()
	span := max(w.mix.day, 30*w.mix.dead, 20*w.mix.backoff, time.Minute) / patienceSteps
	why := ""
	for range patienceSteps {
		if err := w.runUntil(ctx, w.now+span); err != nil || w.over() {
			return err
		}
		if why = w.apart(); why == "" {
			break
		}
	}
	if why != "" {
		w.fail("INV-9", "%s", why)
		return nil
	}
	w.audit()
	w.last(ctx)
	return nil
}

// apart says what keeps the two sides from agreeing, "" if nothing does.
func (w *World) apart() string {
	for _, st := range w.stores {
		if why := st.apart(); why != "" {
			return fmt.Sprintf("store %d: %s", st.id, why)
		}
	}
	if len(w.office.held) > 0 {
		for _, h := range w.office.held {
			if h.deadline <= w.office.clock.now()-2*(w.mix.round*4/5).Milliseconds() {
				return "a hold is older than its time"
			}
		}
	}
	return ""
}

func (st *store) apart() string {
	switch b := st.box; {
	case !b.up:
		return "the box is down"
	case st.astray || !st.greeted:
		return "the box has not come back to the cloud"
	case b.core.State().Phase != uplink.Online:
		s := b.core.State()
		return fmt.Sprintf("the line is %s, refused %q", s.Phase, s.Refused)
	case st.cloud.applied != st.head:
		return fmt.Sprintf("the cloud has %d of %d records", st.cloud.applied.Seq, st.head.Seq)
	case st.applied != st.cloud.directives.Seq || st.cloud.acked != st.applied:
		return fmt.Sprintf("directives: %d written, %d applied, %d acked", st.cloud.directives.Seq,
			st.applied, st.cloud.acked)
	}
	for _, p := range st.w.office.promises {
		if p.st == st && p.asked && !p.ended {
			return "a cancellation waits"
		}
	}
	for _, f := range st.lost {
		if !f.apart && (f.kept && f.handed == nil || f.told && books.Salvageable(f.rec)) {
			return fmt.Sprintf("record %d of box %d is still lost: %T", f.seq, f.box, f.rec.GetBody())
		}
	}
	for _, c := range st.cells {
		if c.doubt > 0 {
			return fmt.Sprintf("sku %d: nobody knows what became of a step", c.sku)
		}
		if st.timeline != st.cloud.timeline {
			return fmt.Sprintf("the store is in timeline %d", st.timeline)
		}
		if c.book.Rights.Online() != c.quota.Free()+c.quota.Held {
			return fmt.Sprintf("sku %d: online %d, pool %d, held %d", c.sku, c.book.Rights.Online(),
				c.quota.Free(), c.quota.Held)
		}
	}
	return ""
}

// audit checks everything that there is, from the tables themselves.
func (w *World) audit() {
	if w.over() {
		return
	}
	for _, st := range w.stores {
		for _, c := range st.cells {
			c.touch()
		}
	}
	w.observe()
	err := w.office.journal.View(w.ctx, func(cloud *journal.Tx) error {
		if err := w.found(check.Cloud(cloud)); err != nil {
			return err
		}
		for _, st := range w.stores {
			if err := errors.Join(st.sameQuotas(cloud), w.auditStore(st, cloud)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.fail("FAULT", "audit: %v", err)
	}
}

func (w *World) auditStore(st *store, cloud *journal.Tx) error {
	if !st.box.up || st.torn() {
		return nil
	}
	return st.box.journal.View(w.ctx, func(node *journal.Tx) error {
		if err := w.found(check.Store(node, st.id)); err != nil {
			return err
		}
		if err := st.sameRows(node); err != nil {
			return err
		}
		return w.found(check.Pair(node, cloud, st.id))
	})
}

// found reports what a check of tables found.
func (w *World) found(findings []check.Finding, err error) error {
	for _, f := range findings {
		w.fail(f.Invariant, "%s", f.What)
	}
	return err
}

// sameQuotas checks that what was observed is what the cloud's tables hold.
func (st *store) sameQuotas(cloud *journal.Tx) error {
	quotas, err := check.Quotas(cloud, st.id, st.cloud.timeline)
	if err != nil {
		return err
	}
	legacy, err := check.Legacies(cloud, st.id)
	if err != nil {
		return err
	}
	mirrors, err := check.Mirrors(cloud, st.id)
	if err != nil {
		return err
	}
	for _, c := range st.cells {
		quota, mirror := quotas[c.sku], mirrors[c.sku]
		if quota != c.quota || mirror.Balances != c.mirror.Balances ||
			!sameRights(mirror.Rights, c.mirror.Rights) || legacy[c.sku] != c.mirrorLegacy {
			c.fail("INV-0", "the cloud's tables have %+v %v %d, last seen was %+v %v %d", quota, mirror,
				legacy[c.sku], c.quota, c.mirror, c.mirrorLegacy)
		}
	}
	return nil
}

// sameRows checks that what was observed is what the tables hold.
func (st *store) sameRows(node *journal.Tx) error {
	rows, err := check.Accounts(node, st.id)
	if err != nil {
		return err
	}
	for _, a := range rows {
		if c := st.cell(a.SKU); a.Balances != c.book.Balances || a.Rights != c.book.Rights {
			c.fail("INV-0", "the table has %v, last seen was %v", a.Balances, c.book.Balances)
		}
	}
	return nil
}

// last replays every journal, for some seeds.
func (w *World) last(ctx context.Context) {
	if w.over() || !w.o.Verify && w.o.Seed%verifyEach != 0 {
		return
	}
	w.office.watching(false)
	err := verify(ctx, w.office.journal)
	for _, st := range w.stores {
		st.box.watching(false)
		err = errors.Join(err, verify(ctx, st.box.journal))
	}
	if err != nil {
		w.fail("INV-7", "%v", err)
	}
}

func verify(ctx context.Context, j *journal.Journal) error {
	report, err := j.Verify(ctx, nil)
	if err == nil && !report.OK() {
		err = fmt.Errorf("replay differs: %s", report.Mismatches[0])
	}
	return err
}
