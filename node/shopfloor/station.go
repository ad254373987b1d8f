package shopfloor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Mode says what the scans of a station mean.
type Mode uint8

// Modes of a station.
const (
	Selling Mode = 1 + iota
	Receiving
	Picking
	Staging
	Collecting
	Looking
	Counting
	Reshelving
)

// BasketLine is one line that a customer at a station has taken.
type BasketLine struct {
	Product *recordv1.Product
	Line    *recordv1.SaleLine
	Mode    recordv1.SaleMode
	Seq     uint64
}

// Question waits for a person: the unit in the customer's hand is promised.
type Question struct {
	ID       ID // of the scan; the answer carries it again
	Data     []byte
	AIM      string
	Product  *recordv1.Product
	Units    stock.Units
	Amount   int64  // that a scale or a label asked for; 0: as the price list says
	Level    string // "L2" lend, "L3" bump
	Promised stock.Units
	Risk     uint32 // thousandths
	Manager  bool   // a manager is needed
}

// Answer is what a station says after a scan or a step.
type Answer struct {
	Refusal *stock.Refusal // nil: it was done
	Done    string         // key of the sentence in the texts, for example "floor.sold"
	Product *recordv1.Product
	Units   stock.Units
	Amount  int64 // minor units
	Seq     uint64
	At      int64 // Unix ms
	Pickup  ID
	Shelf   string
}

// Station is one scanner with its screen: a copy of its state.
type Station struct {
	Name     string
	Mode     Mode
	Staff    string
	Manager  bool
	Document string
	Pickup   ID
	Basket   ID
	Lines    []BasketLine
	Last     *Answer
	Question *Question
}

// Total sums the basket in minor units.
func (s Station) Total() (minor int64, currency string) {
	for _, l := range s.Lines {
		minor += l.Line.GetTotalMinor()
		currency = l.Product.GetCurrency()
	}
	return minor, currency
}

// desk is a station with the turn that lets one scan in at a time.
type desk struct {
	Station
	turn  chan struct{}
	since uint64 // head of the journal when the basket was opened
	doubt bool   // a sale ended in a fault: the basket must be read again
}

// maxStations bounds how many stations one store has.
const maxStations = 64

// maxName bounds a station's name.
const maxName = 40

const (
	// basketTail bounds how far back the records of an open basket are looked
	// for after a restart.
	basketTail = 100_000
	// basketPage bounds the records that are looked at together.
	basketPage, basketPageBytes = 500, 1 << 22
)

// take gives the caller the station's turn; done gives it back.
func (f *Floor) take(ctx context.Context, name string) (d *desk, done func(), err error) {
	d, err = f.desk(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	done = func() { <-d.turn }
	if err := f.settle(ctx, d); err != nil {
		done()
		return nil, nil, err
	}
	return d, done, nil
}

// settle finds out what a basket holds after a fault.
func (f *Floor) settle(ctx context.Context, d *desk) error {
	if !d.doubt {
		return nil
	}
	lines, err := f.basketLines(ctx, d.Basket, d.since)
	if err == nil {
		d.Lines, d.doubt = lines, false
	}
	return err
}

func (f *Floor) desk(ctx context.Context, name string) (*desk, error) {
	if name == "" || len(name) > maxName {
		return nil, stock.Refuse(stock.BadRequest, "station %q", name).With("what", "station")
	}
	f.mu.Lock()
	d, ok := f.desks[name]
	n := len(f.desks)
	f.mu.Unlock()
	if ok {
		return d, nil
	}
	if n >= maxStations {
		return nil, stock.Refuse(stock.TooMany, "%d stations", n).With("limit", maxStations).With("what", "stations")
	}
	loaded, err := f.loadDesk(ctx, name)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d, ok := f.desks[name]; ok {
		return d, nil
	}
	f.desks[name] = loaded
	return loaded, nil
}

// Station returns a copy of a station's state; a new name is a new station, in
// selling mode.
func (f *Floor) Station(ctx context.Context, name string) (Station, error) {
	d, done, err := f.take(ctx, name)
	if err != nil {
		return Station{}, err
	}
	defer done()
	return d.copy(), nil
}

func (d *desk) copy() Station {
	s := d.Station
	s.Lines = slices.Clone(d.Lines)
	return s
}

// keptStation is what survives a restart.
type keptStation struct {
	Mode     Mode
	Staff    string
	Manager  bool
	Document string
	Pickup   ID
	Basket   ID
	Since    uint64
}

func stationKey(name string) string { return "station/" + name }

func (f *Floor) loadDesk(ctx context.Context, name string) (*desk, error) {
	d := &desk{Station: Station{Name: name, Mode: Selling}, turn: make(chan struct{}, 1)}
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		raw, err := getBytes(tx, selectLocal, stationKey(name))
		if err != nil || raw == nil {
			return err
		}
		var k keptStation
		if err := json.Unmarshal(raw, &k); err != nil {
			return fmt.Errorf("decode station %s: %w", name, err)
		}
		d.Mode, d.Staff, d.Manager, d.Document = k.Mode, k.Staff, k.Manager, k.Document
		d.Pickup, d.Basket, d.since = k.Pickup, k.Basket, k.Since
		return nil
	})
	if err != nil || d.Basket == (ID{}) {
		return d, err
	}
	d.Lines, err = f.basketLines(ctx, d.Basket, d.since)
	return d, err
}

// basketLines finds the sales of an open basket in the journal.
func (f *Floor) basketLines(ctx context.Context, basket ID, since uint64) (lines []BasketLine, err error) {
	head := f.j.Head().Seq
	for seq := max(since, head-min(head, basketTail)) + 1; seq <= head; {
		entries, err := f.j.Entries(ctx, seq, basketPage, basketPageBytes)
		if err != nil || len(entries) == 0 {
			return lines, err
		}
		for _, e := range entries {
			seq = e.Seq + 1
			if lines, err = f.addSale(ctx, lines, e, basket); err != nil {
				return nil, err
			}
		}
	}
	return lines, nil
}

// addSale adds the lines of an entry that is a sale of the basket.
func (f *Floor) addSale(ctx context.Context, lines []BasketLine, e journal.Entry, basket ID) ([]BasketLine, error) {
	var rec recordv1.Record
	if err := proto.Unmarshal(e.Data, &rec); err != nil {
		return nil, fmt.Errorf("decode record %d: %w", e.Seq, err)
	}
	sale := rec.GetSale()
	if sale == nil || pad16(sale.GetBasket()) != basket {
		return lines, nil
	}
	for _, l := range sale.GetLines() {
		p, err := f.product(ctx, stock.SKU(l.GetSku()))
		if err != nil {
			return nil, err
		}
		lines = append(lines, BasketLine{Product: p, Line: l, Mode: sale.GetMode(), Seq: e.Seq})
	}
	return lines, nil
}

func pad16(b []byte) (id [16]byte) {
	copy(id[:], b)
	return id
}

func (f *Floor) product(ctx context.Context, sku stock.SKU) (p *recordv1.Product, err error) {
	err = f.j.View(ctx, func(tx *journal.Tx) error {
		p, err = f.o.Catalogue.BySKU(tx, sku)
		return err
	})
	if p == nil {
		p = &recordv1.Product{Sku: uint32(sku)}
	}
	return p, err
}

// keep writes down what must survive a restart of the node.
func (f *Floor) keep(ctx context.Context, d *desk) error {
	raw, err := json.Marshal(keptStation{Mode: d.Mode, Staff: d.Staff, Manager: d.Manager,
		Document: d.Document, Pickup: d.Pickup, Basket: d.Basket, Since: d.since})
	if err != nil {
		return err
	}
	return f.j.Local(ctx, func(tx *journal.Tx) error {
		_, err := tx.Exec(upsertLocal, stationKey(d.Name), raw)
		return err
	})
}

// SetMode changes what the scans of a station mean. Receiving needs a delivery
// id that was not booked before, unless this station has it open.
func (f *Floor) SetMode(ctx context.Context, name string, m Mode, document string, pickup ID) (Station, error) {
	d, done, err := f.take(ctx, name)
	if err != nil {
		return Station{}, err
	}
	defer done()
	if m < Selling || m > Reshelving {
		return Station{}, stock.Refuse(stock.BadRequest, "mode %d", m).With("what", "mode")
	}
	if m == Receiving && !(d.Mode == Receiving && d.Document == document) {
		if err := f.CheckDelivery(ctx, document); err != nil {
			return d.copy(), err
		}
	}
	if pickup != (ID{}) {
		err := f.j.View(ctx, func(tx *journal.Tx) error {
			_, err := f.openReservation(tx, pickup)
			return err
		})
		if err != nil {
			return d.copy(), err
		}
	}
	if m != Receiving {
		document = ""
	}
	d.Mode, d.Document, d.Pickup, d.Question, d.Last = m, document, pickup, nil, nil
	err = f.keep(ctx, d)
	f.o.Notify(Event{Kind: "station"})
	return d.copy(), err
}

// SignIn says who works at a station; an empty name signs out. Whoever calls
// has checked the PIN.
func (f *Floor) SignIn(ctx context.Context, name string, who Decider) (Station, error) {
	d, done, err := f.take(ctx, name)
	if err != nil {
		return Station{}, err
	}
	defer done()
	d.Staff, d.Manager, d.Question = who.Name, who.Manager, nil
	err = f.keep(ctx, d)
	f.o.Notify(Event{Kind: "station"})
	return d.copy(), err
}

// FinishBasket ends a station's basket and returns what was in it.
func (f *Floor) FinishBasket(ctx context.Context, name string) (Station, error) {
	d, done, err := f.take(ctx, name)
	if err != nil {
		return Station{}, err
	}
	defer done()
	was := d.copy()
	if len(was.Lines) == 0 {
		return was, stock.Refuse(stock.WrongState, "empty basket").With("state", "empty").With("step", "finish")
	}
	// The next basket is there already: its first scan waits for one commit, not two.
	d.Basket, d.since, d.Lines, d.Last, d.Question = f.o.NewID(), f.j.Head().Seq, nil, nil, nil
	err = f.keep(ctx, d)
	f.o.Notify(Event{Kind: "station"})
	return was, err
}

// DropQuestion gives up an open question: the unit is not sold.
func (f *Floor) DropQuestion(ctx context.Context, name string) (Station, error) {
	d, done, err := f.take(ctx, name)
	if err != nil {
		return Station{}, err
	}
	defer done()
	d.Question = nil
	f.o.Notify(Event{Kind: "station"})
	return d.copy(), nil
}

// saleLine prices units of a product: per piece, or per kilogram or litre.
func saleLine(p *recordv1.Product, n stock.Units) *recordv1.SaleLine {
	total := p.GetPriceMinor() * int64(n)
	if Measured(p) {
		total = (total + 500) / 1000
	}
	return &recordv1.SaleLine{Sku: p.GetSku(), Units: int64(n), PriceMinor: p.GetPriceMinor(),
		TotalMinor: total, VatPermille: p.GetVatPermille()}
}

// SaleLine prices units of a product: per piece, or per kilogram or litre.
func SaleLine(p *recordv1.Product, n stock.Units) *recordv1.SaleLine { return saleLine(p, n) }

// Measured tells whether a product is sold by weight or volume.
func Measured(p *recordv1.Product) bool { return p.GetUnit() == "g" || p.GetUnit() == "ml" }
