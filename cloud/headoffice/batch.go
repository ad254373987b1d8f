package headoffice

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// MaxBatch bounds the records of one ApplyBatch.
const MaxBatch = 10_000

const insertBatch = `INSERT INTO batch (store, seq, at) VALUES (?,?,?)`

// applyBatch takes records of a store's journal. What is here already is
// compared and skipped; what does not follow is asked for again; what has
// another history is refused. Everything else is booked, whatever it says: a
// fact is never refused.
func (d *desk) applyBatch(b *recordv1.ApplyBatch) (*recordv1.Result, error) {
	s, fresh, err := d.fresh(b)
	if err != nil {
		return nil, err
	}
	if len(fresh) == 0 {
		return nothingNew(s, b), nil
	}
	records, err := decodeRecords(s.applied.Seq+1, fresh)
	if err != nil {
		return nil, err
	}
	first := s.applied.Seq + 1
	if err := d.archive(s, fresh); err != nil {
		return nil, err
	}
	m := newMirror(d, s)
	if err := m.bookAll(first, records); err != nil {
		return nil, err
	}
	if m.reissue {
		if err := d.reissue(s); err != nil {
			return nil, err
		}
	}
	if err := d.stamp(s); err != nil {
		return nil, err
	}
	result := &recordv1.BatchResult{Applied: s.applied.Seq, Hash: s.applied.Hash[:],
		Skipped: uint64(len(b.GetRecords()) - len(fresh)), Touched: m.touched()}
	return &recordv1.Result{Body: &recordv1.Result_Batch{Batch: result}}, d.save(s)
}

// stamp notes when the store's records came, at most once an hour: enough to
// tell later which are old.
func (d *desk) stamp(s *store) error {
	same := s.appliedAt/hourMS == d.now/hourMS
	s.appliedAt = d.now
	if same {
		return nil
	}
	if _, err := d.tx.Exec(insertBatch, s.id, s.applied.Seq, d.now); err != nil {
		return fmt.Errorf("stamp batch of store %d: %w", s.id, err)
	}
	return nil
}

// fresh returns the batch's records that follow what is here; none if the batch
// begins too late or brings nothing new.
func (d *desk) fresh(b *recordv1.ApplyBatch) (*store, [][]byte, error) {
	if b.GetFrom() == 0 || len(b.GetRecords()) == 0 {
		return nil, nil, badRequest("records", "%d records from %d", len(b.GetRecords()), b.GetFrom())
	}
	if len(b.GetRecords()) > MaxBatch {
		return nil, nil, stock.Refuse(stock.TooMany, "%d records in one batch", len(b.GetRecords())).
			With("limit", MaxBatch).With("what", "records")
	}
	s, err := d.store(b.GetStore())
	if err != nil {
		return nil, nil, err
	}
	if err := s.current(b.GetSession()); err != nil {
		return nil, nil, err
	}
	if b.GetFrom() > s.applied.Seq+1 {
		return s, nil, nil
	}
	skip, err := d.overlap(s, b)
	if err != nil {
		return nil, nil, err
	}
	return s, b.GetRecords()[skip:], nil
}

// overlap counts the records that are here already, after comparing the chains
// where they meet. The chain makes one comparison enough for all before it.
func (d *desk) overlap(s *store, b *recordv1.ApplyBatch) (int, error) {
	var prev journal.Hash
	copy(prev[:], b.GetPrevHash())
	before, err := d.archived(s, b.GetFrom()-1)
	if err != nil {
		return 0, err
	}
	known := len(b.GetPrevHash()) == len(prev) || b.GetFrom() == 1 && len(b.GetPrevHash()) == 0
	if !known || before != nil && prev != *before {
		return 0, forked(s, b.GetFrom()-1)
	}
	skip := int(min(s.applied.Seq+1-b.GetFrom(), uint64(len(b.GetRecords()))))
	if skip == 0 {
		return 0, nil
	}
	h := prev
	for i, data := range b.GetRecords()[:skip] {
		h = journal.Chain(h, b.GetFrom()+uint64(i), data)
	}
	last := b.GetFrom() + uint64(skip) - 1
	here, err := d.archived(s, last)
	if err != nil {
		return 0, err
	}
	if here != nil && h != *here {
		return 0, forked(s, last)
	}
	return skip, nil
}

func forked(s *store, seq uint64) error {
	return stock.Refuse(stock.Forked, "record %d of store %d is another one here", seq, s.id)
}

// nothingNew acknowledges duplicates, and asks for what is missing before a
// batch that begins too late.
func nothingNew(s *store, b *recordv1.ApplyBatch) *recordv1.Result {
	r := &recordv1.BatchResult{Applied: s.applied.Seq, Hash: s.applied.Hash[:]}
	if b.GetFrom() > s.applied.Seq+1 {
		r.ResumeFrom = s.applied.Seq + 1
	} else {
		r.Skipped = uint64(len(b.GetRecords()))
	}
	return &recordv1.Result{Body: &recordv1.Result_Batch{Batch: r}}
}

// decodeRecords leaves nil what cannot be decoded: it is archived and listed as
// an anomaly. A record that claims another number than its place is no fact but
// a broken sender.
func decodeRecords(from uint64, raw [][]byte) ([]*recordv1.Record, error) {
	records := make([]*recordv1.Record, len(raw))
	for i, data := range raw {
		r := new(recordv1.Record)
		if proto.Unmarshal(data, r) != nil {
			continue
		}
		if seq := from + uint64(i); r.GetSeq() != seq {
			return nil, badRequest("records", "record %d says that it is %d", seq, r.GetSeq())
		}
		records[i] = r
	}
	return records, nil
}

// archiveRows is how many records one INSERT writes; a statement for each row
// costs more than the rows.
const archiveRows = 64

const (
	insertArchive = `INSERT INTO archive (store, seq, data, hash) VALUES (?,?,?,?)`
	archiveRow    = `,(?,?,?,?)`
)

// archive keeps the records as they came and moves the store's cursor.
func (d *desk) archive(s *store, raw [][]byte) error {
	many := insertMany()
	args := make([]any, 0, archiveRows*4)
	hashes := make([]journal.Hash, archiveRows)
	for len(raw) > 0 {
		n, q := 1, insertArchive
		if len(raw) >= archiveRows {
			n, q = archiveRows, many
		}
		args = args[:0]
		for i, data := range raw[:n] {
			seq := s.applied.Seq + 1
			hashes[i] = journal.Chain(s.applied.Hash, seq, data)
			s.applied = journal.Position{Seq: seq, Hash: hashes[i]}
			args = append(args, int64(s.id), seq, data, hashes[i][:])
		}
		if _, err := d.tx.Exec(q, args...); err != nil {
			return fmt.Errorf("archive records of store %d: %w", s.id, err)
		}
		raw = raw[n:]
	}
	return nil
}

func insertMany() string {
	return insertArchive + string(bytes.Repeat([]byte(archiveRow), archiveRows-1))
}
