package drills

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

// book is what people were told. It must be so at the end, whatever was lost.
type book struct {
	acts   []act
	onHand map[string]int32 // by GTIN
	orders []*order
	events map[string]bool // codes of events that people have to look at
}

// act is a request to a store's node that was answered.
type act struct {
	what  string
	again request
	told  proto.Message // the answer, without its place in the journal
}

type request func(context.Context, floor) (proto.Message, error)

// floor is a node as tills see it.
type floor = storev1.StoreFloorClient

// order is a promise to a shopper.
type order struct {
	*shopv1.Reservation
	request *shopv1.CreateReservationRequest
	gtin    string
	units   int32
	end     string // how it ended in the store, as its API names it; empty: it is open
	ended   shopv1.ReservationState

	// forgotten says that a restored cloud has never heard of its request.
	forgotten bool
}

// newID is the id that a caller makes for one request.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// ask makes a request to a box and remembers what was answered.
func (s *site) ask(ctx context.Context, b *box, what string, r request) error {
	answer, err := r(ctx, b.floor)
	if err != nil {
		return fmt.Errorf("%s at %s: %w", what, b.program.Name(), err)
	}
	s.book.acts = append(s.book.acts, act{what: what, again: r, told: placeless(answer)})
	return nil
}

// placeless is an answer without what may differ when it is given again: its
// number in a journal that was rebuilt, that it was repeated, how a sale that a
// till sent again was covered, and how an order stands now.
func placeless(m proto.Message) proto.Message {
	m = proto.Clone(m)
	if handover, ok := m.(*storev1.CollectResponse); ok {
		handover.Pickup = &storev1.Pickup{Reservation: handover.GetPickup().GetReservation()}
	}
	fields := m.ProtoReflect().Descriptor().Fields()
	for _, name := range []protoreflect.Name{"seq", "repeated", "mode"} {
		if f := fields.ByName(name); f != nil {
			m.ProtoReflect().Clear(f)
		}
	}
	return m
}

func (s *site) stock(gtin string, change int32) {
	if s.book.onHand == nil {
		s.book.onHand = make(map[string]int32)
	}
	s.book.onHand[gtin] += change
}

// receive books a delivery.
func (s *site) receive(ctx context.Context, b *box, gtin string, n int32) error {
	r := &storev1.ReceiveRequest{RequestId: newID(), Document: "DN-" + newID(),
		Lines: []*storev1.SellLine{{Gtin: gtin, Quantity: n}}}
	err := s.ask(ctx, b, "delivery", func(ctx context.Context, f floor) (proto.Message, error) {
		return f.Receive(ctx, r)
	})
	if err == nil {
		s.stock(gtin, n)
	}
	return err
}

// sell books a sale.
func (s *site) sell(ctx context.Context, b *box, gtin string, n int32) error {
	r := &storev1.SellRequest{RequestId: newID(), Till: "till-1",
		Lines: []*storev1.SellLine{{Gtin: gtin, Quantity: n}}}
	err := s.ask(ctx, b, "sale", func(ctx context.Context, f floor) (proto.Message, error) {
		return f.Sell(ctx, r)
	})
	if err == nil {
		s.stock(gtin, -n)
	}
	return err
}

// promise orders units for a shopper.
func (s *site) promise(ctx context.Context, gtin string, n int32) (*order, error) {
	r := &shopv1.CreateReservationRequest{RequestId: newID(), Store: store,
		Lines:   []*shopv1.CartLine{{Gtin: gtin, Quantity: n}},
		Contact: &shopv1.Contact{FirstName: "Ann", Language: "en", Pin: orderPIN}}
	made, err := s.shop.CreateReservation(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("order %d: %w", n, err)
	}
	o := &order{Reservation: made, request: r, gtin: gtin, units: n}
	s.book.orders = append(s.book.orders, o)
	return o, nil
}

// stage picks an order and puts it on a pickup shelf.
func (s *site) stage(ctx context.Context, b *box, o *order) error {
	err := eventually(ctx, func() error {
		_, err := b.floor.GetPickup(ctx, &storev1.GetPickupRequest{Reservation: o.GetReservation()})
		return err
	})
	if err != nil {
		return fmt.Errorf("order %s at %s: %w", o.GetCode(), b.program.Name(), err)
	}
	_, err = b.floor.PickItem(ctx, &storev1.PickItemRequest{Reservation: o.GetReservation(),
		RequestId: newID(), Gtin: o.gtin, Quantity: o.units})
	if err != nil {
		return fmt.Errorf("pick order %s: %w", o.GetCode(), err)
	}
	_, err = b.floor.StagePickup(ctx, &storev1.StagePickupRequest{Reservation: o.GetReservation(),
		RequestId: newID(), Shelf: "P1"})
	if err != nil {
		return fmt.Errorf("stage order %s: %w", o.GetCode(), err)
	}
	return nil
}

// orderPIN is what shoppers choose: it must be asked for whatever was lost.
const orderPIN = "4711"

// collect hands an order over by its signed code and its PIN.
func (s *site) collect(ctx context.Context, b *box, o *order) error {
	_, err := b.floor.Collect(ctx, &storev1.CollectRequest{RequestId: newID(), Code: o.GetToken()})
	if !demo.Refused(err, "NEED_PIN") {
		return fmt.Errorf("order %s without its PIN: %w", o.GetCode(), err)
	}
	r := &storev1.CollectRequest{RequestId: newID(), Code: o.GetToken(), Pin: orderPIN}
	err = s.ask(ctx, b, "handover", func(ctx context.Context, f floor) (proto.Message, error) {
		return f.Collect(ctx, r)
	})
	if err == nil {
		o.end, o.ended = "collected", shopv1.ReservationState_COLLECTED
		s.stock(o.gtin, -o.units)
	}
	return err
}

// expects says that people will be told of events with these codes.
func (s *site) expects(codes ...string) {
	if s.book.events == nil {
		s.book.events = make(map[string]bool)
	}
	for _, code := range codes {
		s.book.events[code] = true
	}
}

// prove wants everything at the store's present box, and in the cloud, to be as
// people were told. It says in numbers what it looked at.
func (s *site) prove(ctx context.Context, b *box) (string, error) {
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	before, err := b.node(ctx)
	if err != nil {
		return "", err
	}
	checks := []func(context.Context, *box) error{s.sameAnswers, s.sameOrders, s.sameStock}
	for _, check := range checks {
		if err := check(ctx, b); err != nil {
			return "", err
		}
	}
	after, err := b.node(ctx)
	if err != nil {
		return "", err
	}
	if err := nothingBooked(ctx, b, before.GetJournalLast()+1); err != nil {
		return "", err
	}
	if _, err := b.verify(ctx); err != nil {
		return "", err
	}
	n, err := s.invariants(ctx)
	if err != nil {
		return "", err
	}
	if err := s.onlyExpected(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d answers, %d orders, %d products and %d records as told, %d facts hold",
		len(s.book.acts), len(s.book.orders), len(s.book.onHand), after.GetJournalLast(), n), nil
}

// byPeople are the kinds of records that tills and counters make. Others come by
// themselves at any time, such as rights that move.
var byPeople = []string{"sale", "receipt", "collect", "collect_by_token"}

// nothingBooked wants no record of people's from a number on.
func nothingBooked(ctx context.Context, b *box, from uint64) error {
	added, err := b.floor.ListRecords(ctx, &storev1.ListRecordsRequest{From: from})
	if err != nil {
		return err
	}
	for _, r := range added.GetRecords() {
		if slices.Contains(byPeople, r.GetKind()) {
			return fmt.Errorf("asking again wrote record %d, a %s", r.GetSeq(), r.GetKind())
		}
	}
	return nil
}

// sameAnswers makes every request again that was ever answered.
func (s *site) sameAnswers(ctx context.Context, b *box) error {
	for _, a := range s.book.acts {
		answer, err := a.again(ctx, b.floor)
		if err != nil {
			return fmt.Errorf("%s again: %w", a.what, err)
		}
		if got := placeless(answer); !proto.Equal(a.told, got) {
			return fmt.Errorf("%s was answered\n%v\nand again\n%v", a.what, a.told, got)
		}
	}
	return nil
}

// sameOrders wants every order at both ends as it was left, its request to be
// answered with it, and none to be handed over a second time.
func (s *site) sameOrders(ctx context.Context, b *box) error {
	for _, o := range s.book.orders {
		if err := s.sameOrder(ctx, b, o); err != nil {
			return fmt.Errorf("order %s: %w", o.GetCode(), err)
		}
	}
	return nil
}

func (s *site) sameOrder(ctx context.Context, b *box, o *order) error {
	id := o.GetReservation()
	seen, err := s.shop.GetReservation(ctx, &shopv1.GetReservationRequest{Reservation: id})
	if err != nil {
		return err
	}
	own, err := b.floor.GetPickup(ctx, &storev1.GetPickupRequest{Reservation: id})
	if err != nil {
		return err
	}
	if !o.forgotten {
		again, err := s.shop.CreateReservation(ctx, o.request)
		if err != nil {
			return fmt.Errorf("its request again: %w", err)
		}
		if again.GetReservation() != id || again.GetToken() != o.GetToken() {
			return fmt.Errorf("its request again made order %s", again.GetCode())
		}
	}
	if o.end == "" {
		if seen.GetFinishTime() != nil || own.GetFinishTime() != nil {
			return fmt.Errorf("it is open, the store says %s and the cloud %s", own.GetState(),
				seen.GetState())
		}
		return nil
	}
	if own.GetState() != o.end || seen.GetState() != o.ended {
		return fmt.Errorf("it is %s, the store says %s and the cloud %s", o.end, own.GetState(),
			seen.GetState())
	}
	_, err = b.floor.Collect(ctx, &storev1.CollectRequest{RequestId: newID(), Code: o.GetToken()})
	switch code, _ := demo.RefusalOf(err); {
	case err == nil:
		return errors.New("it was handed over a second time")
	case code != "ALREADY_COLLECTED" && code != "ALREADY_FINISHED":
		return err
	}
	return nil
}

// sameStock wants the units that are there by all that was told, at both ends.
// Rights may still be on their way.
func (s *site) sameStock(ctx context.Context, b *box) error {
	for _, gtin := range slices.Sorted(maps.Keys(s.book.onHand)) {
		err := eventually(ctx, func() error { return s.sameProduct(ctx, b, gtin) })
		if err != nil {
			return fmt.Errorf("product %s: %w", gtin, err)
		}
	}
	return nil
}

func (s *site) sameProduct(ctx context.Context, b *box, gtin string) error {
	own, err := b.floor.GetStock(ctx, &storev1.GetStockRequest{Gtin: gtin})
	if err != nil {
		return err
	}
	if want := s.book.onHand[gtin]; own.GetOnHand() != want {
		return fmt.Errorf("%d units are there by what was told, the store says %d", want, own.GetOnHand())
	}
	seen, err := s.office.ListBooks(ctx, &shopv1.ListBooksRequest{Store: store, Gtin: gtin})
	if err != nil {
		return err
	}
	if len(seen.GetRows()) != 1 {
		return fmt.Errorf("the cloud has %d books of it", len(seen.GetRows()))
	}
	return sameBook(own, seen.GetRows()[0])
}

// sameBook compares a product's book in the store and in the cloud.
func sameBook(own *storev1.Stock, seen *shopv1.BookRow) error {
	accounts := maps.Clone(own.GetAccounts())
	for name, units := range seen.GetAccounts() {
		if accounts[name] != units {
			return fmt.Errorf("the store has %d %s, the cloud thinks %d", accounts[name], name, units)
		}
		delete(accounts, name)
	}
	for name, units := range accounts {
		if units != 0 {
			return fmt.Errorf("the store has %d %s, the cloud none", units, name)
		}
	}
	if own.GetGranted() != seen.GetStoreGranted() || own.GetReturned() != seen.GetStoreReturned() ||
		own.GetAssigned() != seen.GetStoreAssigned() {
		return fmt.Errorf("rights %d %d %d in the store, %d %d %d in the cloud", own.GetGranted(),
			own.GetReturned(), own.GetAssigned(), seen.GetStoreGranted(), seen.GetStoreReturned(),
			seen.GetStoreAssigned())
	}
	return nil
}

// invariants lets the cloud check what must always hold.
func (s *site) invariants(ctx context.Context) (checked int64, err error) {
	got, err := s.office.CheckInvariants(ctx, &shopv1.CheckInvariantsRequest{})
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, r := range got.GetResults() {
		checked += r.GetChecked()
		if !r.GetHeld() {
			faults = append(faults, fmt.Errorf("%s does not hold: %v", r.GetName(), r.GetViolations()))
		}
	}
	return checked, errors.Join(faults...)
}

// onlyExpected wants people to be told of what the drill did, and of nothing else.
func (s *site) onlyExpected(ctx context.Context) error {
	got, err := s.office.ListAnomalies(ctx, &shopv1.ListAnomaliesRequest{PageSize: 100})
	if err != nil {
		return err
	}
	told := make(map[string]bool)
	for _, a := range got.GetAnomalies() {
		if !s.book.events[a.GetCode()] {
			return fmt.Errorf("nobody expected %s at record %d: %s", a.GetCode(), a.GetSeq(), a.GetWhat())
		}
		told[a.GetCode()] = true
	}
	for code := range s.book.events {
		if !told[code] {
			return fmt.Errorf("nobody was told of %s", code)
		}
	}
	return nil
}
