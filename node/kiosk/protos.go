package kiosk

import (
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk/spool"
	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
	"holdfast.dev/stock/words"
)

// int32Of narrows an amount for the API, which has 32 bits; the books bound
// amounts far below that, so only nonsense is cut.
func int32Of[N ~int64 | ~uint64 | ~int](n N) int32 {
	return int32(max(math.MinInt32, min(math.MaxInt32, int64(n))))
}

func stampMillis(ms int64) *timestamppb.Timestamp {
	if ms == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMilli(ms))
}

func stampTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

var saleModes = map[recordv1.SaleMode]string{
	recordv1.SaleMode_SALE_MODE_NORMAL: "normal", recordv1.SaleMode_SALE_MODE_FOUND: "found",
	recordv1.SaleMode_SALE_MODE_BORROW: "borrow", recordv1.SaleMode_SALE_MODE_BUMP: "bump",
	recordv1.SaleMode_SALE_MODE_SAFE: "safe",
}

func roleOf(manager bool, name string) string {
	switch {
	case name == "":
		return ""
	case manager:
		return roleManager
	}
	return "staff"
}

func (k *Kiosk) stationProto(lang words.Lang, s shopfloor.Station) *storev1.Station {
	out := &storev1.Station{Station: s.Name, Mode: storev1.Mode(s.Mode), Staff: s.Staff,
		Role: roleOf(s.Manager, s.Staff), Document: s.Document, Reservation: idString(s.Pickup),
		Currency: k.o.Info.Currency}
	for _, l := range s.Lines {
		out.Basket = append(out.Basket, &storev1.BasketLine{Gtin: l.Product.GetGtin(),
			Name: catalogue.Name(l.Product, string(lang)), Quantity: int32Of(l.Line.GetUnits()),
			Unit: l.Product.GetUnit(), TotalMinor: l.Line.GetTotalMinor(), Mode: saleModes[l.Mode]})
	}
	total, currency := s.Total()
	out.TotalMinor = total
	if currency != "" {
		out.Currency = currency
	}
	if s.Last != nil {
		out.Last = k.answerProto(lang, *s.Last)
	}
	if q := s.Question; q != nil {
		out.Decision = &storev1.Decision{RequestId: idString(q.ID), Gtin: q.Product.GetGtin(),
			Product: catalogue.Name(q.Product, string(lang)), Quantity: int32Of(q.Units), Level: q.Level,
			Promised: int32Of(q.Promised), RiskPermille: int32(min(q.Risk, 1000)), Manager: q.Manager,
			Choices: []string{choiceSell, choiceRefuse}}
	}
	return out
}

// Choices of a person whom a station asks about a promised unit.
const (
	choiceSell   = "sell"
	choiceRefuse = "refuse"
)

// Sounds of an answer.
const (
	soundYes = "yes"
	soundNo  = "no"
)

func (k *Kiosk) answerProto(lang words.Lang, a shopfloor.Answer) *storev1.Answer {
	out := &storev1.Answer{Ok: a.Refusal == nil, Sound: soundYes, Seq: a.Seq, At: stampMillis(a.At),
		Sentence: k.sentence(lang, a), Gtin: a.Product.GetGtin()}
	if a.Product != nil {
		out.Product = catalogue.Name(a.Product, string(lang))
	}
	if a.Refusal != nil {
		out.Sound, out.Code, out.Args = soundNo, a.Refusal.Code.String(), a.Refusal.Args
		return out
	}
	out.Args = map[string]string{}
	if a.Units != 0 {
		out.Args["quantity"] = decimal(int64(a.Units))
	}
	if a.Pickup != (shopfloor.ID{}) {
		out.Args["reservation"] = idString(a.Pickup)
	}
	if a.Shelf != "" {
		out.Args["shelf"] = a.Shelf
	}
	return out
}

// codeFault stands where a refusal's code would when the machine had trouble.
const codeFault = "FAULT"

func (k *Kiosk) faultProto(lang words.Lang) *storev1.Answer {
	return &storev1.Answer{Code: codeFault, Sound: soundNo, Sentence: words.T(lang, "kiosk.fault.text"),
		At: timestamppb.New(time.Now())}
}

// sentence is what a station says after a scan or step.
func (k *Kiosk) sentence(lang words.Lang, a shopfloor.Answer) string {
	if a.Refusal != nil {
		return words.RefusalAt(lang, a.Refusal, k.now())
	}
	args := []any{}
	if a.Product != nil {
		args = append(args, "product", catalogue.Name(a.Product, string(lang)),
			"quantity", counted(lang, a.Units, a.Product))
	}
	if a.Amount != 0 {
		args = append(args, "amount", words.Money(lang, a.Amount, a.Product.GetCurrency()))
	}
	if a.Shelf != "" {
		args = append(args, "shelf", strings.TrimPrefix(a.Shelf, shelfPrefix))
	}
	return words.T(lang, a.Done, args...)
}

// counted writes units as they stand before a product's name: "2 ×", "350 g".
func counted(lang words.Lang, n stock.Units, p *recordv1.Product) string {
	if shopfloor.Measured(p) {
		return words.Quantity(lang, n, p.GetUnit())
	}
	return words.Number(lang, int64(n)) + " ×"
}

func (k *Kiosk) stockProto(lang words.Lang, a books.Account, p *recordv1.Product) *storev1.Stock {
	b := a.Balances
	s := &storev1.Stock{Sku: uint32(a.SKU), Gtin: p.GetGtin(), Aisle: p.GetAisle(), Unit: p.GetUnit(),
		Category: p.GetCategory(), PriceMinor: int32Of(p.GetPriceMinor()), Currency: p.GetCurrency(),
		OnHand: int32Of(onHand(b)), Available: int32Of(available(b)),
		Sellable: int32Of(b[ledger.Sellable]), Online: int32Of(b[ledger.Online]),
		Reserved: int32Of(b[ledger.Reserved]), Picked: int32Of(b[ledger.Picked]),
		Staged: int32Of(b[ledger.Staged]), Damaged: int32Of(b[ledger.Damaged]),
		ToShelve: int32Of(b[ledger.ToShelve]), Accounts: make(map[string]int64),
		Granted: int64(a.Rights.Granted), Returned: int64(a.Rights.Returned), Assigned: int64(a.Rights.Assigned)}
	if p != nil {
		s.Name = catalogue.Name(p, string(lang))
	}
	for acct := ledger.Sellable; acct <= ledger.Writeoff; acct++ {
		if b[acct] != 0 {
			s.Accounts[acct.String()] = int64(b[acct])
		}
	}
	return s
}

// onHand is what is on the premises, usable or not.
func onHand(b ledger.Balances) stock.Units {
	return b[ledger.Sellable] + b[ledger.Online] + b[ledger.Reserved] + b[ledger.Picked] +
		b[ledger.Staged] + b[ledger.ToShelve] + b[ledger.Damaged]
}

// available is what the store and the web can still promise together.
func available(b ledger.Balances) stock.Units {
	return max(0, b[ledger.Sellable]+b[ledger.Online])
}

func (k *Kiosk) pickupProto(tx *journal.Tx, lang words.Lang, r *books.Reservation) (*storev1.Pickup, error) {
	out := &storev1.Pickup{Reservation: idString(r.ID), State: r.State().String(), Code: r.Reserve.GetCode(),
		Contact: r.Reserve.GetContact(), PickupUntil: stampMillis(r.PickupUntil), Shelf: r.Shelf,
		FinishTime: stampMillis(r.FinishedAt), CreateTime: stampMillis(r.Reserve.GetConfirmedAt()),
		Language: r.Reserve.GetLanguage()}
	promised := make(map[uint32]*recordv1.ReservedLine)
	for _, l := range r.Reserve.GetLines() {
		promised[l.GetLine()] = l
	}
	for _, l := range r.Lines {
		p, err := k.o.Products.BySKU(tx, l.SKU)
		if err != nil {
			return nil, err
		}
		line := &storev1.PickupLine{Line: l.Line, Gtin: p.GetGtin(), Aisle: p.GetAisle(), Unit: p.GetUnit(),
			Category: p.GetCategory(), Quantity: int32Of(l.Quantity),
			Reserved: int32Of(l.At(reservation.Reserved)), Picked: int32Of(l.At(reservation.Picked)),
			Staged: int32Of(l.At(reservation.Staged)), Collected: int32Of(l.At(reservation.Collected)),
			Released: int32Of(l.At(reservation.Released)), Short: int32Of(l.At(reservation.Short))}
		if p != nil {
			line.Name = catalogue.Name(p, string(lang))
		} else { // the catalogue lags; the reservation brought its own words
			line.Gtin, line.Name = promised[l.Line].GetGtin(), promised[l.Line].GetName()
		}
		out.Lines = append(out.Lines, line)
	}
	return out, nil
}

func deviceProto(s devices.State) *storev1.Device {
	d := &storev1.Device{Name: s.Name, Kind: string(s.Kind), Phase: string(s.Phase),
		LastSeen: stampTime(s.LastSeen), LastError: s.LastError, Garbage: s.Garbage,
		Count: s.Scans + s.Jobs.Printed + s.Jobs.Sent}
	if !s.Prints() {
		d.Count += s.Done // what a printer has done beside its jobs is its drawer's
	}
	if s.Label != nil {
		d.PaperOut, d.CoverOpen = s.Label.MediaOut, s.Label.HeadOpen
	}
	if s.Printer != nil {
		d.PaperOut, d.CoverOpen = s.Printer.PaperOut, s.Printer.CoverOpen
	}
	return d
}

func jobProto(j spool.Job) *storev1.PrintJob {
	return &storev1.PrintJob{Job: uint64(j.ID), Kind: j.Kind, State: j.State.String(), Device: j.Device,
		Title: j.Title, Text: j.Text, At: stampMillis(j.At), CopyOf: uint64(j.CopyOf), Error: j.Error}
}
