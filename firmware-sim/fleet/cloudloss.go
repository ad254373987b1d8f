package fleet

import (
	"errors"
	"time"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const keptBackups = 6

// backUp copies disks every now and then, if there is a use for it.
func (w *World) backUp() {
	w.after(w.mix.day/6, "backups", func() {
		for _, st := range w.stores {
			if b := st.box; b.up && w.mix.faults.has(faultRestore) {
				b.backups = w.keep(b.backups, b.journal)
			}
		}
		if w.mix.faults.has(faultCloudRestore) {
			w.office.backups = w.keep(w.office.backups, w.office.journal)
		}
		if !w.healed {
			w.backUp()
		}
	})
}

func (w *World) keep(backups [][]byte, j *journal.Journal) [][]byte {
	image, err := j.Image(w.ctx)
	if err != nil {
		w.fail("FAULT", "back up: %v", err)
		return backups
	}
	if len(backups) == keptBackups {
		backups = backups[1:]
	}
	return append(backups, image)
}

// restoringCloud puts an older copy of the cloud's log back, and says so to
// everybody by a new timeline before anything is served.
func (w *World) restoringCloud(_ *store, c chance) {
	o := w.office
	if len(o.backups) == 0 {
		return
	}
	image, freeze := oneOf(c, o.backups...), c.of(300)
	for _, st := range w.stores {
		freeze = freeze || st.invited > 1 // a box was replaced, perhaps since the backup
	}
	w.logf("cloud: a backup is put back, freeze %t", freeze)
	for n := range o.members {
		o.restart(n, c.span(time.Second, w.mix.day/50))
	}
	if err := o.reopen(image); err != nil {
		w.fail("FAULT", "put the cloud's backup back: %v", err)
		return
	}
	o.unsure, o.noQuorum, o.incarnation = 0, 0, o.incarnation+1
	o.backups = nil // one from before would begin this timeline once more
	_, err := o.Propose(w.ctx, &recordv1.Command{Body: &recordv1.Command_BumpTimeline{
		BumpTimeline: &recordv1.BumpTimeline{Reason: "restored", Freeze: freeze}}})
	if err != nil {
		w.fail("FAULT", "begin a timeline: %v", err)
		return
	}
	o.settleSeen()
	o.reload()
	w.marks.hit(markCloudRestored)
	w.sameFire(newChance(c.Uint64(), 1))
	w.start(func(r *routine) { r.reconcile(c, freeze) })
}

// sameFire takes boxes away before they could tell the restored cloud what it
// has forgotten.
func (w *World) sameFire(c chance) {
	for _, st := range w.stores {
		if w.has(faultLoss) && c.of(400) {
			w.losing(st, c)
		}
	}
}

func (o *office) reopen(image []byte) error {
	if err := o.journal.Close(); err != nil {
		return err
	}
	j, err := journal.Open(o.w.ctx, journal.Options{Image: image, Machine: o.eye, Spare: &o.w.kit.office})
	if err == nil {
		o.journal, o.seen, o.now = j, nil, 0
	}
	for _, st := range o.w.stores {
		st.anomalies = anomalyCount{}
	}
	return err
}

const (
	listPromised = `SELECT reservation, cancel_at FROM promise ORDER BY reservation`
	listCarts    = `SELECT hold, deadline FROM hold ORDER BY hold`
	lookAtOffice = `SELECT now FROM office WHERE id = 1`
)

// reload takes the cloud for what it is after its past was changed.
func (o *office) reload() {
	w := o.w
	o.held = make(map[id]*hold)
	err := o.View(w.ctx, func(tx *journal.Tx) error {
		if err := tx.QueryRow(lookAtOffice).Scan(&o.now); err != nil {
			return err
		}
		known, err := promised(tx, listPromised)
		if err != nil {
			return err
		}
		if o.carts, err = promised(tx, listCarts); err != nil {
			return err
		}
		for key, p := range o.promises {
			cancelAt, here := known[key]
			p.forgotten, p.asked = !here, cancelAt > 0
		}
		for _, st := range w.stores {
			if err := st.reloadCloud(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.fail("FAULT", "read the cloud: %v", err)
	}
}

// promised reads ids, each with a moment.
func promised(tx *journal.Tx, q string) (map[id]int64, error) {
	rows, err := tx.Query(q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	known := make(map[id]int64)
	for rows.Next() {
		var key id
		var at int64
		if err := rows.Scan(&key, &at); err != nil {
			return nil, err
		}
		known[key] = at
	}
	return known, rows.Err()
}

func (st *store) reloadCloud(tx *journal.Tx) error {
	st.anomalies = anomalyCount{}
	view, err := lookAtCloud(tx, st, st.w.office.now)
	if err != nil {
		return err
	}
	eye, err := newRowEye(tx, st, view.timeline)
	if err != nil {
		return err
	}
	st.bereft = st.bereft || st.astray || st.replacing
	st.cloud, st.astray = view, true
	clear(st.orders)
	for _, f := range st.facts {
		f.told = false // what disks have told and the store has not is forgotten
	}
	for _, c := range st.cells {
		row, err := eye.look(c)
		if err != nil {
			return err
		}
		c.held = 0
		c.setCloud(row)
	}
	st.countUntaken()
	return nil
}

// reconcile is what head office does after a restore: it admits the nodes, and
// the order system tells of orders that were forgotten.
func (r *routine) reconcile(c chance, frozen bool) {
	w, o := r.w, r.w.office
	incarnation := o.incarnation
	r.sleep(c.span(0, w.mix.reminder))
	for _, st := range w.stores {
		if frozen {
			r.admit(st, c, incarnation)
		}
	}
	for _, st := range w.stores {
		for _, p := range st.promises() {
			if p.forgotten && o.incarnation == incarnation && c.of(700) {
				_, err := r.propose(c, &recordv1.Command{Body: &recordv1.Command_Reimport{Reimport: &recordv1.Reimport{
					Store: uint32(st.id), Reserve: p.reserve}}})
				w.logf("store %d: order %x is told again: %v", st.id, p.id[:4], err)
				p.forgotten = p.forgotten && err != nil
			}
		}
	}
	for _, st := range w.stores {
		r.drain(st, c, incarnation)
	}
}

// admit ends a store's freeze for the box that stands there, not for one that
// is being replaced, however long that takes.
func (r *routine) admit(st *store, c chance, incarnation int) {
	w := r.w
	for w.office.incarnation == incarnation {
		if !st.replacing {
			node := st.box.node
			_, err := r.propose(c, &recordv1.Command{Body: &recordv1.Command_AdmitNode{
				AdmitNode: &recordv1.AdmitNode{Store: uint32(st.id), NodeId: node[:]}}})
			if _, refused := stock.AsRefusal(err); err == nil || refused {
				return
			}
		}
		r.sleep(w.mix.day / 100)
	}
}

// drain takes units of older timelines back once nobody can claim them.
func (r *routine) drain(st *store, c chance, incarnation int) {
	for range rebuildRounds {
		r.sleep(c.span(r.w.mix.day/50, r.w.mix.day/10))
		if r.w.office.incarnation != incarnation {
			return
		}
		if st.box.up && !st.astray && st.timeline == st.cloud.timeline && st.nobodyComes() {
			err := st.box.must(func() error {
				_, err := st.box.floor.DrainLegacy(r.w.ctx, shopfloor.Cause{Actor: "Jo", ID: c.id()}, true)
				return err
			})
			if !errors.Is(err, errDead) {
				r.w.marks.hit(markDrained)
				return
			}
		}
	}
}

// nobodyComes tells whether no order of an older timeline is still open.
func (st *store) nobodyComes() bool {
	for _, p := range st.promises() {
		if stock.Timeline(p.reserve.GetTimeline()) < st.cloud.timeline && !p.ended {
			return false
		}
	}
	return true
}
