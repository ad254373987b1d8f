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

func (batches) Migrations() []string { return []string{books.Migration()} }

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
	switch random.IntN(4) {
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
