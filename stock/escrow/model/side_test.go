package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	real "holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

const (
	theStore stock.StoreID = 1
	theSKU   stock.SKU     = 1
)

// side is the product's own books, of a store or of its mirror, in a journal in
// memory.
type side struct {
	t     *testing.T
	rules real.Rules
	j     *journal.Journal
	noted []real.Anomaly
}

func openStrict(t *testing.T) *side { return openSide(t, real.Strict) }
func openTotal(t *testing.T) *side  { return openSide(t, real.Total) }

func openSide(t *testing.T, rules real.Rules) *side {
	t.Helper()
	s := &side{t: t, rules: rules}
	j, err := journal.Open(t.Context(), journal.Options{Machine: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	s.j = j
	return s
}

func (s *side) Migrations() []string { return []string{real.Migration(), real.RecoveryMigration()} }

func (s *side) Apply(tx *journal.Tx, _ uint64, data []byte) ([]byte, error) {
	var rec recordv1.Record
	if err := proto.Unmarshal(data, &rec); err != nil {
		return nil, err
	}
	b := real.Open(tx, theStore)
	if err := b.Apply(&rec, s.rules); err != nil {
		return nil, err
	}
	s.noted = append(s.noted, b.Anomalies()...)
	return nil, b.Save()
}

// open books the units that a walk begins with.
func (s *side) open(b books) {
	x := record{kind: receipt, n: b.at[sellable]}
	if why := s.book(x, nil, wire(x, nil, &books{})); why != "" {
		s.t.Fatal(why)
	}
}

// repeated is why a record with a known id is not booked again.
const repeated = "booked before"

// book appends a record and says why it was refused, if it was. Sales and
// hand-overs carry ids, so that the journal takes each once; salvaged ones keep
// theirs.
func (s *side) book(x record, lost []record, rec *recordv1.Record) string {
	s.t.Helper()
	p := journal.Proposal{Decide: func(_ *journal.Tx, seq uint64) ([]byte, error) {
		rec.Seq = seq
		return proto.Marshal(rec)
	}}
	cause := x
	if x.kind == salvage {
		cause = lost[0]
	}
	switch cause.kind {
	case sale:
		p.UID = [16]byte{1, byte(cause.uid)}
	case collect, collectByToken:
		p.UID = [16]byte{3, byte(cause.uid)}
	}
	s.noted = nil
	out, err := s.j.Append(s.t.Context(), p)
	refusal, refused := stock.AsRefusal(err)
	switch {
	case refused:
		return refusal.Error()
	case err != nil:
		s.t.Fatal(err)
	case out.Repeated:
		return repeated
	case x.kind == accept: // the mirror may note what online does not cover
	case s.rules == real.Total && len(s.noted) > 0:
		s.t.Fatalf("%s: the mirror notes %v", x.kind, s.noted)
	}
	return ""
}

// holdings is what both can say of one SKU.
type holdings struct {
	Accounts map[string]int64
	Rights   [3]int64
	Legacy   int64 // rights of the timeline before
	Promises map[int]line
}

type line struct {
	Heard bool
	At    [numParts]int64
}

func (s *side) mustAgree(x record, lost []record, b *books) {
	s.t.Helper()
	if diff := cmp.Diff(b.holdings(), s.holdings()); diff != "" {
		s.t.Fatalf("after %s %+v %+v the books differ (-model +books):\n%s", x.kind, x, lost, diff)
	}
}

// accounts of the ledger, by the model's places.
var accounts = map[ledger.Account]place{ledger.Sellable: sellable, ledger.ToShelve: shelving,
	ledger.Damaged: damaged, ledger.Supplier: supplier, ledger.Sold: sold,
	ledger.Collected: collectedOut, ledger.Returned: returnedIn, ledger.Missing: missing,
	ledger.Found: found, ledger.Writeoff: thrown}

// parts of the ledger and of a reservation, by the model's.
var parts = map[part]struct {
	account ledger.Account
	part    reservation.Part
}{
	reserved: {ledger.Reserved, reservation.Reserved}, picked: {ledger.Picked, reservation.Picked},
	staged: {ledger.Staged, reservation.Staged}, collected: {0, reservation.Collected},
	released: {0, reservation.Released}, short: {0, reservation.Short},
}

func (b *books) holdings() holdings {
	h := holdings{Accounts: map[string]int64{}, Promises: map[int]line{}}
	for a, p := range accounts {
		h.Accounts[a.String()] = int64(b.at[p])
	}
	t := b.timeline
	h.Accounts[ledger.Online.String()] = int64(b.rightsOfCloud())
	if t > 0 {
		h.Legacy = int64(b.online[0])
	}
	h.Rights = [3]int64{int64(b.granted[t]), int64(b.returned[t]), int64(b.assigned[t])}
	for r := range b.promises {
		p := &b.promises[r]
		for at, name := range parts {
			if name.account != 0 {
				h.Accounts[name.account.String()] += int64(p.at[at])
			}
		}
		if p.known {
			l := line{Heard: p.heard}
			for at, n := range p.at {
				l.At[at] = int64(n)
			}
			h.Promises[r] = l
		}
	}
	return h
}

func (s *side) holdings() holdings {
	h := holdings{Accounts: map[string]int64{}, Promises: map[int]line{}}
	err := s.j.View(s.t.Context(), func(tx *journal.Tx) error {
		b := real.Open(tx, theStore)
		a, err := b.Account(theSKU)
		if err != nil {
			return err
		}
		for acct := ledger.Sellable; acct <= ledger.Writeoff; acct++ {
			n := int64(a.Balances[acct])
			if _, known := accounts[acct]; known || acct <= ledger.Staged {
				h.Accounts[acct.String()] = n
			} else if n != 0 {
				s.t.Errorf("%d units on %s", n, acct)
			}
		}
		h.Rights = [3]int64{int64(a.Rights.Granted), int64(a.Rights.Returned), int64(a.Rights.Assigned)}
		if a.Rights.Timeline > 1 {
			legacy, err := b.Rights(1, theSKU)
			if err != nil {
				return err
			}
			h.Legacy = int64(legacy.Online())
		}
		for r := range quantities {
			p, known, err := b.Reservation(reservationID(int8(r)))
			if err != nil {
				return err
			}
			if known {
				h.Promises[r] = lineOf(p)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

func lineOf(p *real.Reservation) (l line) {
	l.Heard = p.Accepted
	for at, name := range parts {
		l.At[at] = int64(p.Lines[0].At(name.part))
	}
	return l
}

func reservationID(r int8) [16]byte { return [16]byte{2, byte(r)} }
