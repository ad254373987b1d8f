package fleet

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/fleet/check"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
)

// nodeEye sees what a store's machine does, from inside its transaction. What
// it saw counts once it is durable.
type nodeEye struct {
	journal.Machine
	box    *box
	closed bool // a replay is no news
}

// seenRecord is one record with the rows as it left them.
type seenRecord struct {
	seq  uint64
	data []byte
	rec  *recordv1.Record
	rows []books.Account
	old  []stock.Units // of rows: granted in older timelines
	res  []*books.Reservation
}

// Apply books a record, and looks.
func (e *nodeEye) Apply(tx *journal.Tx, seq uint64, data []byte) ([]byte, error) {
	reply, err := e.Machine.Apply(tx, seq, data)
	if err != nil || e.closed {
		return reply, err
	}
	if d := e.box.doomed; d != nil && d.before {
		if d.skip == 0 {
			return nil, errPower
		}
		d.skip--
	}
	if e.box.full {
		if e.box.spare == 0 {
			return nil, errFull
		}
		e.box.spare--
	}
	s := seenRecord{seq: seq, data: slices.Clone(data), rec: new(recordv1.Record)}
	if err := proto.Unmarshal(data, s.rec); err != nil {
		return nil, err
	}
	if err := s.look(tx, e.box.st.id); err != nil {
		return nil, fmt.Errorf("look at record %d: %w", seq, err)
	}
	e.box.seen = append(e.box.seen, s)
	return reply, nil
}

// look reads the rows that a record may have changed.
func (s *seenRecord) look(tx *journal.Tx, st stock.StoreID) error {
	b := books.Open(tx, st)
	skus := books.SKUs(s.rec)
	about := [][]byte{books.ReservationIn(s.rec)}
	if sal := s.rec.GetSalvage(); sal != nil {
		fact, err := books.Fact(sal)
		if err != nil {
			return err
		}
		about = append(about, books.ReservationIn(fact))
		for _, bumped := range fact.GetSale().GetBumped() {
			about = append(about, bumped.GetReservation())
		}
	}
	for _, bumped := range s.rec.GetSale().GetBumped() {
		about = append(about, bumped.GetReservation())
	}
	for _, raw := range about {
		if len(raw) != 16 {
			continue
		}
		r, known, err := b.Reservation(id(raw))
		if err != nil {
			return err
		}
		if known {
			s.res = append(s.res, r)
			for _, l := range r.Lines {
				skus = append(skus, l.SKU)
			}
		}
	}
	if sal := s.rec.GetSalvage(); sal != nil {
		fact, err := books.Fact(sal)
		if err != nil {
			return err
		}
		skus = append(skus, books.SKUs(fact)...)
	}
	if d := s.rec.GetDrainLegacy(); d != nil {
		skus = append(skus, stock.SKU(d.GetSku()))
	}
	for sku := stock.SKU(1); everyRow(s.rec) && sku <= assortment; sku++ {
		skus = append(skus, sku)
	}
	if len(skus) == 0 {
		return nil
	}
	legacy, err := check.Legacies(tx, st)
	if err != nil {
		return err
	}
	slices.Sort(skus)
	for _, sku := range slices.Compact(skus) {
		a, err := b.Account(sku)
		if err != nil {
			return err
		}
		s.rows, s.old = append(s.rows, a), append(s.old, legacy[sku])
	}
	return nil
}

// settleSeen tells the world what has become durable; the rest never was.
func (b *box) settleSeen() {
	if len(b.seen) == 0 || b.journal == nil {
		return
	}
	head := b.journal.Head()
	seen := b.seen
	b.seen = nil
	for i := range seen {
		switch s := &seen[i]; {
		case s.seq > head.Seq:
		case b.st.box == b:
			b.st.saw(s)
		default:
			b.st.sawElsewhere(b, s)
		}
	}
	b.seen = seen[:0]
	if b.st.box == b && b.st.head != head {
		b.w.fail("INV-6", "store %d: journal ends at %v, seen was %v", b.st.id, head, b.st.head)
	}
}

// officeEye sees what head office does, from inside its transaction.
type officeEye struct {
	journal.Machine
	office *office
	closed bool
}

// seenCommand is one command with what it led to.
type seenCommand struct {
	seq    uint64
	c      *recordv1.Command
	result *recordv1.Result
	stores []seenStore
	rows   []seenRow
}

// seenStore is a store's row at head office.
type seenStore struct {
	st    *store
	cloud cloudView
}

// seenRow is what head office has of one SKU in one store.
type seenRow struct {
	cell   *cell
	quota  escrow.Pool
	mirror books.Account
	legacy stock.Units
}

const (
	lookAtStore = `SELECT seq, hash, directive, directive_hash, acked, session, connected, timeline, quarantined
  FROM store WHERE store = ?`
	// The sign keeps SQLite from looking at all anomalies of a store.
	countAnomalies = `SELECT count(*), coalesce(sum(at < ?), 0) FROM anomaly WHERE at >= ? AND +store = ?
  AND code NOT IN (` + expected + `)`
	// expected are codes of anomalies that faults of the simulator lead to.
	expected = `'UNREADABLE', 'ALARM', 'STORE_ROLLED_BACK', 'STORE_REBUILT', 'STORE_FORKED', 'OLD_BOX',
  'BROUGHT_BACK', 'ALREADY_FINISHED'`
	lookAtQuota = `SELECT coalesce(sum(granted), 0), coalesce(sum(returned), 0),
  coalesce(sum(assigned), 0), coalesce(sum(held), 0) FROM quota
  WHERE store = ? AND timeline = ? AND sku = ?`
)

// Apply applies a command, and looks.
func (e *officeEye) Apply(tx *journal.Tx, seq uint64, data []byte) ([]byte, error) {
	reply, err := e.Machine.Apply(tx, seq, data)
	if err != nil || e.closed {
		return reply, err
	}
	o := e.office
	s := seenCommand{seq: seq, c: o.command, result: new(recordv1.Result)}
	if err := proto.Unmarshal(reply, s.result); err != nil {
		return nil, err
	}
	if err := o.look(tx, &s); err != nil {
		return nil, fmt.Errorf("look at command %d: %w", seq, err)
	}
	o.seen = append(o.seen, s)
	return reply, nil
}

// look reads the rows that a command may have changed.
func (o *office) look(tx *journal.Tx, s *seenCommand) error {
	changed := o.changes(s)
	for _, st := range o.w.stores {
		if !slices.Contains(o.touched, st.id) && len(changed[st]) == 0 {
			continue
		}
		view, err := lookAtCloud(tx, st, max(o.now, s.c.GetNow()))
		if err != nil {
			return err
		}
		s.stores = append(s.stores, seenStore{st: st, cloud: view})
		skus := st.changedIn(view, changed[st])
		if len(skus) == 0 {
			continue
		}
		eye, err := newRowEye(tx, st, view.timeline)
		if err != nil {
			return err
		}
		for _, sku := range skus {
			row, err := eye.look(st.cell(sku))
			if err != nil {
				return err
			}
			s.rows = append(s.rows, row)
		}
	}
	return nil
}

// changedIn adds all SKUs when the cloud has just booked a record that changes
// every row, or begun a timeline.
func (st *store) changedIn(view cloudView, skus []stock.SKU) []stock.SKU {
	every := view.timeline != st.cloud.timeline
	for seq := st.cloud.applied.Seq + 1; seq <= view.applied.Seq; seq++ {
		every = every || st.special[seq]
	}
	if !every {
		return skus
	}
	skus = nil
	for _, c := range st.cells {
		skus = append(skus, c.sku)
	}
	return skus
}

// lookAtCloud reads a store's row. What the cloud notes from now on has this
// time or a later one.
func lookAtCloud(tx *journal.Tx, st *store, now int64) (v cloudView, err error) {
	err = tx.QueryRow(lookAtStore, st.id).Scan(&v.applied.Seq, &v.applied.Hash, &v.directives.Seq,
		&v.directives.Hash, &v.acked, &v.session, &v.connected, &v.timeline, &v.quarantined)
	if err != nil {
		return v, err
	}
	v.anomalies, err = st.anomalies.count(tx, st.id, now)
	return v, err
}

// anomalyCount knows how many anomalies there were before a moment, so that
// only later ones are read.
type anomalyCount struct {
	before int64
	n      int
}

func (a *anomalyCount) count(tx *journal.Tx, st stock.StoreID, now int64) (int, error) {
	var since, settled int
	if err := tx.QueryRow(countAnomalies, now, a.before, st).Scan(&since, &settled); err != nil {
		return 0, err
	}
	all := a.n + since
	a.n += settled
	a.before = max(a.before, now)
	return all, nil
}

// rowEye reads what head office has of a store's SKUs.
type rowEye struct {
	tx       *journal.Tx
	book     *books.Book
	timeline stock.Timeline
	legacy   map[stock.SKU]stock.Units
}

func newRowEye(tx *journal.Tx, st *store, t stock.Timeline) (*rowEye, error) {
	legacy, err := check.Legacies(tx, st.id)
	return &rowEye{tx: tx, book: books.Open(tx, st.id), timeline: t, legacy: legacy}, err
}

func (e *rowEye) look(c *cell) (row seenRow, err error) {
	row.cell, row.legacy = c, e.legacy[c.sku]
	q := &row.quota
	err = e.tx.QueryRow(lookAtQuota, c.st.id, e.timeline, c.sku).
		Scan(&q.Granted, &q.Returned, &q.Assigned, &q.Held)
	if err != nil {
		return row, err
	}
	row.mirror, err = e.book.Account(c.sku)
	return row, err
}

// setCloud takes in what head office has of a SKU.
func (c *cell) setCloud(row seenRow) {
	c.quota, c.mirror, c.mirrorLegacy = row.quota, row.mirror, row.legacy
	c.touch()
}

// changes lists the SKUs whose rows a command may have changed, by store.
func (o *office) changes(s *seenCommand) map[*store][]stock.SKU {
	all := make(map[*store][]stock.SKU)
	wanted := func(store uint32, lines []*recordv1.WantedLine) {
		st := o.w.storeOf(store)
		for _, l := range lines {
			all[st] = append(all[st], stock.SKU(l.GetSku()))
		}
	}
	freed := func(h *hold) {
		if h != nil {
			wanted(uint32(h.st.id), h.lines)
		}
	}
	switch v := s.c.GetBody().(type) {
	case *recordv1.Command_ApplyBatch:
		st := o.w.storeOf(v.ApplyBatch.GetStore())
		for _, sku := range s.result.GetBatch().GetTouched() {
			all[st] = append(all[st], stock.SKU(sku))
		}
	case *recordv1.Command_ReserveNow:
		wanted(v.ReserveNow.GetStore(), v.ReserveNow.GetLines())
	case *recordv1.Command_Hold:
		wanted(v.Hold.GetStore(), v.Hold.GetLines())
	case *recordv1.Command_Confirm:
		freed(o.held[id(v.Confirm.GetHold())])
	case *recordv1.Command_ReleaseHold:
		freed(o.held[id(v.ReleaseHold.GetHold())])
	case *recordv1.Command_ExpireHolds:
		for _, h := range o.held {
			freed(h)
		}
	case *recordv1.Command_Reimport:
		for _, l := range v.Reimport.GetReserve().GetLines() {
			st := o.w.storeOf(v.Reimport.GetStore())
			all[st] = append(all[st], stock.SKU(l.GetSku()))
		}
	case *recordv1.Command_ReturnQuota:
		wanted(v.ReturnQuota.GetStore(), []*recordv1.WantedLine{{Sku: v.ReturnQuota.GetSku()}})
	}
	for st := range all {
		slices.Sort(all[st])
		all[st] = slices.Compact(all[st])
	}
	return all
}

func (w *World) storeOf(n uint32) *store { return w.stores[int(n)-1] }

// settleSeen tells the world what the cloud has committed.
func (o *office) settleSeen() {
	head := o.journal.Head().Seq
	for i := range o.seen {
		if s := &o.seen[i]; s.seq <= head {
			o.saw(s)
		}
	}
	o.seen = o.seen[:0]
}

// watching turns looking on or off: a replay is no news.
func (b *box) watching(on bool) { b.eye.closed = !on }

func (o *office) watching(on bool) { o.eye.closed = !on }
