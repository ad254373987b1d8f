package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const startMS = 1_700_000_000_000

func open(t testing.TB, dir string) *engine.Engine {
	t.Helper()
	l, err := engine.Open(t.Context(), engine.Options{Dir: dir,
		Now: func() time.Time { return time.UnixMilli(startMS) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func propose(t testing.TB, l *engine.Engine, c *recordv1.Command) *recordv1.Result {
	t.Helper()
	r, err := l.Propose(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func putStore(id uint32, name string) *recordv1.Command {
	return &recordv1.Command{Body: &recordv1.Command_PutStore{PutStore: &recordv1.PutStore{
		Store: &recordv1.StoreInfo{Store: id, Name: name}}}}
}

func expireHolds() *recordv1.Command {
	return &recordv1.Command{Body: &recordv1.Command_ExpireHolds{ExpireHolds: &recordv1.ExpireHolds{}}}
}

func reserve(n int, units int64) *recordv1.Command {
	return &recordv1.Command{Request: id("q", n), Body: &recordv1.Command_ReserveNow{
		ReserveNow: &recordv1.ReserveNow{Store: 1, Reservation: id("r", n),
			Lines: []*recordv1.WantedLine{{Sku: 1, Units: units}}}}}
}

func id(kind string, n int) []byte {
	b := make([]byte, 16)
	copy(b, fmt.Sprintf("%s%015d", kind, n))
	return b
}

// shop makes store 1 with a session and one product.
func shop(t testing.TB, l *engine.Engine) {
	t.Helper()
	hash := make([]byte, 32)
	propose(t, l, putStore(1, "Nord"))
	propose(t, l,
		&recordv1.Command{Body: &recordv1.Command_ImportProducts{ImportProducts: &recordv1.ImportProducts{
			Products: []*recordv1.Product{{Gtin: "04006381333931", Name: "Pencil", Unit: "each"}}}}})
	propose(t, l, &recordv1.Command{Body: &recordv1.Command_IssueJoin{IssueJoin: &recordv1.IssueJoin{
		Store: 1, SecretHash: hash, ExpiresAt: startMS + 60_000}}})
	propose(t, l, &recordv1.Command{Body: &recordv1.Command_Enrol{Enrol: &recordv1.Enrol{
		Store: 1, SecretHash: hash, NodeId: id("n", 1), CsrHash: hash}}})
	propose(t, l,
		&recordv1.Command{Body: &recordv1.Command_OpenSession{OpenSession: &recordv1.OpenSession{
			Hello: &recordv1.Hello{CapVersion: 1, Store: 1, NodeId: id("n", 1), Timeline: 1,
				Epoch: &recordv1.Epoch{Timeline: 1, Counter: 1}}}}})
}

// feed is a node's journal on its way.
type feed struct {
	seq  uint64
	hash journal.Hash
}

func (f *feed) batch(t testing.TB, records ...*recordv1.Record) *recordv1.Command {
	b := &recordv1.ApplyBatch{Store: 1, Session: 1, From: f.seq + 1, PrevHash: append([]byte{},
		f.hash[:]...)}
	for _, r := range records {
		f.seq++
		r.Seq = f.seq
		data, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		f.hash = journal.Chain(f.hash, f.seq, data)
		b.Records = append(b.Records, data)
	}
	return &recordv1.Command{Body: &recordv1.Command_ApplyBatch{ApplyBatch: b}}
}

func receipt(sku uint32, units int64) *recordv1.Record {
	return &recordv1.Record{Body: &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{
		Lines: []*recordv1.MovementLine{{Sku: sku, Units: units}}}}}
}

func grant(sku uint32, units, total int64) *recordv1.Record {
	return &recordv1.Record{Body: &recordv1.Record_Grant{Grant: &recordv1.Grant{
		Sku: sku, Units: units, GrantedTotal: total}}}
}

func sale(sku uint32) *recordv1.Record {
	return &recordv1.Record{Uid: id("s", int(sku)), Actor: "till 1", Hlc: startMS << 16,
		Body: &recordv1.Record_Sale{Sale: &recordv1.Sale{Till: "1",
			Mode:     recordv1.SaleMode_SALE_MODE_NORMAL,
			Currency: "EUR", Lines: []*recordv1.SaleLine{{Sku: sku, Units: 1, PriceMinor: 199,
				TotalMinor: 199}}}}}
}

func TestWhatWasPromisedSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	l, f := open(t, dir), &feed{}
	shop(t, l)
	propose(t, l, f.batch(t, receipt(1, 10), grant(1, 5, 5)))
	before := propose(t, l, reserve(1, 2))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	if again := propose(t, l, reserve(1, 2)); !proto.Equal(before, again) {
		t.Errorf("after the restart: %v, before: %v", again, before)
	}
	if _, err := l.Propose(t.Context(), reserve(2, 4)); !stock.Refused(err, stock.Short) {
		t.Errorf("got %v, want a refusal: three units are left", err)
	}
	propose(t, l, reserve(3, 3))
}

func TestTheLastUnitIsPromisedOnce(t *testing.T) {
	l, f := open(t, t.TempDir()), &feed{}
	shop(t, l)
	propose(t, l, f.batch(t, receipt(1, 10), grant(1, 5, 5)))
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for n := range 40 {
		wg.Go(func() {
			_, err := l.Propose(t.Context(), reserve(n, 1))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !stock.Refused(err, stock.Short):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 5 {
		t.Errorf("%d promises of 5 units", won)
	}
}

// settle waits until everything that was proposed has rung.
func settle(t *testing.T, l *engine.Engine) {
	t.Helper()
	bell := l.Watch(9)
	propose(t, l, putStore(9, "Probe"))
	<-bell
}

func TestAWatchIsRungByItsStoreOnly(t *testing.T) {
	l := open(t, t.TempDir())
	propose(t, l, putStore(1, "Nord"))
	propose(t, l, putStore(2, "Syd"))
	settle(t, l)
	first, second, everyone := l.Watch(1), l.Watch(2), l.Watch(headoffice.AllStores)
	if l.Watch(1) != first {
		t.Error("two waiters of a store do not share a bell")
	}
	propose(t, l, &recordv1.Command{Body: &recordv1.Command_Fence{Fence: &recordv1.Fence{Store: 1}}})
	<-first
	select {
	case <-second:
		t.Error("store 2 was rung for store 1")
	case <-everyone:
		t.Error("everyone was rung for store 1")
	default:
	}
	propose(t, l, putStore(2, "Syd 2"))
	<-second
	<-everyone
	if l.Watch(1) == first {
		t.Error("a rung bell was handed out again")
	}
}

func TestWhatChangesNothingIsNotRecorded(t *testing.T) {
	l, f := open(t, ""), &feed{}
	shop(t, l)
	batch := f.batch(t, receipt(1, 10), grant(1, 5, 5))
	propose(t, l, batch)
	head := l.Journal().Head()
	for name, c := range map[string]*recordv1.Command{
		"duplicates": batch, "holds": expireHolds(),
		"data": {Body: &recordv1.Command_ExpireData{ExpireData: &recordv1.ExpireData{}}},
		"quota": {Body: &recordv1.Command_ReturnQuota{ReturnQuota: &recordv1.ReturnQuota{Store: 1,
			Sku: 1, Timeline: 1}}},
		"ack": {Body: &recordv1.Command_AckDirectives{AckDirectives: &recordv1.AckDirectives{Store: 1, Session: 1}}},
	} {
		if r := propose(t, l, c); r == nil {
			t.Errorf("%s: no result", name)
		}
		if l.Journal().Head() != head {
			t.Fatalf("%s were recorded", name)
		}
	}
}

func TestTheLogCanBeAppliedAgain(t *testing.T) {
	l, f := open(t, t.TempDir()), &feed{}
	shop(t, l)
	propose(t, l, f.batch(t, receipt(1, 10), grant(1, 5, 5)))
	propose(t, l, reserve(1, 2))
	settle(t, l)
	bell := l.Watch(1)
	report, err := l.Journal().Verify(t.Context(), nil)
	if err != nil || !report.OK() {
		t.Fatalf("%v %v", err, report.Mismatches)
	}
	select {
	case <-bell:
		t.Error("applying again rang a bell")
	default:
	}
	propose(t, l, reserve(2, 1))
	<-bell
}

// BenchmarkApplyBatch books one-line sales: "spread" sells another product with
// every record, "usual" sells few products often.
func BenchmarkApplyBatch(b *testing.B) {
	const products = 2000
	spread := func(n int) uint32 { return uint32(1 + n%products) }
	popular := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 8, products-1)
	usual := func(int) uint32 { return uint32(1 + popular.Uint64()) }
	for _, size := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprintf("spread/%d", size), func(b *testing.B) { benchmarkBatch(b, size, spread) })
		b.Run(fmt.Sprintf("usual/%d", size), func(b *testing.B) { benchmarkBatch(b, size, usual) })
	}
}

func benchmarkBatch(b *testing.B, size int, sku func(n int) uint32) {
	l, f := open(b, b.TempDir()), &feed{}
	shop(b, l)
	n := 0
	stocked := make([]*recordv1.Record, 2000)
	for i := range stocked {
		stocked[i] = receipt(uint32(i+1), 1_000_000_000)
	}
	propose(b, l, f.batch(b, stocked...))
	for b.Loop() {
		b.StopTimer()
		records := make([]*recordv1.Record, size)
		for i := range records {
			records[i] = sale(sku(n))
			n++
		}
		c := f.batch(b, records...)
		b.StartTimer()
		propose(b, l, c)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkReserveNow promises one unit, alone and with company.
func BenchmarkReserveNow(b *testing.B) {
	setup := func(b *testing.B) *engine.Engine {
		l, f := open(b, b.TempDir()), &feed{}
		shop(b, l)
		propose(b, l, f.batch(b, receipt(1, 1_000_000_000), grant(1, 900_000_000, 900_000_000)))
		return l
	}
	b.Run("alone", func(b *testing.B) {
		l, n := setup(b), 0
		for b.Loop() {
			n++
			propose(b, l, reserve(n, 1))
		}
	})
	b.Run("64", func(b *testing.B) {
		l := setup(b)
		var mu sync.Mutex
		n := 0
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				mu.Lock()
				n++
				mine := n
				mu.Unlock()
				propose(b, l, reserve(mine, 1))
			}
		})
	})
}

func TestAFullDiskRefusesNewPromisesAlone(t *testing.T) {
	var scarce atomic.Bool
	l, err := engine.Open(t.Context(), engine.Options{Dir: t.TempDir(), Scarce: scarce.Load,
		Now: func() time.Time { return time.UnixMilli(startMS) }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := new(feed)
	shop(t, l)
	propose(t, l, f.batch(t, receipt(1, 10), grant(1, 5, 5)))
	before := propose(t, l, reserve(1, 2))
	held := propose(t, l, holdOne(1))
	scarce.Store(true)
	for name, c := range map[string]*recordv1.Command{"reservation": reserve(2, 1), "hold": holdOne(2)} {
		if _, err := l.Propose(t.Context(), c); !stock.Refused(err, stock.NoRoom) {
			t.Errorf("a %s on a full disk: %v", name, err)
		}
	}
	if again := propose(t, l, reserve(1, 2)); !proto.Equal(before, again) {
		t.Errorf("a promise of before is answered %v, it was %v", again, before)
	}
	propose(t, l, f.batch(t, sale(1)))
	propose(t, l, &recordv1.Command{Request: id("c", 1), Body: &recordv1.Command_RequestCancel{
		RequestCancel: &recordv1.RequestCancel{Reservation: id("r", 1)}}})
	propose(t, l, &recordv1.Command{Request: id("x", 1), Body: &recordv1.Command_ReleaseHold{
		ReleaseHold: &recordv1.ReleaseHold{Store: 1, Hold: held.GetHold().GetHold()}}})
	scarce.Store(false)
	propose(t, l, reserve(2, 1))
}

func holdOne(n int) *recordv1.Command {
	return &recordv1.Command{Request: id("h", n), Body: &recordv1.Command_Hold{Hold: &recordv1.Hold{
		Store: 1, Hold: id("h", n), Lines: []*recordv1.WantedLine{{Sku: 1, Units: 1}}}}}
}
