package gateway_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/gateway"
	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/token"
)

const (
	bread  = "09521234500001"
	cheese = "09521234500018"
)

var key = ed25519.NewKeyFromSeed(make([]byte, 32))

// shop is a cloud with one store whose node this test plays.
type shop struct {
	*gateway.Gateway
	t       *testing.T
	engine  *engine.Engine
	seq     uint64
	hash    journal.Hash
	session uint64
	granted int64

	connected bool
	shelf     int64 // what the store would still grant of bread
	asked     int
}

func open(t *testing.T) *shop {
	engine, err := engine.Open(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	s := &shop{t: t, engine: engine}
	s.Gateway = gateway.New(gateway.Options{Engine: engine, Stores: s, Tenant: 1, KeyID: 9, Key: key,
		NodesAt: "localhost:8443", Logger: slog.New(slog.DiscardHandler)})
	office := s.Office()
	must(t)(office.PutStore(t.Context(), &shopv1.PutStoreRequest{Store: &shopv1.Store{Store: 7, Name: "Tjalk",
		Town: "Utrecht", Country: "NL", Latitude: 52.09, Longitude: 5.12, Timezone: "Europe/Amsterdam",
		Language: "nl", Currency: "EUR"}}))
	must(t)(office.ImportProducts(t.Context(), &shopv1.ImportProductsRequest{Csv: []byte(
		"gtin,name,price_minor,currency\n" + bread[1:] + ",Rye bread,250,EUR\n" + cheese[1:] + ",Cheese,990,EUR\n")}))
	s.join()
	return s
}

func must(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (s *shop) propose(c *recordv1.Command) *recordv1.Result {
	s.t.Helper()
	r, err := s.engine.Propose(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// join enrols a node and opens its session.
func (s *shop) join() {
	secret := sha256.Sum256([]byte("secret"))
	node, csr := make([]byte, 16), sha256.Sum256([]byte("csr"))
	node[0] = 1
	s.propose(&recordv1.Command{Body: &recordv1.Command_IssueJoin{IssueJoin: &recordv1.IssueJoin{Store: 7,
		SecretHash: secret[:], ExpiresAt: time.Now().Add(time.Hour).UnixMilli()}}})
	epoch := s.propose(&recordv1.Command{Body: &recordv1.Command_Enrol{Enrol: &recordv1.Enrol{Store: 7,
		SecretHash: secret[:], NodeId: node, CsrHash: csr[:]}}}).GetEnrol().GetEpoch()
	s.session = s.propose(&recordv1.Command{Body: &recordv1.Command_OpenSession{OpenSession: &recordv1.OpenSession{
		Hello: &recordv1.Hello{CapVersion: 1, CapMin: 1, Store: 7, NodeId: node, Epoch: epoch, Timeline: 1,
			JournalHash: make([]byte, 16), DirectivesHash: make([]byte, 16),
			Mode: recordv1.NodeMode_NODE_MODE_NORMAL}}}}).GetSession().GetSession()
}

// upload sends records as the node would.
func (s *shop) upload(records ...*recordv1.Record) {
	s.t.Helper()
	batch := &recordv1.ApplyBatch{Store: 7, Session: s.session, From: s.seq + 1, PrevHash: s.hash[:]}
	prev := s.hash
	batch.PrevHash = prev[:]
	for _, r := range records {
		s.seq++
		r.Seq, r.Epoch, r.Hlc = s.seq, &recordv1.Epoch{Timeline: 1, Counter: 1}, uint64(time.Now().UnixMilli())<<16
		raw, err := proto.Marshal(r)
		if err != nil {
			s.t.Fatal(err)
		}
		s.hash = journal.Chain(s.hash, s.seq, raw)
		batch.Records = append(batch.Records, raw)
	}
	s.propose(&recordv1.Command{Body: &recordv1.Command_ApplyBatch{ApplyBatch: batch}})
}

func (s *shop) receive(n int64) {
	s.upload(&recordv1.Record{Body: &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{
		Lines: []*recordv1.MovementLine{{Sku: s.sku(bread), Units: n}}}}})
}

func (s *shop) grant(n int64) {
	s.granted += n
	s.upload(&recordv1.Record{Body: &recordv1.Record_Grant{Grant: &recordv1.Grant{Sku: s.sku(bread), Units: n,
		GrantedTotal: s.granted}}})
}

func (s *shop) sku(gtin string) uint32 {
	p, err := s.GetProduct(s.t.Context(), &shopv1.GetProductRequest{Gtin: gtin})
	if err != nil {
		s.t.Fatal(err)
	}
	return p.GetSku()
}

// AskGrant grants what the shelf has, as a node does for a waiting shopper.
func (s *shop) AskGrant(_ context.Context, _ stock.StoreID, _ []gateway.Need) error {
	s.asked++
	if s.shelf == 0 {
		return stock.Refuse(stock.Short, "the shelf is empty")
	}
	n := s.shelf
	s.shelf = 0
	s.grant(n)
	return nil
}

func (s *shop) Standing(*headoffice.Store) gateway.Standing {
	return gateway.Standing{Connected: s.connected, Since: time.Unix(1000, 0)}
}

func cart(n int32) []*shopv1.CartLine { return []*shopv1.CartLine{{Gtin: bread, Quantity: n}} }

func (s *shop) reserve(request string, n int32) (*shopv1.Reservation, error) {
	return s.CreateReservation(s.t.Context(), &shopv1.CreateReservationRequest{Store: 7, RequestId: request,
		Lines: cart(n), Contact: &shopv1.Contact{FirstName: "Mia de Vries", Language: "en"}})
}

func TestReservationIsMadeOnceForARequest(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(3)
	id := uuid.NewString()
	first, err := s.reserve(id, 2)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.reserve(id, 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" {
		t.Errorf("the same request again (-first +again):\n%s", diff)
	}
	if first.GetFirstName() != "Mia" || first.GetState() != shopv1.ReservationState_CONFIRMED {
		t.Errorf("reservation: %v", first)
	}
	if _, err := s.reserve(id, 1); !stock.Refused(err, stock.IDReused) {
		t.Errorf("another cart with the request id: %v", err)
	}
	tok, err := token.Verify(first.GetToken(), token.KeySet{9: {Public: key.Public().(ed25519.PublicKey), NotAfter: 1 << 60}})
	if err != nil || tok.Store != 7 || len(tok.Lines) != 1 || tok.Lines[0].Units != 2 {
		t.Errorf("token: %+v %v", tok, err)
	}
}

func TestOneUnitTooManyIsRefusedWithWhatIsAvailable(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(3)
	_, err := s.reserve(uuid.NewString(), 4)
	r, ok := stock.AsRefusal(err)
	if !ok || r.Code != stock.Short || r.Args["available"] != "3" || r.Args["wanted"] != "4" {
		t.Errorf("offline: %v", err)
	}
	if s.asked != 0 {
		t.Error("a store that is cut off was asked")
	}
	_, err = s.CreateReservation(t.Context(), &shopv1.CreateReservationRequest{Store: 7, RequestId: uuid.NewString(),
		Lines: append(cart(1), &shopv1.CartLine{Gtin: cheese, Quantity: 1})})
	if !stock.Refused(err, stock.Short) {
		t.Errorf("one line of two is short: %v", err)
	}
	if _, err := s.reserve(uuid.NewString(), 3); err != nil {
		t.Errorf("all that is granted: %v", err)
	}
	held, err := s.Office().CheckInvariants(t.Context(), &shopv1.CheckInvariantsRequest{})
	if err != nil || len(held.GetResults()) == 0 {
		t.Fatalf("invariants: %v %v", held, err)
	}
	for _, i := range held.GetResults() {
		if !i.GetHeld() {
			t.Errorf("invariant %s: %v", i.GetName(), i.GetViolations())
		}
	}
}

func TestConnectedStoreIsAskedForWhatIsMissing(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(3)
	s.connected, s.shelf = true, 2
	if _, err := s.reserve(uuid.NewString(), 5); err != nil || s.asked != 1 {
		t.Errorf("with what the store grants: %v, asked %d times", err, s.asked)
	}
	_, err := s.reserve(uuid.NewString(), 1)
	if !stock.Refused(err, stock.Short) || s.asked != 2 {
		t.Errorf("with an empty shelf: %v, asked %d times", err, s.asked)
	}
}

func TestAvailabilitySaysHowSureItIs(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(3)
	ask := func() *shopv1.Availability {
		a, err := s.GetAvailability(t.Context(), &shopv1.GetAvailabilityRequest{Store: 7, Gtin: bread})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := ask(); a.GetAvailable() != 3 || a.GetBasis() != shopv1.Basis_QUOTA || a.GetConnected() || a.GetAsOf() == nil {
		t.Errorf("cut off: %v", a)
	}
	s.connected = true
	if a := ask(); a.GetAvailable() != 5 || a.GetBasis() != shopv1.Basis_STORE_CONFIRMED || !a.GetConnected() {
		t.Errorf("connected: %v", a)
	}
	all, err := s.ListAvailability(t.Context(), &shopv1.ListAvailabilityRequest{Gtin: bread, Latitude: 55.4, Longitude: 10.4})
	if err != nil || len(all.GetAvailability()) != 1 {
		t.Fatalf("list: %v %v", all, err)
	}
	if km := all.GetAvailability()[0].GetDistanceKm(); km < 490 || km > 520 {
		t.Errorf("Odense to Utrecht: %.0f km", km)
	}
}

func TestHoldIsConfirmedOrReleasedOnce(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(3)
	request := uuid.NewString()
	hold, err := s.CreateHold(t.Context(), &shopv1.CreateHoldRequest{Store: 7, RequestId: request, Lines: cart(2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.reserve(uuid.NewString(), 2); !stock.Refused(err, stock.Short) {
		t.Errorf("held units were promised: %v", err)
	}
	confirm := &shopv1.ConfirmHoldRequest{Store: 7, Hold: hold.GetHold(), RequestId: uuid.NewString()}
	first, err := s.ConfirmHold(t.Context(), confirm)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.ConfirmHold(t.Context(), confirm); err != nil || again.GetReservation() != first.GetReservation() {
		t.Errorf("confirm again: %v %v", again, err)
	}
	other, err := s.CreateHold(t.Context(), &shopv1.CreateHoldRequest{Store: 7, RequestId: uuid.NewString(), Lines: cart(1)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.ReleaseHold(t.Context(), &shopv1.ReleaseHoldRequest{Store: 7, Hold: other.GetHold()}); err != nil {
			t.Errorf("release: %v", err)
		}
	}
	_, err = s.ConfirmHold(t.Context(), &shopv1.ConfirmHoldRequest{Store: 7, Hold: other.GetHold(), RequestId: uuid.NewString()})
	if !stock.Refused(err, stock.HoldExpired) {
		t.Errorf("confirm a released hold: %v", err)
	}
	if _, err := s.reserve(uuid.NewString(), 1); err != nil {
		t.Errorf("released units: %v", err)
	}
}

func TestWatchSendsEveryChange(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(3)
	made, err := s.reserve(uuid.NewString(), 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := &watcher{ctx: t.Context(), got: make(chan *shopv1.Reservation, 10)}
	go s.WatchReservation(&shopv1.WatchReservationRequest{Reservation: made.GetReservation()}, seen)
	if first := <-seen.got; first.GetCancelRequested() {
		t.Errorf("first: %v", first)
	}
	must(t)(s.CancelReservation(t.Context(), &shopv1.CancelReservationRequest{Reservation: made.GetReservation()}))
	if next := <-seen.got; !next.GetCancelRequested() {
		t.Errorf("after the cancel: %v", next)
	}
}

type watcher struct {
	grpc.ServerStream
	ctx context.Context
	got chan *shopv1.Reservation
}

func (w *watcher) Context() context.Context { return w.ctx }
func (w *watcher) Send(r *shopv1.Reservation) error {
	w.got <- r
	return nil
}

func TestImportRefusesBrokenRowsAndShowsTheDifference(t *testing.T) {
	s := open(t)
	office := s.Office()
	file := "gtin,name,price_minor,currency\n" + bread[1:] + ",Rye bread,275,EUR\n9521234500002,Broken,100,EUR\n" +
		cheese[1:] + ",Cheese,990,EUR\n9521234500025,,100,EUR\n9521234500032,Milk,120,EUR\n"
	dry, err := office.ImportProducts(t.Context(), &shopv1.ImportProductsRequest{Csv: []byte(file), DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if dry.GetAdded() != 1 || dry.GetChanged() != 1 || dry.GetSame() != 1 || dry.GetRefused() != 2 {
		t.Errorf("dry run: %v", dry)
	}
	if lines := []int64{dry.GetProblems()[0].GetLine(), dry.GetProblems()[1].GetLine()}; lines[0] != 3 || lines[1] != 5 {
		t.Errorf("refused lines: %v", lines)
	}
	if p, _ := s.GetProduct(t.Context(), &shopv1.GetProductRequest{Gtin: bread}); p.GetPriceMinor() != 250 {
		t.Errorf("a dry run changed the price: %v", p)
	}
	done, err := office.ImportProducts(t.Context(), &shopv1.ImportProductsRequest{Csv: []byte(file)})
	if err != nil || done.GetAdded() != 1 || done.GetChanged() != 1 || done.GetSame() != 1 || done.GetRefused() != 2 {
		t.Errorf("import: %v %v", done, err)
	}
}

func TestBadRequestsAreRefusedClearly(t *testing.T) {
	s := open(t)
	tests := []struct {
		name string
		call func() error
		want stock.Code
	}{
		{"no request id", func() error { _, err := s.reserve("", 1); return err }, stock.BadRequest},
		{"nothing wanted", func() error { _, err := s.reserve(uuid.NewString(), 0); return err }, stock.BadUnits},
		{"unknown product", func() error {
			_, err := s.GetProduct(t.Context(), &shopv1.GetProductRequest{Gtin: "9521234500025"})
			return err
		}, stock.UnknownProduct},
		{"bad check digit", func() error {
			_, err := s.GetProduct(t.Context(), &shopv1.GetProductRequest{Gtin: "9521234500002"})
			return err
		}, stock.BadCheckDigit},
		{"unknown store", func() error {
			_, err := s.GetStore(t.Context(), &shopv1.GetStoreRequest{Store: 8})
			return err
		}, stock.UnknownStore},
		{"unknown reservation", func() error {
			_, err := s.GetReservation(t.Context(), &shopv1.GetReservationRequest{Reservation: uuid.NewString()})
			return err
		}, stock.UnknownReservation},
		{"page token", func() error {
			_, err := s.SearchProducts(t.Context(), &shopv1.SearchProductsRequest{PageToken: "x"})
			return err
		}, stock.BadRequest},
		{"policy", func() error {
			_, err := s.Office().SetPolicy(t.Context(), &shopv1.SetPolicyRequest{Store: 7, Policy: &shopv1.Policy{LastUnit: "maybe"}})
			return err
		}, stock.BadRequest},
	}
	for _, test := range tests {
		if err := test.call(); !stock.Refused(err, test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

func TestOneCallerCannotChangeThingsTooOften(t *testing.T) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	h := gateway.Limit{PerSecond: 0.001, Burst: 2}.Handler(ok)
	call := func(method, from string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/v1/stores/7/reservations", strings.NewReader("{}"))
		r.RemoteAddr = from
		h.ServeHTTP(w, r)
		return w.Code
	}
	got := []int{call("POST", "192.0.2.1:1"), call("POST", "192.0.2.1:2"), call("POST", "192.0.2.1:3"),
		call("GET", "192.0.2.1:4"), call("POST", "192.0.2.2:1")}
	if diff := cmp.Diff([]int{200, 200, 429, 200, 200}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestLimitCountsGRPCChangesAndAnswersInKind(t *testing.T) {
	h := gateway.Limit{PerSecond: 0.001, Burst: 1}.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	call := func(path, content string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", path, strings.NewReader("{}"))
		r.Header.Set("Content-Type", content)
		r.ProtoMajor = 2
		h.ServeHTTP(w, r)
		return w
	}
	const service = "/holdfast.shop.v1.Shop/"
	for range 3 {
		if w := call(service+"GetAvailability", "application/grpc"); w.Header().Get("Grpc-Status") != "" {
			t.Errorf("a read was refused: %v", w.Header())
		}
	}
	call(service+"CreateReservation", "application/grpc")
	if w := call(service+"CreateReservation", "application/grpc"); w.Header().Get("Grpc-Status") != "8" {
		t.Errorf("second change by gRPC: %v", w.Header())
	}
	if w := call("/v1/stores/7/reservations", "application/json"); w.Code != http.StatusTooManyRequests ||
		!strings.Contains(w.Body.String(), `"RATE_LIMITED"`) {
		t.Errorf("third change by REST: %d %s", w.Code, w.Body)
	}
}

func TestAStoreThatMeansNothingIsRefused(t *testing.T) {
	s := open(t)
	for name, change := range map[string]func(*shopv1.Store){
		"timezone": func(s *shopv1.Store) { s.Timezone = "Europe/Amsterdm" },
		"country":  func(s *shopv1.Store) { s.Country = "Holland" },
		"currency": func(s *shopv1.Store) { s.Currency = "euro" },
		"language": func(s *shopv1.Store) { s.Language = "fr" },
	} {
		wanted := &shopv1.Store{Store: 8, Name: "Vlet", Timezone: "Europe/Amsterdam", Country: "NL", Currency: "EUR",
			Language: "nl"}
		change(wanted)
		_, err := s.Office().PutStore(t.Context(), &shopv1.PutStoreRequest{Store: wanted})
		if r, ok := stock.AsRefusal(err); !ok || r.Code != stock.BadRequest || r.Args["what"] != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAStoreThatIsNobodyKnowsWhereIsLast(t *testing.T) {
	s := open(t)
	must(t)(s.Office().PutStore(t.Context(), &shopv1.PutStoreRequest{Store: &shopv1.Store{Store: 3, Name: "Vlet"}}))
	ask := &shopv1.ListAvailabilityRequest{Gtin: bread, Latitude: 52.1, Longitude: 5.1}
	resp, err := s.ListAvailability(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if all := resp.GetAvailability(); len(all) != 2 || all[1].GetStore() != 3 || all[1].GetDistanceKm() != 0 {
		t.Errorf("%v", all)
	}
	ask.Latitude = 91
	if _, err := s.ListAvailability(t.Context(), ask); !stock.Refused(err, stock.BadRequest) {
		t.Errorf("a place beyond the pole: %v", err)
	}
}
