package kiosk

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/kiosk/paper"
	"holdfast.dev/node/kiosk/spool"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
	"holdfast.dev/stock/words"
)

// Kinds of print jobs.
const (
	kindSale     = "receipt"
	kindPickSlip = "pick_slip"
	kindHandover = "collect_receipt"
)

// slips remembers the orders that may need a pick slip. One wake stands for
// all of them.
type slips struct {
	mu   sync.Mutex
	due  map[shopfloor.ID]bool // guarded by mu
	wake chan struct{}
	turn chan struct{} // held while a basket ends, so that it is owed one receipt
}

func newSlips() *slips {
	return &slips{due: make(map[shopfloor.ID]bool), wake: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
}

// takeTurn waits for the turn to end a basket.
func (s *slips) takeTurn(ctx context.Context) (done func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slips) look(id shopfloor.ID) {
	s.mu.Lock()
	s.due[id] = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *slips) take() map[shopfloor.ID]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.due
	s.due = make(map[shopfloor.ID]bool)
	return due
}

// printSlips prints a pick slip for every order that the store accepts, once.
// At the start it looks for paper that is missing, in case the process ended
// between the books and the paper.
func (k *Kiosk) printSlips(ctx context.Context) error {
	if err := k.missedPaper(ctx); err != nil && ctx.Err() == nil {
		k.log.Error("paper of before the restart", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.slips.wake:
		}
		for id := range k.slips.take() {
			if err := k.slipOf(ctx, id); err != nil && ctx.Err() == nil {
				k.log.Error("pick slip", "pickup", idString(id), "err", err)
			}
		}
	}
}

// missedWithin is how old a handover may be that still gets a receipt after a
// restart: the customer is gone later.
const missedWithin = 10 * time.Minute

func (k *Kiosk) missedPaper(ctx context.Context) error {
	if err := k.missedReceipts(ctx); err != nil {
		return err
	}
	const recent = 20
	var open, ended []*books.Reservation
	err := k.view(ctx, func(tx *journal.Tx) (err error) {
		if open, err = books.OpenReservations(tx, k.o.Info.Store, maxListed); err != nil {
			return err
		}
		ended, err = books.FinishedReservations(tx, k.o.Info.Store, recent)
		return err
	})
	for _, r := range open {
		if err == nil {
			err = k.slipFor(ctx, r)
		}
	}
	for _, r := range ended {
		young := time.Since(time.UnixMilli(r.FinishedAt)) < missedWithin
		if err == nil && young && r.State() == reservation.AllCollected {
			err = k.handoverReceipt(ctx, "", r.ID)
		}
	}
	return err
}

// missedReceipts queues the receipts of baskets that ended just before the
// process did.
func (k *Kiosk) missedReceipts(ctx context.Context) error {
	done, err := k.slips.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer done()
	return k.settleOwed(ctx)
}

func (k *Kiosk) slipOf(ctx context.Context, id shopfloor.ID) error {
	r, err := k.reservation(ctx, id)
	if err != nil {
		return err
	}
	return k.slipFor(ctx, r)
}

// slipFor queues the slip of an order on which nobody has begun. The key makes
// it happen once, also across restarts.
func (k *Kiosk) slipFor(ctx context.Context, r *books.Reservation) error {
	key := "pick/" + idString(r.ID)
	printer := k.printer("")
	if !r.Accepted || r.State() != reservation.New || printer == "" {
		return nil
	}
	before, err := k.spool.Find(ctx, key)
	if err != nil || before.ID != 0 {
		return err
	}
	lines, _, err := k.paperLines(ctx, r, k.o.Info.Language, reservation.Reserved)
	if err != nil {
		return err
	}
	_, err = k.print(ctx, spool.Job{Key: key, Kind: kindPickSlip, Device: printer},
		paper.PickSlip{Lang: k.o.Info.Language, Store: k.paperStore(), Code: r.Reserve.GetCode(),
			Contact: r.Reserve.GetContact(), Until: r.PickupUntil, At: time.Now().UnixMilli(), Lines: lines},
		paper.Original)
	return err
}

func (k *Kiosk) paperStore() paper.Store {
	return paper.Store{Name: k.o.Info.Name, Street: k.o.Info.Street, Town: k.o.Info.Town, Zone: k.zone.String()}
}

// paperLines lists the units of an order that are at a part, and those that ran
// short.
func (k *Kiosk) paperLines(ctx context.Context, r *books.Reservation, lang words.Lang,
	part reservation.Part) (lines, short []paper.PickLine, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		order, err := k.pickupProto(tx, lang, r)
		if err != nil {
			return err
		}
		for i, l := range r.Lines {
			o := order.GetLines()[i]
			line := paper.PickLine{Name: o.GetName(), Aisle: o.GetAisle(), GTIN: o.GetGtin(), Unit: o.GetUnit()}
			if line.Units = l.At(part); line.Units > 0 {
				lines = append(lines, line)
			}
			if line.Units = l.At(reservation.Short); line.Units > 0 {
				short = append(short, line)
			}
		}
		return nil
	})
	return lines, short, err
}

// printCollected prints the receipt of a handover. The goods are gone, so
// trouble with the paper is logged and shown, and refuses nothing.
func (k *Kiosk) printCollected(ctx context.Context, station string, id shopfloor.ID) {
	ctx = context.WithoutCancel(ctx)
	if err := k.handoverReceipt(ctx, station, id); err != nil {
		k.log.Error("receipt of a handover", "pickup", idString(id), "err", err)
	}
}

func (k *Kiosk) handoverReceipt(ctx context.Context, station string, id shopfloor.ID) error {
	printer := k.printer(station)
	if printer == "" {
		return nil
	}
	r, err := k.reservation(ctx, id)
	if err != nil {
		return err
	}
	lang, ok := words.ParseLang(r.Reserve.GetLanguage())
	if !ok {
		lang = k.o.Info.Language
	}
	lines, short, err := k.paperLines(ctx, r, lang, reservation.Collected)
	if err != nil {
		return err
	}
	_, err = k.print(ctx, spool.Job{Key: "collect/" + idString(id), Kind: kindHandover, Device: printer},
		paper.Handover{Lang: lang, Store: k.paperStore(), Code: codeOf(r),
			Number:  "H" + k.o.Info.Store.String() + "-" + codeOf(r),
			Contact: r.Reserve.GetContact(), At: time.Now().UnixMilli(), Lines: lines, Missing: short},
		paper.Original)
	return err
}

// codeOf is what people call an order: its code, or the begin of its id when it
// is known by its token alone.
func codeOf(r *books.Reservation) string {
	if code := r.Reserve.GetCode(); code != "" {
		return code
	}
	return strings.ToUpper(hex.EncodeToString(r.ID[:4]))
}

// finished is what became of a basket.
type finished struct {
	Total int64
	Job   spool.Job // zero when the store has no printer
}

// ended is the last basket of a station without a printer; where there is one
// the receipt knows.
type ended struct {
	request shopfloor.ID
	total   int64
}

// finishBasket ends a basket and queues its receipt. The same request again
// returns the same receipt. That the receipt is owed is on the disk before the
// basket ends, so that no crash between the two loses it.
func (k *Kiosk) finishBasket(ctx context.Context, station string, request shopfloor.ID) (finished, error) {
	key := "sale/" + idString(request)
	done, err := k.slips.takeTurn(ctx)
	if err != nil {
		return finished{}, err
	}
	defer done()
	if err := k.settleOwed(ctx); err != nil {
		return finished{}, err
	}
	before, err := k.spool.Find(ctx, key)
	if err != nil {
		return finished{}, err
	}
	if before.ID != 0 {
		var sale paper.Sale
		err := json.Unmarshal(before.Source, &sale)
		return finished{Total: sale.Total(), Job: before}, err
	}
	printer := k.printer(station)
	if was, ok := k.finishedAt.Load(station); ok && was.(ended).request == request {
		return finished{Total: was.(ended).total}, nil
	}
	if printer != "" {
		if err := k.promise(ctx, key, station); err != nil {
			return finished{}, err
		}
	}
	st, err := k.o.Floor.FinishBasket(ctx, station)
	if err != nil {
		return finished{}, err // the promise is settled by what the books say then
	}
	total, _ := st.Total()
	k.events.publish(event("station", station, ""))
	if printer == "" {
		k.finishedAt.Store(station, ended{request, total})
		return finished{Total: total}, nil
	}
	j, err := k.print(context.WithoutCancel(ctx), spool.Job{Key: key, Kind: kindSale, Device: printer},
		k.saleOf(st), paper.Original)
	return finished{Total: total, Job: j}, err
}

// saleOf is the receipt of a basket. Its number is that of the last record.
func (k *Kiosk) saleOf(st shopfloor.Station) paper.Sale {
	lang := k.o.Info.Language
	_, currency := st.Total()
	sale := paper.Sale{Lang: lang, Store: k.paperStore(), At: time.Now().UnixMilli(), Staff: st.Staff,
		Station: st.Name, Currency: currency}
	for _, l := range st.Lines {
		sale.Number = fmt.Sprintf("R%s-%d", k.o.Info.Store, l.Seq)
		sale.Lines = append(sale.Lines, paper.SaleLine{Name: catalogue.Name(l.Product, string(lang)),
			Units: stock.Units(l.Line.GetUnits()), Unit: l.Product.GetUnit(), PriceMinor: l.Line.GetPriceMinor(),
			TotalMinor: l.Line.GetTotalMinor(), VATPermille: l.Line.GetVatPermille()})
	}
	return sale
}

// print queues a paper.
func (k *Kiosk) print(ctx context.Context, j spool.Job, p paper.Paper, m paper.Mark) (spool.Job, error) {
	d := p.Document(m)
	if j.Kind != kindPickSlip {
		d = paper.Headed(d, k.o.Logo)
	}
	data, err := receipt.Job(d)
	if err != nil {
		return j, fmt.Errorf("lay out %s: %w", j.Kind, err)
	}
	if j.Source, err = json.Marshal(p); err != nil {
		return j, err
	}
	j.Title, j.Text, j.Data = p.Title(), receipt.Text(d), data
	return k.spool.Add(ctx, j)
}

// reprint prints a job again. One that is surely on paper is repeated as a
// copy; one that may be is a possible duplicate; one that surely is not is
// printed as the original that it would have been.
func (k *Kiosk) reprint(ctx context.Context, id int64, request shopfloor.ID) (spool.Job, error) {
	j, err := k.spool.Job(ctx, id)
	if err != nil {
		return j, err
	}
	var p paper.Paper
	switch j.Kind {
	case kindSale:
		p, err = decodePaper[paper.Sale](j.Source)
	case kindPickSlip:
		p, err = decodePaper[paper.PickSlip](j.Source)
	default:
		p, err = decodePaper[paper.Handover](j.Source)
	}
	if err != nil {
		return j, fmt.Errorf("read print job %d: %w", id, err)
	}
	mark := map[hardware.PrintState]paper.Mark{hardware.Unknown: paper.Duplicate,
		hardware.Sent: paper.Copy, hardware.Printed: paper.Copy, hardware.Failed: paper.Original}
	if j.State == hardware.Queued {
		return j, stock.Refuse(stock.WrongState, "job %d is still queued", id).With("state", "queued")
	}
	m := mark[j.State]
	if m == paper.Original && j.CopyOf != 0 {
		m = paper.Copy
	}
	return k.print(ctx, spool.Job{Key: "again/" + idString(request), Kind: j.Kind, Device: j.Device,
		CopyOf: j.ID}, p, m)
}

func decodePaper[P paper.Paper](source []byte) (paper.Paper, error) {
	var p P
	err := json.Unmarshal(source, &p)
	return p, err
}
