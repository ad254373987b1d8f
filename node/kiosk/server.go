package kiosk

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// server answers the local API. Its methods return refusals as they are: the
// border words them.
type server struct {
	storev1.UnimplementedStoreFloorServer
	k *Kiosk
}

// Scan does what a scanner would do.
func (s *server) Scan(ctx context.Context, r *storev1.ScanRequest) (*storev1.ScanResponse, error) {
	began := time.Now()
	id, err := parseOptionalID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	if r.GetQuantity() < 0 {
		return nil, stock.Refuse(stock.BadUnits, "%d units", r.GetQuantity())
	}
	scan := shopfloor.Scan{ID: id, Device: "api", Data: []byte(r.GetData()), AIM: r.GetAim(),
		Units: stock.Units(r.GetQuantity())}
	var a shopfloor.Answer
	var st shopfloor.Station
	switch r.GetDecision() {
	case "":
		a, st, err = s.k.scan(ctx, r.GetStation(), scan, began)
	case choiceRefuse:
		a, st, err = s.k.keepPromise(ctx, r.GetStation())
	case choiceSell:
		a, st, err = s.k.sellAnyway(ctx, r.GetStation(), scan, signature{r.GetManager(), r.GetPin()})
	default:
		return nil, badRequest("decision", "%.20q", r.GetDecision())
	}
	if err != nil {
		return nil, err
	}
	lang := s.k.language(ctx)
	return &storev1.ScanResponse{Answer: s.k.answerProto(lang, a), Station: s.k.stationProto(lang, st)}, nil
}

// signature is a name and a PIN that somebody typed.
type signature struct{ name, pin string }

// decider says who decides at a station: who signs now, else who is signed in.
func (k *Kiosk) decider(ctx context.Context, station string, by signature) (shopfloor.Decider, error) {
	if by.name != "" {
		return k.pins.check(by.name, by.pin)
	}
	st, err := k.o.Floor.Station(ctx, station)
	if err != nil {
		return shopfloor.Decider{}, err
	}
	if st.Staff == "" {
		return shopfloor.Decider{}, stock.Refuse(stock.NotSignedIn, "nobody decides at %s", station)
	}
	return shopfloor.Decider{Name: st.Staff, Manager: st.Manager}, nil
}

// sellAnyway repeats the scan that raised a question, with a person's word.
func (k *Kiosk) sellAnyway(ctx context.Context, station string, scan shopfloor.Scan, by signature) (
	shopfloor.Answer, shopfloor.Station, error) {
	who, err := k.decider(ctx, station, by)
	if err != nil {
		return shopfloor.Answer{}, shopfloor.Station{}, err
	}
	st, err := k.o.Floor.Station(ctx, station)
	if err != nil {
		return shopfloor.Answer{}, st, err
	}
	if q := st.Question; q != nil && q.ID == scan.ID {
		scan.Data, scan.AIM = q.Data, q.AIM
		if shopfloor.Measured(q.Product) {
			scan.Units = q.Units
		}
	}
	scan.Decided = &who
	return k.scan(ctx, station, scan, time.Now())
}

// keepPromise leaves the unit to whom it was promised.
func (k *Kiosk) keepPromise(ctx context.Context, station string) (shopfloor.Answer, shopfloor.Station, error) {
	st, err := k.o.Floor.DropQuestion(ctx, station)
	if err != nil {
		return shopfloor.Answer{}, st, err
	}
	k.events.publish(event("station", station, ""))
	return shopfloor.Answer{Done: "floor.kept", At: time.Now().UnixMilli()}, st, nil
}

// SetMode says what the next scans at a station mean.
func (s *server) SetMode(ctx context.Context, r *storev1.SetModeRequest) (*storev1.Station, error) {
	var pickup shopfloor.ID
	var err error
	if r.GetReservation() != "" {
		if pickup, err = parseReservation(r.GetReservation()); err != nil {
			return nil, err
		}
	}
	st, err := s.k.setMode(ctx, r.GetStation(), shopfloor.Mode(r.GetMode()), r.GetDocument(), pickup)
	if err != nil {
		return nil, err
	}
	return s.k.stationProto(s.k.language(ctx), st), nil
}

func (k *Kiosk) setMode(ctx context.Context, station string, m shopfloor.Mode, document string,
	pickup shopfloor.ID) (shopfloor.Station, error) {
	st, err := k.o.Floor.SetMode(ctx, station, m, document, pickup)
	if err == nil {
		k.events.publish(event("station", station, ""))
	}
	return st, err
}

// GetStation returns a station.
func (s *server) GetStation(ctx context.Context, r *storev1.GetStationRequest) (*storev1.Station, error) {
	st, err := s.k.o.Floor.Station(ctx, r.GetStation())
	if err != nil {
		return nil, err
	}
	return s.k.stationProto(s.k.language(ctx), st), nil
}

// SignIn signs a person in, or out when the name is empty.
func (s *server) SignIn(ctx context.Context, r *storev1.SignInRequest) (*storev1.Station, error) {
	st, err := s.k.signIn(ctx, r.GetStation(), signature{r.GetName(), r.GetPin()})
	if err != nil {
		return nil, err
	}
	return s.k.stationProto(s.k.language(ctx), st), nil
}

func (k *Kiosk) signIn(ctx context.Context, station string, by signature) (shopfloor.Station, error) {
	var who shopfloor.Decider
	if by.name != "" {
		var err error
		if who, err = k.pins.check(by.name, by.pin); err != nil {
			return shopfloor.Station{}, err
		}
	}
	st, err := k.o.Floor.SignIn(ctx, station, who)
	if err == nil {
		k.events.publish(event("station", station, ""))
	}
	return st, err
}

// FinishBasket ends the basket of a station, prints its receipt, and opens the
// drawer for cash.
func (s *server) FinishBasket(ctx context.Context, r *storev1.FinishBasketRequest) (
	*storev1.FinishBasketResponse, error) {
	id, err := parseOptionalID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	if _, known := storev1.Tender_name[int32(r.GetTender())]; !known {
		return nil, badRequest("tender", "%d", r.GetTender())
	}
	done, err := s.k.finishBasket(ctx, r.GetStation(), id)
	if err != nil {
		return nil, err
	}
	if r.GetTender() == storev1.Tender_TENDER_CASH {
		s.k.cashDrawer(r.GetStation(), id)
	}
	out := &storev1.FinishBasketResponse{TotalMinor: done.Total}
	if done.Job.ID != 0 {
		out.Receipt = jobProto(done.Job)
	}
	return out, nil
}

// WatchEvents sends what happens until the caller goes away.
func (s *server) WatchEvents(r *storev1.WatchEventsRequest, stream storev1.StoreFloor_WatchEventsServer) error {
	return s.k.follow(stream.Context(), r.GetStation(), stream.Send)
}

// beat is how long a quiet stream stays quiet.
const beat = 10 * time.Second

// follow sends a hello at once, then every event, and a beat when it is quiet,
// until ctx ends, send fails or the reader is too slow.
func (k *Kiosk) follow(ctx context.Context, station string, send func(*storev1.Event) error) error {
	events, leave := k.events.subscribe(station)
	defer leave()
	if err := send(event("hello", station, "")); err != nil {
		return err
	}
	quiet := time.NewTimer(beat)
	defer quiet.Stop()
	for {
		var e *storev1.Event
		select {
		case <-ctx.Done():
			return nil
		case <-quiet.C:
			e = event("beat", station, "")
		case next, open := <-events:
			if !open {
				return stock.Refuse(stock.Busy, "reader of events is too slow").With("after_ms", 0)
			}
			e = next
		}
		if err := send(e); err != nil {
			return err
		}
		quiet.Reset(beat)
	}
}

// ListRecords returns journal records as they are stored.
func (s *server) ListRecords(ctx context.Context, r *storev1.ListRecordsRequest) (*storev1.ListRecordsResponse, error) {
	const usual, limit, maxBytes = 100, 500, 2 << 20
	n, err := pageSize(r.GetPageSize(), usual, limit)
	if err != nil {
		return nil, err
	}
	entries, err := s.k.o.Journal.Entries(ctx, max(1, r.GetFrom()), n, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	out := &storev1.ListRecordsResponse{}
	for _, e := range entries {
		var rec recordv1.Record
		if err := proto.Unmarshal(e.Data, &rec); err != nil {
			return nil, fmt.Errorf("decode record %d: %w", e.Seq, err)
		}
		out.Records = append(out.Records, &storev1.StoredRecord{Seq: e.Seq, Data: e.Data, Hash: e.Hash[:],
			Kind: kindOf(&rec)})
	}
	return out, nil
}

// kindOf names what a record is, as its field is called.
func kindOf(rec *recordv1.Record) string {
	m := rec.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("body"))
	if field == nil {
		return ""
	}
	return string(field.Name())
}

// GetNode describes the node as a whole.
func (s *server) GetNode(ctx context.Context, _ *storev1.GetNodeRequest) (*storev1.Node, error) {
	k := s.k
	head, info, link := k.o.Floor.Head(), k.o.Info, k.o.Link.State()
	n := &storev1.Node{Store: uint32(info.Store), StoreName: info.Name, Town: info.Town, NodeId: info.NodeID,
		Epoch: k.o.Floor.Epoch().String(), JournalLast: head.Seq, JournalHash: head.Hash.String(),
		Mode: enumWord(k.o.Floor.Mode().String(), "NODE_MODE_"), Clock: enumWord(k.o.Floor.Clock().String(), "CLOCK_STATE_"),
		Build: info.Build, Currency: info.Currency, Language: string(info.Language),
		Link: &storev1.Link{State: enumWord(link.Phase.String(), ""), Since: stampTime(link.Since),
			Backlog: link.Backlog, Acked: link.Acked, Session: link.Session, Refused: link.Refused}}
	for _, d := range k.o.Devices.States() {
		n.Devices = append(n.Devices, deviceProto(d))
	}
	err := k.view(ctx, func(tx *journal.Tx) error {
		c, err := books.CursorOf(tx, info.Store)
		if err != nil {
			return err
		}
		n.Timeline, n.Link.DirectivesApplied = uint32(c.Timeline), c.Directives
		n.Products, err = k.o.Products.Count(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	n.CatalogueVersion, err = k.o.Products.Version(ctx)
	return n, err
}
