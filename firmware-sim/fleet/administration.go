package fleet

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	lateProducts = 3 // that the catalogue gets during the run
	inviteMS     = 29 * 24 * 3_600_000
)

// build makes the cloud, the stores and their first goods.
func (w *World) build() error {
	for i := range assortment {
		w.products = append(w.products, product{sku: stock.SKU(i + 1), gtin: gtinOf(i + 1), weighed: i%10 == 5})
	}
	for n := range w.mix.stores {
		w.stores = append(w.stores, w.newStore(n))
	}
	var err error
	if w.office, err = w.newOffice(); err != nil {
		return err
	}
	w.office.since = make([]uint64, assortment)
	if err := w.furnish(); err != nil {
		return err
	}
	w.observe()
	w.office.keepHouse()
	w.backUp()
	w.lookAtForks()
	for _, st := range w.stores {
		if err := w.open(st); err != nil {
			return err
		}
	}
	return nil
}

// furnish gives the cloud its keys, its stores and its catalogue.
func (w *World) furnish() error {
	o := w.office
	commands := []*recordv1.Command{}
	for _, st := range w.stores {
		commands = append(commands, &recordv1.Command{Body: &recordv1.Command_PutStore{PutStore: &recordv1.PutStore{
			Store: &recordv1.StoreInfo{Store: uint32(st.id), Name: fmt.Sprintf("Store %d", st.id), Language: "en"}}}},
			&recordv1.Command{Body: &recordv1.Command_SetPolicy{SetPolicy: &recordv1.SetPolicy{
				Store: uint32(st.id), Policy: w.mix.policy}}})
	}
	commands = append(commands, o.nextKeys(), o.importProducts(0, assortment-lateProducts))
	for _, c := range commands {
		if _, err := o.Propose(w.ctx, c); err != nil {
			return fmt.Errorf("furnish: %w", err)
		}
	}
	return nil
}

// open enrols a store's box and fills its shelves.
func (w *World) open(st *store) error {
	b, err := w.enrol(st)
	if err != nil {
		return err
	}
	st.box = b
	if err := b.boot(); err != nil {
		return err
	}
	c := newChance(w.o.Seed, 10+uint64(st.id))
	var first []wish
	for i := range w.mix.stocked {
		cell := st.cells[w.mix.dealtWith(i)]
		n := stock.Units(c.IntN(w.mix.units))
		if w.products[cell.sku-1].weighed {
			n *= 500
		}
		if n > 0 {
			first = append(first, wish{cell, n})
		}
	}
	if len(first) > 0 {
		w.start(func(r *routine) { r.receive(st, c, first) })
	}
	w.observe()
	return nil
}

// enrol makes a new box the store's only one.
func (w *World) enrol(st *store) (*box, error) {
	return w.enrolBy(st, func(c *recordv1.Command) (*recordv1.Result, error) {
		return w.office.Propose(w.ctx, c)
	})
}

func (w *World) enrolBy(st *store, propose func(*recordv1.Command) (*recordv1.Result, error)) (*box, error) {
	var secret, csr [32]byte
	st.invited++
	binary.BigEndian.PutUint64(secret[:], uint64(st.id)<<32|uint64(st.invited))
	csr = secret
	var node id
	copy(node[:], secret[:16])
	_, err := propose(&recordv1.Command{Body: &recordv1.Command_IssueJoin{IssueJoin: &recordv1.IssueJoin{
		Store: uint32(st.id), SecretHash: secret[:], ExpiresAt: w.office.now + inviteMS}}})
	if err != nil {
		return nil, err
	}
	result, err := propose(&recordv1.Command{Body: &recordv1.Command_Enrol{Enrol: &recordv1.Enrol{
		Store: uint32(st.id), SecretHash: secret[:], NodeId: node[:], CsrHash: csr[:]}}})
	if err != nil {
		return nil, err
	}
	e := result.GetEnrol().GetEpoch()
	return w.newBox(st, stock.Epoch{Timeline: stock.Timeline(e.GetTimeline()), Counter: e.GetCounter()}, node), nil
}

func gtinOf(n int) string {
	digits := fmt.Sprintf("0871234%06d", n)
	sum := 0
	for i, d := range []byte(digits) {
		weight := 3
		if i%2 == 1 {
			weight = 1
		}
		sum += int(d-'0') * weight
	}
	return fmt.Sprintf("%s%d", digits, (10-sum%10)%10)
}

// importProducts is the command that brings products into the catalogue.
func (o *office) importProducts(from, to int) *recordv1.Command {
	rows := make([]*recordv1.Product, 0, to-from)
	for i := from; i < to; i++ {
		p := o.w.label(stock.SKU(i + 1))
		p.Sku = 0
		rows = append(rows, p)
		if o.since[i] == 0 {
			o.since[i] = o.catalogue + 1
		}
	}
	o.catalogue++
	o.known = max(o.known, to)
	return &recordv1.Command{Body: &recordv1.Command_ImportProducts{
		ImportProducts: &recordv1.ImportProducts{Products: rows}}}
}

// nextKeys is the command that begins a new pickup key; older ones stay
// trusted for a while.
func (o *office) nextKeys() *recordv1.Command {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, o.w.o.Seed)
	seed[8] = byte(len(o.keys) + 1)
	o.keys = append(o.keys, ed25519.NewKeyFromSeed(seed))
	set := &recordv1.KeySet{Version: uint32(len(o.keys))}
	for i := max(0, len(o.keys)-keyOverlap); i < len(o.keys); i++ {
		set.Keys = append(set.Keys, &recordv1.PickupKey{Id: uint32(i + 1),
			Public: o.keys[i].Public().(ed25519.PublicKey)})
	}
	return &recordv1.Command{Body: &recordv1.Command_SetKeys{SetKeys: &recordv1.SetKeys{Keys: set}}}
}

// key signs tokens: the one before the newest, which stores may not know yet.
func (o *office) key() ed25519.PrivateKey { return o.keys[o.keyID()-1] }

func (o *office) keyID() uint32 { return uint32(max(1, len(o.keys)-1)) }

// keepHouse gives up holds whose time has come, as the program does.
func (o *office) keepHouse() {
	o.w.after(o.w.mix.round*4/5, "cloud housekeeping", func() {
		o.submit(&recordv1.Command{Body: &recordv1.Command_ExpireHolds{ExpireHolds: &recordv1.ExpireHolds{}}},
			func(*recordv1.Result, error) {})
		o.submit(&recordv1.Command{Body: &recordv1.Command_ExpireData{ExpireData: &recordv1.ExpireData{}}},
			func(*recordv1.Result, error) {})
		o.keepHouse()
	})
}

// administer proposes what an operator wants until it is done.
func (w *World) administer(c chance, command *recordv1.Command) {
	w.start(func(r *routine) {
		if _, err := r.propose(c, command); err != nil {
			w.logf("cloud: an operator is refused: %v", err)
		}
	})
}

// newTerms changes a store's policy.
func (w *World) newTerms(st *store, c chance) {
	policy := newPolicy(c, w.mix.day)
	w.administer(c, &recordv1.Command{Body: &recordv1.Command_SetPolicy{SetPolicy: &recordv1.SetPolicy{
		Store: uint32(st.id), Policy: policy}}})
}

// newKeys begins a new pickup key.
func (w *World) newKeys(_ *store, c chance) {
	if len(w.office.keys) < 8 {
		w.administer(c, w.office.nextKeys())
	}
}

// newProducts adds one more product to the catalogue.
func (w *World) newProducts(_ *store, c chance) {
	if n := w.office.known; n < assortment {
		w.administer(c, w.office.importProducts(n, n+1))
	}
}

// poison records something that the cloud cannot explain.
func (b *box) poison() {
	if !b.up {
		return
	}
	b.call(func() error {
		_, err := b.journal.Append(b.w.ctx, journal.Proposal{Decide: func(_ *journal.Tx, seq uint64) ([]byte, error) {
			return proto.Marshal(&recordv1.Record{Seq: seq, Hlc: uint64(b.clock.now()) << 16,
				Epoch: &recordv1.Epoch{Timeline: uint32(b.epoch.Timeline), Counter: b.epoch.Counter},
				Body: &recordv1.Record_Unclassified{Unclassified: &recordv1.Unclassified{
					What: "a label that nobody can read", Code: stock.Unreadable.String()}}})
		}})
		return b.unexpected(err)
	})
	b.changed()
	b.w.marks.hit(markPoison)
}

// shelfLabels is the store's copy of the catalogue.
type shelfLabels struct{ b *box }

var _ shopfloor.Catalogue = shelfLabels{}

// ByGTIN finds a product by its number.
func (l shelfLabels) ByGTIN(_ *journal.Tx, gtin string) (*recordv1.Product, error) {
	for i, p := range l.b.w.products {
		if p.gtin == gtin {
			return l.b.st.cells[i].label(l.b), nil
		}
	}
	return nil, nil
}

// ByPLU finds a product by its number on the scale; there is none.
func (l shelfLabels) ByPLU(*journal.Tx, string) (*recordv1.Product, error) { return nil, nil }

// BySKU finds a product by its SKU.
func (l shelfLabels) BySKU(_ *journal.Tx, sku stock.SKU) (*recordv1.Product, error) {
	return l.b.st.cell(sku).label(l.b), nil
}
