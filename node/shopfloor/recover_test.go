package shopfloor_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// busy is a store in which something of everything has happened.
func busy(t *testing.T) *store {
	s := open(t)
	s.receive(20)
	s.grant(10)
	s.accept("AAAAAAAA", 2)
	r := s.accept("BBBBBBBB", 1)
	if _, err := s.Pick(t.Context(), shopfloor.Cause{ID: s.id()}, [16]byte(r.Reservation), bread, 1); err != nil {
		t.Fatal(err)
	}
	s.scan("counter", s.token(s.reserve("CCCCCCCC", 2)))
	s.scan("till1", "9521234500001")
	return s
}

// raws returns the stored records after a number.
func (s *store) raws(after uint64) (prev journal.Position, raws [][]byte) {
	prev, err := s.j.At(s.t.Context(), after)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := s.Entries(s.t.Context(), after+1, 1000, 1<<20)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range all {
		raws = append(raws, e.Data)
	}
	return prev, raws
}

// books returns the hashes of the tables, without those that only one box has.
func (s *store) books() map[string]journal.Hash {
	d, err := s.j.Digest(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	delete(d, "setting") // a box that was told no policy keeps none
	return d
}

func TestFastForwardGivesALostPartBack(t *testing.T) {
	s := busy(t)
	behind := open(t)
	prev, all := s.raws(behind.Head().Seq)
	if err := behind.FastForward(t.Context(), prev, all[:3]); err != nil {
		t.Fatal(err)
	}
	if err := behind.FastForward(t.Context(), prev, all); err == nil {
		t.Error("records that do not follow were taken")
	}
	prev, rest := s.raws(behind.Head().Seq)
	if err := behind.FastForward(t.Context(), prev, rest); err != nil {
		t.Fatal(err)
	}
	if behind.Head() != s.Head() {
		t.Errorf("head %v, want %v", behind.Head(), s.Head())
	}
	if diff := cmp.Diff(s.books(), behind.books()); diff != "" {
		t.Error(diff)
	}
	if err := behind.Recovered(t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		t.Fatal(err)
	}
	h, err := behind.Hello(t.Context())
	if err != nil || h.GetEpoch().GetCounter() != 2 || h.GetMode() != recordv1.NodeMode_NODE_MODE_SUSPECT {
		t.Errorf("hello after it: %v %v", h, err)
	}
}

// rebuild makes a new box from what the cloud would have of this store.
func (s *store) rebuild(path string) *store {
	s.t.Helper()
	parts := []*recordv1.Checkpoint(nil)
	err := s.j.View(s.t.Context(), func(tx *journal.Tx) (err error) {
		parts, err = books.Checkpoint(tx, 7)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	last := parts[len(parts)-1]
	last.Keys, last.Policy = s.Keys(), s.Policy()
	n := &store{t: s.t, now: s.now, ids: 1000 + s.ids, dseq: s.dseq, hash: s.hash, key: s.key, path: path}
	n.Floor = shopfloor.New(n.options())
	j, err := journal.Open(s.t.Context(), journal.Options{Path: path, Machine: n.Machine()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { j.Close() })
	prev, raws := s.raws(0)
	if err := n.Seed(s.t.Context(), j, prev, raws); err != nil {
		s.t.Fatal(err)
	}
	if err := n.Open(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
	n.j = j
	if err := n.Restore(s.t.Context(), s.Head(), parts); err != nil {
		s.t.Fatal(err)
	}
	if err := n.Recovered(s.t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestRebuiltBoxHasTheSameBooksAndProvesThem(t *testing.T) {
	s := busy(t)
	n := s.rebuild("")
	if diff := cmp.Diff(s.books(), n.books()); diff != "" {
		t.Error(diff)
	}
	report, err := n.j.Verify(t.Context(), nil)
	if err != nil || !report.OK() {
		t.Errorf("verify: %+v %v", report, err)
	}
	old := s.reserve("DDDDDDDD", 1)
	old.Directive = 1
	if code(n.scan("counter", s.token(old))) != stock.AlreadyFinished {
		t.Error("a code of a directive that was applied long ago was honoured")
	}
}

func TestRebuiltBoxAnswersWhatWasAskedBefore(t *testing.T) {
	s := open(t)
	s.receive(5)
	sale := shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()}, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 2}}}
	first, err := s.Sell(t.Context(), sale)
	if err != nil {
		t.Fatal(err)
	}
	n := s.rebuild("")
	again, err := n.Sell(t.Context(), sale)
	if err != nil || !again.Repeated || again.Seq != first.Seq {
		t.Errorf("again: %+v %v", again, err)
	}
	n.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 3, ledger.Sold: 2})
}

// salvage directs an old record to the store.
func (s *store) salvage(raw []byte) {
	s.t.Helper()
	err := s.direct(&recordv1.Directive{Critical: true, Body: &recordv1.Directive_SalvageFacts{
		SalvageFacts: &recordv1.SalvageFacts{Records: [][]byte{raw}}}})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestFactsOfALostTailAreBookedOnce(t *testing.T) {
	s := open(t)
	s.receive(9)
	s.grant(4)
	r := s.accept("AAAAAAAA", 2)
	n := s.rebuild("")
	sale := shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()}, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 3}}}
	lost := s.Head().Seq
	if _, err := s.Sell(t.Context(), sale); err != nil { // on the old box, which then died
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error {
			_, err := s.Pick(t.Context(), shopfloor.Cause{ID: s.id()}, [16]byte(r.Reservation), bread, 0)
			return err
		},
		func() error {
			_, err := s.Collect(t.Context(), shopfloor.Cause{ID: s.id()}, s.token(r))
			return err
		},
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	_, tail := s.raws(lost)
	for range 2 {
		for _, raw := range tail {
			n.salvage(raw)
		}
	}
	n.want("salvaged", map[ledger.Account]stock.Units{ledger.Sellable: 2, ledger.Sold: 3, ledger.Collected: 2,
		ledger.Reserved: 0, ledger.Missing: 0})
	again, err := n.Sell(t.Context(), sale)
	if err != nil || !again.Repeated {
		t.Errorf("the till sends the sale again: %+v %v", again, err)
	}
	if code(n.scan("counter", s.token(r))) != stock.AlreadyCollected {
		t.Error("the order was handed over twice")
	}
}

// Two disks that have the same facts may be read at once: the cloud then tells
// all of them in one go.
func TestFactsThatTwoDisksTellAreBookedOnce(t *testing.T) {
	const sales = 6
	s := open(t)
	s.receive(9)
	n := s.rebuild("")
	lost := s.Head().Seq
	for range sales {
		if _, err := s.Sell(t.Context(), shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()},
			Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}}); err != nil {
			t.Fatal(err)
		}
	}
	_, tail := s.raws(lost)
	var orders [][]byte
	for i := range 2 * sales {
		fact := tail[i/2]
		raw, err := proto.Marshal(&recordv1.Directive{Seq: n.dseq + uint64(len(orders)) + 1, Timeline: 1,
			Critical: true, Body: &recordv1.Directive_SalvageFacts{
				SalvageFacts: &recordv1.SalvageFacts{Records: [][]byte{fact}}}})
		if err != nil {
			t.Fatal(err)
		}
		orders = append(orders, raw)
	}
	applied, err := n.ApplyDirectives(t.Context(), n.dseq+1, n.hash[:], orders)
	if err != nil || applied != n.dseq+2*sales {
		t.Errorf("applied up to %d, want %d: %v", applied, n.dseq+2*sales, err)
	}
	n.want("salvaged", map[ledger.Account]stock.Units{ledger.Sellable: 9 - sales, ledger.Sold: sales})
}

func TestWhatPeopleWereToldIsNotUndoneByAnOldDisk(t *testing.T) {
	s := open(t)
	s.receive(3)
	s.grant(1)
	n := s.rebuild("")
	sale := shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()}, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 2}}}
	lost := s.Head().Seq
	if _, err := s.Sell(t.Context(), sale); err != nil { // nobody heard of it, and the box died
		t.Fatal(err)
	}
	_, tail := s.raws(lost)
	_, err := n.Sell(t.Context(), shopfloor.Sell{Cause: shopfloor.Cause{ID: n.id(), Actor: "another"},
		Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Sell(t.Context(), sale); !stock.Refused(err, stock.PromisedOnline) {
		t.Fatalf("the test proves nothing: the sale comes to %v", err)
	}
	n.salvage(tail[0])
	n.want("after the old disk was read", map[ledger.Account]stock.Units{ledger.Sold: 1})
	_, last := n.raws(n.Head().Seq - 1)
	var rec recordv1.Record
	if err := proto.Unmarshal(last[0], &rec); err != nil || rec.GetUnclassified() == nil {
		t.Errorf("nobody is asked to look: %v %v", &rec, err)
	}
}

func TestRefusalsAreForgottenWithTheFactsThatTheyAreAbout(t *testing.T) {
	s := open(t)
	s.receive(1)
	s.grant(1)
	n := s.rebuild("")
	refuse := func() {
		t.Helper()
		if _, err := n.Sell(t.Context(), sellLines(n, &recordv1.SaleLine{Sku: 1, Units: 1})); err == nil {
			t.Fatal("the test proves nothing: the sale is taken")
		}
	}
	kept := func() (count int) {
		t.Helper()
		err := n.j.View(t.Context(), func(tx *journal.Tx) error {
			return tx.QueryRow(`SELECT count(*) FROM local_setting WHERE name LIKE 'refused:%'`).Scan(&count)
		})
		if err != nil {
			t.Fatal(err)
		}
		return count
	}
	refuse()
	n.now += 24 * 3600_000
	refuse()
	if kept() != 2 {
		t.Fatalf("%d refusals are kept, want 2", kept())
	}
	n.now += 365 * 24 * 3600_000
	refuse()
	if kept() != 1 {
		t.Errorf("%d refusals are kept a year later, want the newest", kept())
	}
}

func TestSaleThatACountHasMissedAlreadyDoesNotChangeTheShelf(t *testing.T) {
	s := open(t)
	s.receive(9)
	n := s.rebuild("")
	lost := s.Head().Seq
	if _, err := s.Sell(t.Context(), shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()},
		Lines: []*recordv1.SaleLine{{Sku: 1, Units: 3}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Count(t.Context(), shopfloor.Cause{ID: n.id()}, bread, 6, ""); err != nil {
		t.Fatal(err)
	}
	_, tail := s.raws(lost)
	n.salvage(tail[0])
	n.want("salvaged", map[ledger.Account]stock.Units{ledger.Sellable: 6, ledger.Sold: 3})
	resent := stock.Epoch{Timeline: 1, Counter: 1}
	if _, err := n.Sell(t.Context(), shopfloor.Sell{Cause: shopfloor.Cause{ID: n.id(), Resent: &resent},
		Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}}); err != nil {
		t.Fatal(err)
	}
	n.want("sent again", map[ledger.Account]stock.Units{ledger.Sellable: 6, ledger.Sold: 4})
}

// The box that is told may be older than the one that sold: were it lost in turn,
// the sale must not look older than a count which came before it.
func TestSaleOfALaterEpochKeepsItsTime(t *testing.T) {
	s := open(t)
	s.receive(9)
	s.grant(1)
	sold := stock.Epoch{Timeline: 1, Counter: s.Epoch().Counter + 1}
	head := s.Head().Seq
	w, err := s.Sell(t.Context(), shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id(), Resent: &sold},
		Lines: []*recordv1.SaleLine{{Sku: 1, Units: 2}}})
	if err != nil || len(w.Record.GetSale().GetLines()) != 1 {
		t.Fatalf("the till is answered %v, %v", w.Record, err)
	}
	_, tail := s.raws(head)
	var rec recordv1.Record
	if err := proto.Unmarshal(tail[0], &rec); err != nil {
		t.Fatal(err)
	}
	if e := rec.GetSalvage().GetOldEpoch(); e.GetTimeline() != 1 || e.GetCounter() != sold.Counter {
		t.Errorf("the sale was made in %s, it is recorded as of %v", sold, e)
	}
	s.want("sent again", map[ledger.Account]stock.Units{ledger.Sellable: 6, ledger.Sold: 2})
}

func TestTillThatHasSeenMoreMakesTheStoreDoubtItself(t *testing.T) {
	s := busy(t)
	now := s.Seen()
	at3, err := s.j.At(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		seen   shopfloor.Seen
		resend bool
		doubt  bool
	}{
		{"nothing", shopfloor.Seen{}, false, false},
		{"the same", now, false, false},
		{"an older head", shopfloor.Seen{Epoch: now.Epoch, Seq: 3, Hash: at3.Hash}, false, false},
		{"an earlier epoch", shopfloor.Seen{Epoch: stock.Epoch{Timeline: 1}, Seq: 900}, true, false},
		{"a newer head", shopfloor.Seen{Epoch: now.Epoch, Seq: now.Seq + 1, Hash: now.Hash}, true, true},
		{"another record", shopfloor.Seen{Epoch: now.Epoch, Seq: 3, Hash: now.Hash}, true, true},
		{"a later epoch", shopfloor.Seen{Epoch: stock.Epoch{Timeline: 1, Counter: 9}, Seq: 3}, true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := busy(t)
			resend, err := s.Witness(t.Context(), test.seen)
			if resend != test.resend || stock.Refused(err, stock.RolledBack) != test.doubt {
				t.Errorf("resend %v, %v", resend, err)
			}
			if doubt := s.Mode() == recordv1.NodeMode_NODE_MODE_SAFE; doubt != test.doubt {
				t.Errorf("doubts itself: %v, want %v", doubt, test.doubt)
			}
		})
	}
}

func TestDoubtSurvivesARestart(t *testing.T) {
	s := open(t)
	s.path = t.TempDir() + "/store.db"
	s.j = nil
	s.dseq, s.hash = 0, journal.Hash{}
	s.start()
	if _, err := s.Witness(t.Context(), shopfloor.Seen{Epoch: stock.Epoch{Timeline: 1, Counter: 9}}); err == nil {
		t.Fatal("no doubt")
	}
	before, err := s.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	after, err := s.Hello(t.Context())
	if err != nil || after.GetMode() != recordv1.NodeMode_NODE_MODE_SAFE {
		t.Errorf("after a restart: %v %v", after.GetMode(), err)
	}
	if after.GetBootCount() != before.GetBootCount()+1 || slices.Equal(after.GetBootId(), before.GetBootId()) {
		t.Errorf("start %d %x after start %d %x", after.GetBootCount(), after.GetBootId(),
			before.GetBootCount(), before.GetBootId())
	}
}

func TestRestoredCloudFindsOldPromisesBacked(t *testing.T) {
	s := open(t)
	s.receive(10)
	s.grant(6)
	known := s.accept("BBBBBBBB", 1)
	unheard := s.reserve("AAAAAAAA", 2) // promised, and the cloud has forgotten it
	if err := s.BeginTimeline(t.Context(), 2, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.BeginTimeline(t.Context(), 2, 0); err != nil {
		t.Fatal(err)
	}
	s.want("set aside", map[ledger.Account]stock.Units{ledger.Sellable: 4, ledger.Online: 5, ledger.Reserved: 1})
	if a := s.account(bread); a.Rights.Timeline != 2 || a.Rights.Granted != 0 {
		t.Errorf("rights of the new timeline: %+v", a.Rights)
	}
	if got := s.scan("counter", s.token(unheard)); got.Refusal != nil {
		t.Errorf("a forgotten promise: %v", got.Refusal)
	}
	s.dseq, s.hash = 0, journal.Hash{}
	for _, r := range []*recordv1.Reserve{known, unheard} { // ordered again, as far as known
		if err := s.directIn(2, &recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: r}}); err != nil {
			t.Fatal(err)
		}
	}
	s.want("ordered again", map[ledger.Account]stock.Units{ledger.Online: 3, ledger.Collected: 2, ledger.Reserved: 1})
	if n, err := s.DrainLegacy(t.Context(), shopfloor.Cause{}, true); err != nil || n != 1 {
		t.Errorf("drained %d %v", n, err)
	}
	s.want("reconciled", map[ledger.Account]stock.Units{ledger.Sellable: 7, ledger.Online: 0})
}

func TestVoidedDirectiveIsConsumedWithItsAccounting(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(3)
	unknown := marshal(t, &recordv1.Directive{Seq: s.dseq + 1, Timeline: 1, Critical: true})
	id := s.id()
	void := marshal(t, &recordv1.Directive{Seq: s.dseq + 2, Timeline: 1, Critical: true,
		Body: &recordv1.Directive_Void{Void: &recordv1.Void{Directive: s.dseq + 1, Timeline: 1, Reservation: id[:],
			Lines: []*recordv1.ReservedLine{{Line: 1, Sku: 1, Units: 2}}}}})
	n, err := s.ApplyDirectives(t.Context(), s.dseq+1, nil, [][]byte{unknown})
	if n != s.dseq || !stock.Refused(err, stock.FeatureRefused) {
		t.Fatalf("an unknown order: %d %v", n, err)
	}
	if n, err = s.ApplyDirectives(t.Context(), s.dseq+2, nil, [][]byte{void}); n != s.dseq+2 || err != nil {
		t.Fatalf("taken back: %d %v", n, err)
	}
	s.want("taken back", map[ledger.Account]stock.Units{ledger.Sellable: 4, ledger.Online: 1, ledger.Reserved: 0})
	if a := s.account(bread); a.Rights.Assigned != 2 {
		t.Errorf("assigned %d", a.Rights.Assigned)
	}
}

func marshal(t *testing.T, d *recordv1.Directive) []byte {
	t.Helper()
	raw, err := proto.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
