package books_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// batches books many records in one unit of work, as the cloud's mirror does;
// its data are records one after the other.
type batches struct{ size int }

func (batches) Migrations() []string { return []string{books.Migration(), books.RecoveryMigration()} }

func (batches) Apply(tx *journal.Tx, _ uint64, data []byte) ([]byte, error) {
	var all []*recordv1.Record
	for len(data) > 0 {
		raw, n := protowire.ConsumeBytes(data)
		rec := new(recordv1.Record)
		if err := proto.Unmarshal(raw, rec); err != nil {
			return nil, err
		}
		all, data = append(all, rec), data[n:]
	}
	b := books.Open(tx, 1)
	if len(all) > 1 {
		if err := b.Load(all); err != nil {
			return nil, err
		}
	}
	for _, rec := range all {
		if err := b.Apply(rec, books.Total); err != nil {
			return nil, err
		}
	}
	return nil, b.Save()
}

// digest books records, so many at a time, and returns the tables' hashes.
func (m batches) digest(t *testing.T, records [][]byte) map[string]journal.Hash {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for from := 0; from < len(records); from += m.size {
		var data []byte
		for _, raw := range records[from:min(from+m.size, len(records))] {
			data = protowire.AppendBytes(data, raw)
		}
		_, err := j.Append(t.Context(), journal.Proposal{
			Decide: func(*journal.Tx, uint64) ([]byte, error) { return data, nil }})
		if err != nil {
			t.Fatal(err)
		}
	}
	tables, err := j.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func TestBatchesBookWhatSingleRecordsDo(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	records := make([][]byte, 600)
	for i := range records {
		rec := randomRecord(random)
		rec.Seq = uint64(i + 1)
		raw, err := proto.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		records[i] = raw
	}
	want := batches{1}.digest(t, records)
	for _, size := range []int{2, 15, 16, 17, 64, 600} {
		t.Run(fmt.Sprintf("%d records", size), func(t *testing.T) {
			if diff := cmp.Diff(want, batches{size}.digest(t, records)); diff != "" {
				t.Errorf("tables differ (-one by one +together):\n%s", diff)
			}
		})
	}
}

// randomRecord moves a few of many SKUs, some far more often than others.
func randomRecord(random *rand.Rand) *recordv1.Record {
	sku := func() uint32 { return 1 + random.Uint32N(1+random.Uint32N(200)) }
	n := 1 + random.Int64N(9)
	switch random.IntN(6) {
	case 4:
		return randomPromise(random)
	case 5:
		return randomRecovery(random)
	case 0:
		lines := make([]*recordv1.MovementLine, 1+random.IntN(4))
		for i := range lines {
			lines[i] = &recordv1.MovementLine{Sku: sku(), Units: n}
		}
		return &recordv1.Record{Body: &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{Lines: lines}}}
	case 1:
		return &recordv1.Record{Body: &recordv1.Record_Count{Count: &recordv1.Count{Sku: sku(), Delta: n - 5}}}
	}
	return &recordv1.Record{Body: &recordv1.Record_Sale{Sale: &recordv1.Sale{
		Mode:  recordv1.SaleMode_SALE_MODE_NORMAL,
		Lines: []*recordv1.SaleLine{{Sku: sku(), Units: 1}, {Sku: sku(), Units: n}}}}}
}

// randomPromise is a step of one of a few reservations, possible or not.
func randomPromise(random *rand.Rand) *recordv1.Record {
	id := make([]byte, 16)
	id[15] = byte(1 + random.IntN(20))
	sku := 1 + uint32(id[15])%7
	reserve := &recordv1.Reserve{Reservation: id, Timeline: 1 + random.Uint32N(2), Directive: uint64(id[15]),
		Lines: []*recordv1.ReservedLine{{Line: 1, Sku: sku, Units: 2}, {Line: 2, Sku: sku + 1, Units: 1}}}
	line := 1 + random.Uint32N(2)
	switch random.IntN(6) {
	case 0:
		return &recordv1.Record{Body: &recordv1.Record_Accept{Accept: &recordv1.Accept{Reserve: reserve}}}
	case 1:
		return &recordv1.Record{Body: &recordv1.Record_Pick{Pick: &recordv1.Pick{Reservation: id, Line: line, Units: 1}}}
	case 2:
		return &recordv1.Record{Body: &recordv1.Record_Collect{Collect: &recordv1.Collect{Reservation: id,
			Lines: []*recordv1.OutcomeLine{{Line: line, Units: 1}}}}}
	case 3:
		return &recordv1.Record{Body: &recordv1.Record_Release{Release: &recordv1.Release{Reservation: id}}}
	case 4:
		return &recordv1.Record{Body: &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{Reservation: id,
			Line: line, Units: 1, Reason: recordv1.ShortReason_SHORT_REASON_MISSING}}}
	}
	return &recordv1.Record{Body: &recordv1.Record_CollectByToken{CollectByToken: &recordv1.CollectByToken{
		Reserve: reserve, Lines: []*recordv1.OutcomeLine{{Line: 1, Units: 2}}}}}
}

// randomRecovery is what comes up when a store or its cloud was lost.
func randomRecovery(random *rand.Rand) *recordv1.Record {
	switch random.IntN(8) {
	case 0:
		return &recordv1.Record{Body: &recordv1.Record_TimelineChange{
			TimelineChange: &recordv1.TimelineChange{Timeline: 2 + random.Uint32N(3)}}}
	case 1:
		return &recordv1.Record{Body: &recordv1.Record_DrainLegacy{DrainLegacy: &recordv1.DrainLegacy{
			Timeline: 1 + random.Uint32N(3), Sku: 1 + random.Uint32N(9), Units: 1}}}
	case 2:
		return &recordv1.Record{Body: &recordv1.Record_Grant{Grant: &recordv1.Grant{
			Sku: 1 + random.Uint32N(9), Units: 2, GrantedTotal: 2 + random.Int64N(3)}}}
	}
	fact := randomRecord(random)
	fact.Epoch = &recordv1.Epoch{Timeline: 1, Counter: 1}
	raw, err := proto.Marshal(fact)
	if err != nil {
		panic(err)
	}
	return &recordv1.Record{Epoch: &recordv1.Epoch{Timeline: 1, Counter: 2},
		Body: &recordv1.Record_Salvage{Salvage: &recordv1.Salvage{Fact: raw}}}
}

func TestCheckpointMakesTheSameRowsAgain(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	m := batches{1}
	whole, err := journal.Open(t.Context(), journal.Options{Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	for range 3000 {
		rec := randomRecord(random)
		appendTo(t, whole, rec)
	}
	var parts []*recordv1.Checkpoint
	err = whole.View(t.Context(), func(tx *journal.Tx) (err error) {
		parts, err = books.Checkpoint(tx, 1)
		return err
	})
	if err != nil || len(parts) < 4 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	again, err := journal.Open(t.Context(), journal.Options{Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, p := range parts {
		rec := &recordv1.Record{Body: &recordv1.Record_Checkpoint{Checkpoint: p}}
		appendTo(t, again, rec)
		appendTo(t, again, rec) // what is there stays
	}
	want, err := whole.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables differ (-first +from the checkpoint):\n%s", diff)
	}
}

func appendTo(t *testing.T, j *journal.Journal, rec *recordv1.Record) {
	t.Helper()
	_, err := j.Append(t.Context(), journal.Proposal{Decide: func(_ *journal.Tx, seq uint64) ([]byte, error) {
		rec.Seq, rec.Hlc = seq, (1000+seq)<<16
		raw, err := proto.Marshal(rec)
		return protowire.AppendBytes(nil, raw), err
	}})
	if err != nil {
		t.Fatal(err)
	}
}
