package headoffice

import (
	"errors"
	"fmt"
	"strings"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/ledger"
)

const (
	updateOutcome = `UPDATE promise SET finished_at = ? WHERE store = ? AND reservation = ?
  AND finished_at = 0`
	updateReleased = `UPDATE promise SET released = ? WHERE store = ? AND reservation = ?`
	dropPromise    = `DELETE FROM promise WHERE store = ? AND reservation = ? AND finished_at > 0`
	thatPromise    = `SELECT store, reservation FROM promise WHERE store = ? AND reservation = ?`
	insertAnomaly  = `INSERT INTO anomaly (store, seq, number, at, code, what) VALUES (?,?,?,?,?,?)`
)

// Bytes of what an anomaly says; the words are the store's.
const (
	maxNoteCode = 40
	maxWhat     = 500
)

func cut(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// note is something about a record that a person should look at.
type note struct {
	seq  uint64
	code string
	what string
}

// mirror books a batch of a store's records in the cloud's copy of its books,
// as one unit of work.
type mirror struct {
	d        *desk
	s        *store
	book     *books.Book
	quotas   map[quotaKey]*quota
	granted  []*quota // those that changed, in the order of first change
	released []released
	notes    []note
	reissue  bool // the store has begun the present timeline
	renewing renewing
	apart    uint64 // the first record that is not booked; 0: all are

	lenient bool // what contradicts the copy is left out
	skip    bool // the record that is looked at is
	dropped bool // all of them were: the tables refused them together
}

type quotaKey struct {
	timeline stock.Timeline
	sku      stock.SKU
}

// released says why the store gave a reservation up.
type released struct {
	reservation []byte
	reason      recordv1.ReleaseReason
}

func newMirror(d *desk, s *store) *mirror {
	return &mirror{d: d, s: s, book: books.Open(d.tx, s.id), quotas: make(map[quotaKey]*quota)}
}

// take books records in order. nil stands for one that cannot be decoded.
func (m *mirror) take(first uint64, records []*recordv1.Record) error {
	if err := m.book.Load(records); err != nil {
		return err
	}
	for i, r := range records {
		if r == nil {
			m.note(first+uint64(i), stock.Unreadable.String(), "the record cannot be decoded")
			continue
		}
		if err := m.see(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *mirror) note(seq uint64, code, what string) {
	m.notes = append(m.notes, note{seq, cut(code, maxNoteCode), cut(what, maxWhat)})
}

// see books one record, and what it means beyond the store's own books.
func (m *mirror) see(r *recordv1.Record) error {
	if m.s.quarantined {
		return m.await(r)
	}
	if s := r.GetSalvage(); s != nil {
		if err := m.seeFact(r.GetSeq(), s); err != nil {
			return err
		}
	}
	var err error
	switch v := r.GetBody().(type) {
	case *recordv1.Record_TimelineChange:
		m.reissue = m.reissue || stock.Timeline(v.TimelineChange.GetTimeline()) == m.s.timeline
	case *recordv1.Record_Grant:
		err = m.grant(r.GetSeq(), v.Grant)
	case *recordv1.Record_ApplyReturn:
		err = m.returned(r.GetSeq(), v.ApplyReturn)
	case *recordv1.Record_Accept:
		err = m.expect(r.GetSeq(), v.Accept.GetReserve())
	case *recordv1.Record_CollectByToken:
		err = m.expect(r.GetSeq(), v.CollectByToken.GetReserve())
	case *recordv1.Record_Release:
		m.released = append(m.released, released{v.Release.GetReservation(), v.Release.GetReason()})
	case *recordv1.Record_Unclassified:
		m.note(r.GetSeq(), v.Unclassified.GetCode(), v.Unclassified.GetWhat())
	case *recordv1.Record_Mark:
		if v.Mark.GetKind() == recordv1.MarkKind_MARK_KIND_ALARM {
			m.note(r.GetSeq(), "ALARM", v.Mark.GetText())
		}
	}
	if err != nil || m.s.quarantined || m.skip {
		m.skip = false
		return err
	}
	if m.d.version < careful && newer(r) {
		return m.applyAsBefore(r)
	}
	return m.book.Apply(r, books.Total)
}

// newer tells whether a record means something only to commands of version 2.
func newer(r *recordv1.Record) bool {
	return r.GetForget() != nil || r.GetMark().GetKind() == recordv1.MarkKind_MARK_KIND_LOCKER
}

// applyAsBefore books a record as members of version 1 do, which do not know it.
func (m *mirror) applyAsBefore(r *recordv1.Record) error {
	if r.GetForget() != nil {
		m.note(r.GetSeq(), stock.FeatureRefused.String(), "record <nil> is not booked by this version")
	}
	return nil
}

// seeFact looks at what a former box had recorded.
func (m *mirror) seeFact(seq uint64, s *recordv1.Salvage) error {
	fact, err := books.Fact(s)
	if err != nil {
		return nil // the books note it
	}
	switch v := fact.GetBody().(type) {
	case *recordv1.Record_Release:
		m.released = append(m.released, released{v.Release.GetReservation(), v.Release.GetReason()})
	case *recordv1.Record_Accept:
		return m.expect(seq, v.Accept.GetReserve())
	case *recordv1.Record_CollectByToken:
		return m.expect(seq, v.CollectByToken.GetReserve())
	}
	return nil
}

func (m *mirror) quota(sku stock.SKU) (*quota, error) {
	t, err := m.book.Timeline()
	if err != nil {
		return nil, err
	}
	key := quotaKey{t, sku}
	if q, ok := m.quotas[key]; ok {
		return q, nil
	}
	q, err := m.d.quotaIn(m.s, t, sku)
	if err != nil {
		return nil, err
	}
	m.quotas[key] = q
	return q, nil
}

// grant credits the pool. The record says what G is afterwards; another sum
// means that the two sides disagree on history, and then nothing more of this
// store can be believed: its facts are kept, unbooked.
func (m *mirror) grant(seq uint64, g *recordv1.Grant) error {
	sku, n := stock.SKU(g.GetSku()), stock.Units(g.GetUnits())
	q, err := m.quota(sku)
	if err != nil {
		return err
	}
	if n <= 0 || n > ledger.MaxUnits || q.pool.Granted+n != stock.Units(g.GetGrantedTotal()) {
		m.quarantine(seq, fmt.Sprintf("sku %d: a grant of %d on %d does not make %d",
			sku, n, q.pool.Granted, g.GetGrantedTotal()))
		return nil
	}
	q.pool.Granted += n
	for _, known := range m.granted {
		if known == q {
			return nil
		}
	}
	m.granted = append(m.granted, q)
	return nil
}

// returned checks that the store took back no more than was returned.
func (m *mirror) returned(seq uint64, r *recordv1.ApplyReturn) error {
	q, err := m.quota(stock.SKU(r.GetSku()))
	if err != nil {
		return err
	}
	if q.timeline < m.s.timeline {
		return nil // a cloud that was restored may have forgotten what it returned
	}
	if total := stock.Units(r.GetReturnedTotal()); total > q.pool.Returned {
		m.quarantine(seq, fmt.Sprintf("sku %d: took back %d in all, the cloud returned %d",
			r.GetSku(), total, q.pool.Returned))
	}
	return nil
}

func (m *mirror) quarantine(seq uint64, what string) {
	if m.lenient {
		m.skip = true
		return
	}
	m.s.quarantined = true
	if m.apart == 0 {
		m.apart = seq
	}
	m.note(seq, "QUARANTINE", what)
}

// expect notes a reservation that the cloud has never promised. One of an older
// timeline was promised by a cloud that has forgotten it, and is brought back.
func (m *mirror) expect(seq uint64, r *recordv1.Reserve) error {
	id, err := id16(r.GetReservation(), "reservation")
	if err != nil {
		return nil // the books note it
	}
	p, err := findPromise(m.d.tx, id)
	t := stock.Timeline(r.GetTimeline())
	if err == nil && p == nil && t > 0 && t < m.s.timeline {
		m.note(seq, "BROUGHT_BACK", fmt.Sprintf("reservation %x", id))
		return m.d.bringBack(m.s, r)
	}
	if err == nil && (p == nil || p.Store != m.s.id) {
		m.note(seq, stock.UnknownReservation.String(), fmt.Sprintf("reservation %x was never promised",
			id))
	}
	return err
}

// bookAll books the records from first on, and writes the mirror's rows, the
// pools, and how promises fare. Rows that the tables refuse mean that the
// records contradict themselves in a way that the rules did not see: then the
// whole batch is kept unbooked.
func (m *mirror) bookAll(first uint64, records []*recordv1.Record) error {
	if _, err := m.d.tx.Exec(`SAVEPOINT mirror`); err != nil {
		return err
	}
	err := m.take(first, records)
	if err == nil {
		err = m.saveBooks()
	}
	if contradiction(err) {
		if _, undo := m.d.tx.Exec(`ROLLBACK TO mirror`); undo != nil {
			return undo
		}
		m.apart = first
		m.drop(m.s.applied.Seq)
		err = nil
	}
	if err != nil {
		return err
	}
	if _, err := m.d.tx.Exec(`RELEASE mirror`); err != nil {
		return err
	}
	if m.lenient { // they were noted before
		return nil
	}
	return errors.Join(m.saveNotes(), m.saveRenewal())
}

// drop forgets what was booked of the batch.
func (m *mirror) drop(seq uint64) {
	m.book, m.granted, m.released, m.reissue = books.Open(m.d.tx, m.s.id), nil, nil, false
	m.renewing = renewing{known: m.renewing.known}
	m.dropped = true
	m.quarantine(seq, "the batch that ends here contradicts itself")
}

// contradiction tells whether rows could not be what the records say: a table
// refused them, or they did not even fit into one. That is the same on every
// member, while any other failure of the database is not.
func contradiction(err error) bool {
	const sqliteConstraint = 19
	var e interface {
		error
		Code() int // of SQLite
	}
	if errors.As(err, &e) {
		return e.Code()&0xff == sqliteConstraint
	}
	return err != nil
}

func (m *mirror) saveBooks() error {
	if err := m.book.Save(); err != nil {
		return err
	}
	for _, q := range m.granted {
		if err := m.d.saveQuota(m.s, q); err != nil {
			return err
		}
	}
	for _, r := range m.released {
		if _, err := m.d.tx.Exec(updateReleased, int32(r.reason), m.s.id,
			blob(r.reservation)); err != nil {
			return fmt.Errorf("note the release of %x: %w", r.reservation, err)
		}
	}
	for _, id := range m.book.Forgotten() {
		_, err := m.d.dropRequests(thatPromise, m.s.id, id[:])
		if err == nil {
			_, err = m.d.tx.Exec(dropPromise, m.s.id, id[:])
		}
		if err != nil {
			return fmt.Errorf("forget promise %x: %w", id, err)
		}
	}
	for _, r := range m.book.Changed() {
		if !r.State().Final() {
			continue
		}
		if _, err := m.d.tx.Exec(updateOutcome, max(1, m.d.now), m.s.id, r.ID[:]); err != nil {
			return fmt.Errorf("note the end of %x: %w", r.ID, err)
		}
	}
	return nil
}

func (m *mirror) saveNotes() error {
	for _, a := range m.book.Anomalies() {
		m.note(a.Seq, a.Code.String(), a.What)
	}
	for i, n := range m.notes {
		if _, err := m.d.tx.Exec(insertAnomaly, m.s.id, n.seq, i+1, m.d.now, n.code, n.what); err != nil {
			return fmt.Errorf("insert anomaly of store %d: %w", m.s.id, err)
		}
	}
	return nil
}

func (m *mirror) touched() []uint32 {
	skus := m.book.Touched()
	all := make([]uint32, len(skus))
	for i, sku := range skus {
		all[i] = uint32(sku)
	}
	return all
}
