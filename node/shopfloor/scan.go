package shopfloor

import (
	"context"
	"slices"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/gtin"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/token"
)

// Scan is one read at a station.
type Scan struct {
	ID      ID
	Device  string
	Data    []byte
	AIM     string
	Garbage bool
	// Units is what a person typed for goods sold by weight; 0: as the code says.
	Units stock.Units
	// Amount is what a scale that computes prices asks for the goods, in minor
	// units; 0: as the price list says.
	Amount int64
	// NoWeight says why a scale gave no weight for goods that need one; nil: none
	// was asked.
	NoWeight *stock.Refusal
	// Decided answers the station's question for the same scan, or is a manager
	// who knows the shopper without the PIN of the order.
	Decided *Decider
	PIN     string // that the shopper said
}

// Scan does what one read means at a station: its mode, and what was read. A
// refusal is an answer like any other; an error is a fault.
func (f *Floor) Scan(ctx context.Context, name string, s Scan) (Answer, Station, error) {
	d, done, err := f.take(ctx, name)
	if err != nil {
		return Answer{}, Station{}, err
	}
	defer done()
	a, err := f.read(ctx, d, s)
	if r, refused := stock.AsRefusal(err); refused {
		a.Refusal, err = r, nil
	}
	if err != nil {
		return a, d.copy(), err
	}
	a.At = f.o.Now()
	if a.Refusal != nil && a.Product.GetName() != "" && a.Refusal.Args["product"] == "" {
		a.Refusal.With("product", a.Product.GetName())
	}
	d.Last = &a
	return a, d.copy(), nil
}

// read decodes a scan and hands it to what its kind means here.
func (f *Floor) read(ctx context.Context, d *desk, s Scan) (Answer, error) {
	if s.Garbage {
		return Answer{}, stock.Refuse(stock.Unreadable, "%d bytes of noise", len(s.Data))
	}
	sym, err := f.o.Decoder.Decode(s.Data, s.AIM)
	if err != nil {
		return Answer{}, err
	}
	switch sym.Kind {
	case gtin.Product:
		return f.readProduct(ctx, d, s, sym)
	case gtin.Pickup:
		return f.readPickup(ctx, d, s, sym.Text)
	case gtin.Location:
		return f.readShelf(ctx, d, s, sym.Text)
	}
	return Answer{}, stock.Refuse(stock.UnsupportedCode, "a %s label", sym.Kind).With("kind", sym.Kind)
}

func (f *Floor) readProduct(ctx context.Context, d *desk, s Scan, sym gtin.Symbol) (Answer, error) {
	p, err := f.findProduct(ctx, sym)
	if stock.Refused(err, stock.UnknownProduct) && s.ID != (ID{}) {
		return f.readBefore(ctx, d, s, sym, err)
	}
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Product: p, Units: unitsOf(p, sym, s), Amount: amountOf(p, sym, s)}
	c := Cause{ID: s.ID, Actor: d.actor(), Device: s.Device}
	sku := stock.SKU(p.GetSku())
	if a.Units == 0 && !slices.Contains([]Mode{Picking, Staging, Looking, Counting}, d.Mode) {
		if s.NoWeight != nil {
			return a, s.NoWeight
		}
		return a, stock.Refuse(stock.NeedWeight, "%s is sold by weight", p.GetGtin()).With("product", p.GetName())
	}
	var w Written
	switch d.Mode {
	case Selling:
		return f.sellScan(ctx, d, s, a)
	case Receiving:
		a.Done = "floor.received"
		w, err = f.ReceiveScan(ctx, c, d.Document, sku, a.Units)
	case Picking, Staging:
		a.Done = "floor.picked"
		if d.Pickup == (ID{}) {
			return a, stock.Refuse(stock.WrongState, "no order is open").With("state", "no order").With("step", "pick")
		}
		a.Pickup = d.Pickup
		w, err = f.Pick(ctx, c, d.Pickup, sku, a.Units)
	case Reshelving:
		a.Done = "floor.reshelved"
		w, err = f.Reshelve(ctx, c, sku, a.Units, "")
	case Looking, Counting:
		a.Done = "floor.looked"
	default:
		return a, stock.Refuse(stock.WrongState, "a product in mode %d", d.Mode).
			With("state", "collect").With("step", "product")
	}
	a.Seq = w.Seq
	return a, err
}

// readBefore answers a scan of a product that is not in the catalogue by what it
// has led to when it was asked before: the catalogue of a store that came back
// is there a little later than its records. A scan without a record is refused.
func (f *Floor) readBefore(ctx context.Context, d *desk, s Scan, sym gtin.Symbol, refusal error) (Answer, error) {
	rec, err := f.Asked(ctx, s.ID)
	if err != nil {
		return Answer{}, err
	}
	p := &recordv1.Product{Gtin: sym.GTIN.Digits(), Name: sym.GTIN.String()}
	a := Answer{Product: p, Seq: rec.GetSeq()}
	switch sale, receipt := rec.GetSale(), rec.GetReceipt(); {
	case d.Mode == Selling && len(sale.GetLines()) == 1:
		line := sale.GetLines()[0]
		p.Sku, p.PriceMinor, p.VatPermille = line.GetSku(), line.GetPriceMinor(), line.GetVatPermille()
		p.Currency = sale.GetCurrency()
		a.Done, a.Units, a.Amount = "floor.sold", stock.Units(line.GetUnits()), line.GetTotalMinor()
		d.Question = nil
		d.add(Written{Seq: rec.GetSeq(), Record: rec, Repeated: true}, p)
	case d.Mode == Receiving && len(receipt.GetLines()) == 1:
		line := receipt.GetLines()[0]
		p.Sku = line.GetSku()
		a.Done, a.Units = "floor.received", stock.Units(line.GetUnits())
	default:
		if err := f.noteRefused(ctx, Cause{ID: s.ID}); err != nil {
			return Answer{}, err
		}
		return Answer{}, refusal
	}
	return a, nil
}

func (d *desk) actor() string {
	if d.Staff != "" {
		return d.Staff
	}
	return d.Name
}

// findProduct looks a symbol up in the store's catalogue.
func (f *Floor) findProduct(ctx context.Context, sym gtin.Symbol) (p *recordv1.Product, err error) {
	err = f.j.View(ctx, func(tx *journal.Tx) (err error) {
		if sym.PLU != "" {
			if p, err = f.o.Catalogue.ByPLU(tx, sym.PLU); p != nil || err != nil {
				return err
			}
		}
		p, err = f.o.Catalogue.ByGTIN(tx, sym.GTIN.Digits())
		return err
	})
	if err == nil && p == nil {
		return nil, stock.Refuse(stock.UnknownProduct, "no product %s", sym.GTIN.Digits()).
			With("gtin", sym.GTIN.String())
	}
	return p, err
}

// unitsOf is how many base units one scan stands for; 0 when a weight is needed.
func unitsOf(p *recordv1.Product, sym gtin.Symbol, s Scan) stock.Units {
	switch {
	case s.Units > 0:
		return s.Units
	case Measured(p) && sym.Weight == 0 && priced(p, sym):
		const kilogram = 1000
		return stock.Units((sym.Price*kilogram + p.GetPriceMinor()/2) / p.GetPriceMinor())
	case Measured(p):
		return sym.Weight
	case sym.Count > 0:
		return sym.Count
	}
	return 1
}

// priced tells whether a label names a price of this store's currency for goods
// that it has a price for.
func priced(p *recordv1.Product, sym gtin.Symbol) bool {
	return sym.Price > 0 && p.GetPriceMinor() > 0 && (sym.Currency == "" || sym.Currency == p.GetCurrency())
}

// amountOf is what a scale or a label asks for the goods; 0: as the price list
// says.
func amountOf(p *recordv1.Product, sym gtin.Symbol, s Scan) int64 {
	switch {
	case s.Amount > 0:
		return s.Amount
	case s.Units == 0 && priced(p, sym):
		return sym.Price
	}
	return 0
}

// sellScan books the sale of one scan, or asks who decides.
func (f *Floor) sellScan(ctx context.Context, d *desk, s Scan, a Answer) (Answer, error) {
	if a.Product.GetPriceMinor() <= 0 {
		return a, stock.Refuse(stock.NoPrice, "%s", a.Product.GetGtin()).With("product", a.Product.GetName())
	}
	if err := f.openBasket(ctx, d); err != nil {
		return a, err
	}
	line := saleLine(a.Product, a.Units)
	if a.Amount > 0 {
		line.TotalMinor = a.Amount
	}
	w, err := f.Sell(ctx, Sell{Cause: Cause{ID: s.ID, Actor: d.actor(), Device: s.Device}, Till: d.Name,
		Lines: []*recordv1.SaleLine{line}, Currency: a.Product.GetCurrency(), Basket: d.Basket,
		Decided: s.Decided})
	if r, ok := stock.AsRefusal(err); ok && (r.Code == stock.PromisedOnline || r.Code == stock.ManagerNeeded) {
		d.Question = question(s, a, r)
		return a, err
	}
	if _, refused := stock.AsRefusal(err); err != nil && !refused {
		d.doubt = true // the sale may be booked all the same
	}
	if err != nil {
		return a, err
	}
	d.Question = nil
	a.Done, a.Seq, a.Amount = "floor.sold", w.Seq, line.GetTotalMinor()
	if w.Record.GetSale().GetMode() == recordv1.SaleMode_SALE_MODE_FOUND {
		a.Done = "floor.found"
	}
	d.add(w, a.Product)
	return a, nil
}

// add puts a sale into the basket that it was booked for, once.
func (d *desk) add(w Written, p *recordv1.Product) {
	sale := w.Record.GetSale()
	known := slices.ContainsFunc(d.Lines, func(l BasketLine) bool { return l.Seq == w.Seq })
	if known || pad16(sale.GetBasket()) != d.Basket {
		return
	}
	for _, l := range sale.GetLines() {
		d.Lines = append(d.Lines, BasketLine{Product: p, Line: l, Mode: sale.GetMode(), Seq: w.Seq})
	}
}

func (f *Floor) openBasket(ctx context.Context, d *desk) error {
	if d.Basket != (ID{}) {
		return nil
	}
	d.Basket, d.since = f.o.NewID(), f.j.Head().Seq
	if err := f.keep(ctx, d); err != nil {
		d.Basket = ID{} // the next scan opens another
		return err
	}
	return nil
}

func question(s Scan, a Answer, r *stock.Refusal) *Question {
	q := &Question{ID: s.ID, Data: s.Data, AIM: s.AIM, Product: a.Product, Units: a.Units, Amount: a.Amount,
		Level: r.Args["level"], Manager: r.Code == stock.ManagerNeeded}
	q.Promised = stock.Units(number(r.Args["promised"]))
	q.Risk = uint32(number(r.Args["risk"]))
	return q
}

func number(s string) (n int64) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// readPickup collects an order, or opens it for picking.
func (f *Floor) readPickup(ctx context.Context, d *desk, s Scan, code string) (Answer, error) {
	if d.Mode == Picking || d.Mode == Staging {
		return f.openPickup(ctx, d, code)
	}
	if d.Mode != Collecting && d.Mode != Selling {
		return Answer{}, stock.Refuse(stock.WrongState, "a pickup code in mode %d", d.Mode).
			With("state", "other").With("step", "collect")
	}
	h, err := f.CollectFor(ctx, Cause{ID: s.ID, Actor: d.actor(), Device: s.Device},
		Presented{Code: code, PIN: s.PIN, By: s.Decided})
	return Answer{Done: "floor.collected", Seq: h.Seq, Pickup: h.Reservation}, err
}

// openPickup makes a reservation the one that a station picks.
func (f *Floor) openPickup(ctx context.Context, d *desk, code string) (Answer, error) {
	human, err := token.ParseCode(code)
	if err != nil {
		return Answer{}, stock.Refuse(stock.UnsupportedCode, "a pickup token").With("kind", "pickup")
	}
	var r *books.Reservation
	err = f.j.View(ctx, func(tx *journal.Tx) error {
		r, err = books.FindByCode(tx, f.o.Store, human)
		return err
	})
	switch {
	case err != nil:
		return Answer{}, err
	case r == nil:
		return Answer{}, stock.Refuse(stock.UnknownReservation, "code %s", human)
	case r.State().Final():
		return Answer{}, books.Finished(r)
	}
	d.Pickup = r.ID
	return Answer{Done: "floor.opened", Pickup: r.ID}, f.keep(ctx, d)
}

// readShelf stages what is picked of the open order.
func (f *Floor) readShelf(ctx context.Context, d *desk, s Scan, shelf string) (Answer, error) {
	if d.Mode != Picking && d.Mode != Staging || d.Pickup == (ID{}) {
		return Answer{}, stock.Refuse(stock.WrongState, "a shelf in mode %d", d.Mode).
			With("state", "no order").With("step", "stage")
	}
	shelf, _ = f.compartment(shelf)
	ws, err := f.Stage(ctx, Cause{ID: s.ID, Actor: d.actor(), Device: s.Device}, d.Pickup, shelf)
	a := Answer{Done: "floor.staged", Pickup: d.Pickup, Shelf: shelf}
	if len(ws) > 0 {
		a.Seq = ws[len(ws)-1].Seq
	}
	return a, err
}
