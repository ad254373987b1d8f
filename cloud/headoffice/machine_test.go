package headoffice_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// TestAnyOrderOfCommandsKeepsTheInvariants throws commands of every kind, most
// of them wrong, at a cloud, applies its log again, and runs the same commands
// on a second cloud.
func TestAnyOrderOfCommandsKeepsTheInvariants(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			first, second := newChaos(t, seed), newChaos(t, seed)
			for _, c := range []*chaos{first, second} {
				for range 1500 {
					c.step()
				}
				c.check()
			}
			report, err := first.log.Journal().Verify(t.Context(), nil)
			if err != nil || !report.OK() {
				t.Fatalf("applied again: %v %v", err, report.Mismatches)
			}
			if first.confirmed < 50 || first.collected < 10 || first.refusals < 100 {
				t.Errorf("too tame: %d confirmed, %d collected, %d refused",
					first.confirmed, first.collected, first.refusals)
			}
			if diff := cmp.Diff(digest(t, first.log), digest(t, second.log)); diff != "" {
				t.Errorf("the same commands gave other tables:\n%s", diff)
			}
		})
	}
}

func digest(t *testing.T, l *engine.Engine) map[string]journal.Hash {
	t.Helper()
	d, err := l.Journal().Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// chaos is a cloud and nodes that follow the protocol, driven at random. The
// nodes forget, repeat and skip messages but book what they must.
type chaos struct {
	*script
	rand    *rand.Rand
	session map[uint32]uint64
	acked   map[uint32]uint64 // directives that the node has applied
	granted map[[2]uint32]int64
	taken   map[[2]uint32]int64
	open    []promise
	ids     int

	confirmed, collected, refusals int
}

type promise struct {
	store   uint32
	reserve *recordv1.Reserve
}

const (
	chaosStores = 3
	chaosSKUs   = 4
)

var gtins = []string{"04006381333931", "05901234123457", "00000096385074", "00012345678905"}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{script: newScript(t), rand: rand.New(rand.NewPCG(seed, 7)),
		session: map[uint32]uint64{},
		acked:   map[uint32]uint64{}, granted: map[[2]uint32]int64{}, taken: map[[2]uint32]int64{}}
	c.log.Close()
	log, err := engine.Open(t.Context(), engine.Options{
		Now: func() time.Time { return time.UnixMilli(c.nowMS) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	c.use(log)
	for i, g := range gtins {
		c.must(fmt.Sprintf(`import_products { products { gtin: %q name: "P%d" unit: "each" } }`, g, i))
	}
	for s := 1; s <= chaosStores; s++ {
		c.must(fmt.Sprintf(`put_store { store { store: %d name: "S" } }`, s))
		c.must(fmt.Sprintf(`issue_join { store: %d secret_hash: $$a expires_at: 5000 }`, s))
		c.must(fmt.Sprintf(`enrol { store: %d secret_hash: $$a node_id: $node%d csr_hash: $$c }`, s, s))
		c.hello1(uint32(s))
		for sku := range chaosSKUs {
			c.record(fmt.Sprintf(`%d receipt { lines { sku: %d units: 100000 } }`, s, sku+1))
		}
	}
	return c
}

func (c *chaos) must(text string) {
	c.t.Helper()
	if got := c.do(text); len(got) > 7 && got[:7] == "refused" {
		c.t.Fatalf("%s: %s", text, got)
	}
}

func (c *chaos) hello1(store uint32) {
	got := c.hello(fmt.Sprintf("%d d=%d", store, c.acked[store]))
	var session uint64
	if _, err := fmt.Sscanf(got, "session %d", &session); err != nil {
		c.t.Fatalf("hello: %s", got)
	}
	c.session[store] = session
}

// step does one thing at random.
func (c *chaos) step() {
	store := uint32(1 + c.rand.IntN(chaosStores))
	sku := uint32(1 + c.rand.IntN(chaosSKUs))
	c.nowMS += int64(c.rand.IntN(60_000))
	switch c.rand.IntN(12) {
	case 0, 1:
		n := int64(1 + c.rand.IntN(5))
		c.granted[[2]uint32{store, sku}] += n
		c.record(fmt.Sprintf("%d grant { sku: %d units: %d granted_total: %d }", store, sku, n,
			c.granted[[2]uint32{store, sku}]))
	case 2, 3:
		c.upload(store)
	case 4:
		c.applyDirectives(store)
	case 5, 6:
		c.reserve(store, sku)
	case 7:
		c.cart(store, sku)
	case 8:
		c.count(c.do(`expire_holds { }`))
	case 9:
		c.count(c.do(fmt.Sprintf(`return_quota { store: %d sku: %d timeline: %d target_returned: %d }`,
			store, sku, 1+c.rand.IntN(8)/7, c.rand.IntN(40))))
	case 10:
		c.finish()
	case 11:
		c.disturb(store)
	}
}

func (c *chaos) count(got string) string {
	if len(got) > 7 && got[:7] == "refused" {
		c.refusals++
	}
	if len(got) > 5 && got[:5] == "FAULT" {
		c.t.Fatal(got)
	}
	return got
}

// upload sends a part of the node's journal, often one that was sent before.
func (c *chaos) upload(store uint32) {
	n := len(c.node(store).raw)
	if n == 0 {
		return
	}
	from := 1 + c.rand.IntN(n)
	if c.rand.IntN(2) == 0 {
		from = max(1, n-20)
	}
	to := from + c.rand.IntN(n-from+1)
	c.count(c.send(fmt.Sprintf("%d session=%d from=%d to=%d", store, c.session[store], from, to)))
}

func (c *chaos) uploadAll(store uint32) {
	c.count(c.send(fmt.Sprintf("%d session=%d", store, c.session[store])))
}

// applyDirectives books the next directives as a node would.
func (c *chaos) applyDirectives(store uint32) {
	cursor := headoffice.Cursor{Store: stock.StoreID(store), Timeline: 1, After: c.acked[store]}
	var raw [][]byte
	c.view(func(tx *journal.Tx) (err error) {
		raw, _, err = headoffice.DirectivesAfter(tx, cursor, 1+c.rand.IntN(5))
		return err
	})
	for _, data := range raw {
		var d recordv1.Directive
		if err := proto.Unmarshal(data, &d); err != nil {
			c.t.Fatal(err)
		}
		c.acked[store] = d.GetSeq()
		r := &recordv1.Record{DirectivesApplied: d.GetSeq()}
		switch v := d.GetBody().(type) {
		case *recordv1.Directive_Reserve:
			r.Body = &recordv1.Record_Accept{Accept: &recordv1.Accept{Reserve: v.Reserve}}
			c.open = append(c.open, promise{store, v.Reserve})
		case *recordv1.Directive_Return:
			r.Body = &recordv1.Record_ApplyReturn{ApplyReturn: &recordv1.ApplyReturn{Sku: v.Return.GetSku(),
				Units: v.Return.GetUnits(), ReturnedTotal: v.Return.GetReturnedTotal()}}
		default:
			r.Body = &recordv1.Record_ApplyDirective{ApplyDirective: &recordv1.ApplyDirective{Directive: d.GetSeq()}}
		}
		c.append(store, r)
	}
	if c.rand.IntN(2) == 0 {
		c.count(c.do(fmt.Sprintf(`ack_directives { store: %d session: %d directive: %d }`,
			store, c.session[store], c.acked[store])))
	}
}

func (c *chaos) append(store uint32, r *recordv1.Record) {
	n := c.node(store)
	r.Seq, r.Hlc, r.Epoch = uint64(len(n.raw)+1), uint64(c.nowMS)<<16, n.epoch
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		c.t.Fatal(err)
	}
	n.add(data)
}

func (c *chaos) fresh(kind string) string {
	c.ids++
	return fmt.Sprintf("$%s%d", kind, c.ids-c.rand.IntN(10)/9) // now and then a used one
}

func (c *chaos) reserve(store, sku uint32) {
	got := c.count(c.do(fmt.Sprintf(`reserve_now { reservation: %s store: %d lines { sku: %d units: %d } }`,
		c.fresh("r"), store, sku, 1+c.rand.IntN(4))))
	if len(got) > 9 && got[:9] == "confirmed" {
		c.confirmed++
	}
}

func (c *chaos) cart(store, sku uint32) {
	h := c.fresh("h")
	c.count(c.do(fmt.Sprintf(`hold { hold: %s store: %d lines { sku: %d units: %d } lines { sku: %d units: 1 } ttl_ms: %d }`,
		h, store, sku, 1+c.rand.IntN(3), 1+sku%chaosSKUs, 1+c.rand.IntN(200_000))))
	c.nowMS += int64(c.rand.IntN(100_000))
	switch c.rand.IntN(3) {
	case 0:
		c.count(c.do(fmt.Sprintf(`confirm { hold: %s store: %d reservation: %s }`, h, store, c.fresh("r"))))
	case 1:
		c.count(c.do(fmt.Sprintf(`release_hold { hold: %s store: %d }`, h, store)))
	}
}

// finish ends an accepted reservation in some way, or asks to cancel it.
func (c *chaos) finish() {
	if len(c.open) == 0 {
		return
	}
	i := c.rand.IntN(len(c.open))
	p := c.open[i]
	id := p.reserve.GetReservation()
	r := new(recordv1.Record)
	switch c.rand.IntN(4) {
	case 0:
		c.count(c.propose(&recordv1.Command{Body: &recordv1.Command_RequestCancel{
			RequestCancel: &recordv1.RequestCancel{Reservation: id}}}))
		return
	case 1:
		r.Body = &recordv1.Record_Release{Release: &recordv1.Release{Reservation: id,
			Reason: recordv1.ReleaseReason_RELEASE_REASON_EXPIRE}}
	case 2:
		l := p.reserve.GetLines()[0]
		r.Body = &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{Reservation: id,
			Line:  l.GetLine(),
			Units: l.GetUnits(), Reason: recordv1.ShortReason_SHORT_REASON_MISSING}}
	default:
		collect := &recordv1.Collect{Reservation: id}
		for _, l := range p.reserve.GetLines() {
			collect.Lines = append(collect.Lines, &recordv1.OutcomeLine{Line: l.GetLine(),
				Units: l.GetUnits()})
		}
		r.Body = &recordv1.Record_Collect{Collect: collect}
		c.collected++
	}
	c.append(p.store, r)
	c.open = append(c.open[:i], c.open[i+1:]...)
}

// disturb does what links and strangers do.
func (c *chaos) disturb(store uint32) {
	switch c.rand.IntN(6) {
	case 0:
		c.hello1(store)
	case 1:
		c.count(c.send(fmt.Sprintf("%d session=%d", store, c.session[store]+7)))
	case 2:
		c.count(c.hello(fmt.Sprintf("%d d=%d ; journal_acked: 99999999", store, c.acked[store])))
	case 3:
		c.count(c.do(fmt.Sprintf(`close_session { store: %d session: %d }`, store, c.session[store])))
		c.hello1(store)
	case 4:
		if n := c.applied(store); n > 0 {
			c.count(c.send(fmt.Sprintf("%d session=%d garble=%d", store, c.session[store],
				1+c.rand.IntN(n))))
		}
	case 5:
		c.count(c.do(`expire_data { }`))
	}
}

func (c *chaos) applied(store uint32) (n int) {
	c.view(func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, stock.StoreID(store))
		n = int(s.Applied.Seq)
		return err
	})
	return n
}

// check brings everything home and looks at the invariants.
func (c *chaos) check() {
	c.t.Helper()
	for s := uint32(1); s <= chaosStores; s++ {
		c.applyDirectives(s)
		c.uploadAll(s)
		c.view(func(tx *journal.Tx) error {
			st, err := headoffice.FindStore(tx, stock.StoreID(s))
			if err == nil && (st.Quarantined || st.Applied.Seq != uint64(len(c.node(s).raw))) {
				c.t.Errorf("store %d: quarantined %t, applied %d of %d", s, st.Quarantined, st.Applied.Seq,
					len(c.node(s).raw))
			}
			return err
		})
	}
	c.view(func(tx *journal.Tx) error {
		all, err := headoffice.CheckInvariants(tx)
		for _, i := range all {
			if len(i.Violations) > 0 || i.Checked == 0 {
				c.t.Errorf("%s: %d checked, %v", i.Name, i.Checked, i.Violations)
			}
		}
		notes, err2 := headoffice.Anomalies(tx, headoffice.Anomaly{}, 5)
		for _, n := range notes {
			c.t.Errorf("anomaly: %+v", n)
		}
		if err == nil {
			err = err2
		}
		return err
	})
}

// TestNoRecordStopsTheCloud sends random records. Whatever a node writes, the
// cloud keeps it and goes on.
func TestNoRecordStopsTheCloud(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := newScript(t)
	s.do(`import_products { products { gtin: "04006381333931" name: "P" unit: "each" } }`)
	for store := uint32(1); store <= 300; store++ {
		for _, text := range []string{`put_store { store { store: %[1]d name: "S" } }`,
			`issue_join { store: %[1]d secret_hash: $$a expires_at: 5000 }`,
			`enrol { store: %[1]d secret_hash: $$a node_id: $node%[1]d csr_hash: $$c }`} {
			s.do(fmt.Sprintf(text, store))
		}
		s.hello(fmt.Sprint(store))
		for range 40 {
			raw := randomRecord(r, uint64(len(s.node(store).raw)+1), store%2 == 0)
			s.node(store).add(raw)
		}
		if got := s.send(fmt.Sprint(store)); got[:7] != "applied" {
			t.Fatalf("store %d: %s", store, got)
		}
	}
	if err := s.log.Err(); err != nil {
		t.Fatal(err)
	}
	s.view(func(tx *journal.Tx) error {
		all, err := headoffice.Stores(tx, 0, -1)
		whole := 0
		for _, st := range all {
			if st.Applied.Seq != 40 {
				t.Errorf("store %d: %d records kept", st.ID, st.Applied.Seq)
			}
			if !st.Quarantined {
				whole++
			}
		}
		t.Logf("%d of %d not quarantined", whole, len(all))
		return err
	})
}

// randomRecord fills a record of a random kind with small and absurd numbers.
// Grants that do not add up end the booking, so some stores go without.
func randomRecord(r *rand.Rand, seq uint64, rights bool) []byte {
	if r.IntN(50) == 0 {
		return []byte{0xff, byte(r.IntN(256))}
	}
	rec := &recordv1.Record{}
	fields := rec.ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	kind := fields.Get(r.IntN(fields.Len()))
	for !rights && (kind.Name() == "grant" || kind.Name() == "apply_return") {
		kind = fields.Get(r.IntN(fields.Len()))
	}
	fill(r, rec.ProtoReflect().Mutable(kind).Message(), 0)
	rec.Seq = seq
	if r.IntN(3) == 0 {
		rec.DirectivesApplied, rec.DirectiveHash = uint64(r.IntN(9)), make([]byte, r.IntN(20))
	}
	data, err := proto.Marshal(rec)
	if err != nil {
		panic(err)
	}
	return data
}

// TestARepeatedRequestGetsItsFirstAnswer also tells repeats from reuse.
func TestARepeatedRequestGetsItsFirstAnswer(t *testing.T) {
	s := newScript(t)
	s.do(`put_store { store { store: 1 name: "S" } }`)
	s.do(`import_products { products { gtin: "04006381333931" name: "P" unit: "each" } }`)
	s.do(`issue_join { store: 1 secret_hash: $$a expires_at: 5000 }`)
	s.do(`enrol { store: 1 secret_hash: $$a node_id: $node1 csr_hash: $$c }`)
	s.hello("1")
	s.record(`1 receipt { lines { sku: 1 units: 5 } }`)
	s.record(`1 grant { sku: 1 units: 5 granted_total: 5 }`)
	s.send("1")
	const first = `confirmed r1 directive 2 until 14401000 store 1:2xP(04006381333931)`
	for _, step := range []struct{ name, command, want string }{
		{"refused", `request: $q reserve_now { reservation: $r0 store: 1 lines { sku: 1 units: 6 } }`,
			"refused SHORT: pool has 5, need 6 gtin=04006381333931 product=P available=5 wanted=6 short=1:1"},
		{"a refusal does not use the id up", `request: $q reserve_now { reservation: $r1 store: 1 lines { sku: 1 units: 2 } shopper { code: "A" } }`, first},
		{"again", `request: $q reserve_now { reservation: $r1 store: 1 lines { sku: 1 units: 2 } shopper { code: "A" } }`, first},
		{"again, numbered anew", `request: $q reserve_now { reservation: $r2 store: 1 lines { sku: 1 units: 2 } shopper { code: "B" } }`, first},
		{"another cart", `request: $q reserve_now { reservation: $r1 store: 1 lines { sku: 1 units: 3 } }`,
			"refused ID_REUSED: request 71000000000000000000000000000000 was another command"},
		{"another command", `request: $q expire_data { }`,
			"refused ID_REUSED: request 71000000000000000000000000000000 was another command"},
		{"a bad id", `request: "q" expire_data { }`, "refused BAD_REQUEST: a request id of 1 bytes what=request_id"},
		{"no body", `request: $z`, "refused BAD_REQUEST: a command without a body what=command"},
	} {
		if got := s.do(step.command); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
}

// TestOldDataIsForgottenAndTheRestHolds ages a cloud beyond its retention.
func TestOldDataIsForgottenAndTheRestHolds(t *testing.T) {
	c := newChaos(t, 99)
	for range 600 {
		c.step()
	}
	c.check()
	c.nowMS += 36 * 24 * time.Hour.Milliseconds()
	var rows uint64
	for {
		r, err := c.log.Propose(context.Background(), &recordv1.Command{
			Body: &recordv1.Command_ExpireData{ExpireData: &recordv1.ExpireData{}}})
		if err != nil {
			t.Fatal(err)
		}
		if r.GetCount().GetRows() == 0 {
			break
		}
		rows += r.GetCount().GetRows()
	}
	if rows < 200 { // directives that no mirror has seen applied stay
		t.Errorf("%d rows forgotten", rows)
	}
	for s := uint32(1); s <= chaosStores; s++ {
		c.hello1(s)
		c.record(fmt.Sprintf(`%d mark { kind: MARK_KIND_NOTE }`, s))
	}
	c.check()
}
