package storefront

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/token"
)

// reserved is a shopper with a reservation at store 1, and its page.
func reserved(t *testing.T, lang string) (*world, *shopper, page, *recordv1.Reserve) {
	t.Helper()
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 5)
	s := w.shopper(lang)
	p := s.post("/reserve", orderForm(s.take("1", crisp, "2"))...)
	if !strings.HasPrefix(p.path, "/r/") {
		t.Fatalf("no reservation: %s", text(p.html))
	}
	return w, s, p, w.promise(strings.TrimPrefix(p.path, "/r/"))
}

func TestTheCodeReadsBackAsTheSignedToken(t *testing.T) {
	w, s, p, _ := reserved(t, "en")
	r, err := w.shop.GetReservation(t.Context(), &shopv1.GetReservationRequest{Reservation: strings.TrimPrefix(p.path, "/r/")})
	if err != nil {
		t.Fatal(err)
	}
	answer := s.get(p.path + "/qr.png")
	if kind := answer.header.Get("Content-Type"); answer.status != 200 || kind != "image/png" {
		t.Fatalf("%d, %s", answer.status, kind)
	}
	picture, err := png.Decode(strings.NewReader(answer.html))
	if err != nil {
		t.Fatal(err)
	}
	read := decode(t, picture)
	if diff := cmp.Diff(r.GetToken(), read.GetText()); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if level := read.GetResultMetadata()[gozxing.ResultMetadataType_ERROR_CORRECTION_LEVEL]; level != "M" {
		t.Errorf("level %v, want M", level)
	}
	for i := range quiet * pngScale {
		if c := color.GrayModel.Convert(picture.At(i, picture.Bounds().Dy()/2)).(color.Gray); c.Y != 255 {
			t.Fatalf("the margin is dark at %d", i)
		}
	}
}

func decode(t *testing.T, picture image.Image) *gozxing.Result {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	read, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestTheCodeOfTheLargestBasketCanBeRead(t *testing.T) {
	large := token.Token{KeyID: 1000, Tenant: 1, Store: 100_000, Timeline: 9, Reservation: [16]byte{1}, DSeq: 1 << 40,
		IssuedAt: noon.UnixMilli(), PickupFrom: noon.UnixMilli(), PickupUntil: noon.Add(day).UnixMilli()}
	for i := range maxCartLines {
		large.Lines = append(large.Lines, token.Line{SKU: stock.SKU(2_000_000 + i), Units: maxQuantity})
	}
	signed, err := token.Sign(large, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := qrPNG(signed)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, picture).GetText(); got != signed {
		t.Errorf("read %q, want %q", got, signed)
	}
}

func TestTheCodeIsDarkOnWhiteInEveryColourScheme(t *testing.T) {
	svg, err := qrSVG(strings.Repeat("HF1:A%0", 70), `a "code"`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`fill="#fff" d="M0 0h`, `fill="#000"`, `aria-label="a &#34;code&#34;"`} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture lacks %s", want)
		}
	}
}

func TestAPickupIsKeptFromStrangersAndSearchEngines(t *testing.T) {
	w, s, p, promise := reserved(t, "en")
	w.accept(promise)
	w.pick(promise)
	w.stage(promise, "HIDDEN-A7")
	for _, path := range []string{p.path, p.path + "/qr.png", p.path + "/qr.svg", p.path + "/pickup.ics", "/pickups"} {
		got := s.get(path)
		if got.status != 200 || got.header.Get("X-Robots-Tag") != "noindex, nofollow" ||
			got.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: %d, %v", path, got.status, got.header)
		}
		if strings.Contains(got.html, "HIDDEN-A7") {
			t.Errorf("%s tells the shelf", path)
		}
	}
	if found := w.shopper("en").get("/pickups"); strings.Contains(found.html, "Tjalk Utrecht") {
		t.Error("another browser sees the pickup")
	}
}

func TestAPickupGoesIntoACalendar(t *testing.T) {
	_, s, p, _ := reserved(t, "nl")
	got := s.get(p.path + "/pickup.ics")
	for _, want := range []string{"DTEND:20251120T171000Z\r\n", "SUMMARY:Afhalen bij Tjalk Utrecht\r\n",
		`LOCATION:Tjalk Utrecht\, Kelpkade 12\, Utrecht`, `\nRogge-knäckebröd`} {
		if !strings.Contains(got.html, want) {
			t.Errorf("the entry lacks %q:\n%s", want, got.html)
		}
	}
}

// pushes are the pieces of a page as they come.
type pushes struct {
	t     *testing.T
	lines *bufio.Scanner
}

func follow(t *testing.T, s *shopper, path string) *pushes {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Language", s.lang)
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || kind != "text/event-stream" {
		t.Fatalf("%d, %s", answer.StatusCode, kind)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &pushes{t, lines}
}

// next waits for the piece of this id.
func (p *pushes) next(id string) string {
	p.t.Helper()
	for p.lines.Scan() {
		data, ok := bytes.CutPrefix(p.lines.Bytes(), []byte("data: {"))
		if !ok {
			continue
		}
		var piece struct{ ID, HTML string }
		if err := json.Unmarshal(append([]byte("{"), data...), &piece); err != nil {
			p.t.Fatal(err)
		}
		if piece.ID == id {
			return text(piece.HTML)
		}
	}
	p.t.Fatalf("the stream ended: %v", p.lines.Err())
	return ""
}

func TestThePageFollowsTheStore(t *testing.T) {
	w, s, p, promise := reserved(t, "en")
	live := follow(t, s, p.path+"/events")
	for _, step := range []struct {
		does func()
		want string
	}{
		{func() {}, "Promised to you"},
		{func() { w.accept(promise) }, "They will pick it for you."},
		{func() { w.pick(promise) }, "We are picking it"},
		{func() { w.stage(promise, "A7") }, "Ready to collect"},
		{func() { w.collect(promise) }, "Thank you, and see you again."},
	} {
		step.does()
		if got := live.next("pickup"); !strings.Contains(got, step.want) {
			t.Errorf("pushed %q, want %q", got, step.want)
		}
	}
}

func TestAReservationIsCancelledByTheStoreAtTheShoppersWish(t *testing.T) {
	w, s, p, promise := reserved(t, "en")
	for range 2 {
		wantPage(t, s.post(p.path+"/cancel"), 200, p.path, "You asked to cancel.")
	}
	w.accept(promise)
	w.release(promise, recordv1.ReleaseReason_RELEASE_REASON_CANCEL)
	ended := s.get(p.path)
	wantPage(t, ended, 200, p.path, "Cancelled", "There is nothing to pay.")
	if strings.Contains(ended.html, `class="qr"`) || strings.Contains(ended.html, "/cancel") {
		t.Error("a cancelled reservation still shows its code or can be cancelled")
	}
	wantPage(t, s.post(p.path+"/cancel"), 200, p.path, "Cancelled")
}

func TestEveryEndSaysWhatHappensNext(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*world, *recordv1.Reserve)
		want string
	}{
		{"not found", func(w *world, r *recordv1.Reserve) { w.short(r) }, "See if another store has it."},
		{"not collected", func(w *world, r *recordv1.Reserve) {
			w.release(r, recordv1.ReleaseReason_RELEASE_REASON_EXPIRE)
		}, "You are welcome to reserve it again."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, s, p, promise := reserved(t, "en")
			w.accept(promise)
			tt.end(w, promise)
			wantPage(t, s.get(p.path), 200, p.path, tt.want, "Look for something else")
		})
	}
}

func TestWhatWasNotFoundIsNotPaidFor(t *testing.T) {
	w, s, p, promise := reserved(t, "en")
	w.accept(promise)
	wantPage(t, s.get(p.path), 200, p.path, "To pay in the store €3.78")
	w.record(1, &recordv1.Record{Body: &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{
		Reservation: promise.GetReservation(), Line: 1, Units: 1, Reason: recordv1.ShortReason_SHORT_REASON_MISSING}}})
	wantPage(t, s.get(p.path), 200, p.path, "1 not found", "To pay in the store €1.89")
}

func TestTheProductPageFollowsTheShelf(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 3)
	live := follow(t, w.shopper("en"), "/p/"+crisp+"/events")
	if got, want := live.next("supply-1"), "5 here just now\n"; got != want {
		t.Errorf("pushed %q, want %q", got, want)
	}
	w.record(1, &recordv1.Record{Body: &recordv1.Record_Sale{Sale: &recordv1.Sale{Mode: recordv1.SaleMode_SALE_MODE_NORMAL, Lines: []*recordv1.SaleLine{
		{Sku: w.sku(crisp), Units: 1}}}}})
	if got, want := live.next("supply-1"), "4 here just now\n"; got != want {
		t.Errorf("pushed %q, want %q", got, want)
	}
}

func TestCancellingWhatIsCancelledChangesNothing(t *testing.T) {
	w, _, _, promise := reserved(t, "en")
	id := uuid.UUID(promise.GetReservation()).String()
	cancel := func() (*shopv1.Reservation, error) {
		return w.shop.CancelReservation(t.Context(), &shopv1.CancelReservationRequest{Reservation: id})
	}
	w.accept(promise)
	if r, err := cancel(); err != nil || !r.GetCancelRequested() {
		t.Errorf("the first time: %v, %v", r, err)
	}
	w.release(promise, recordv1.ReleaseReason_RELEASE_REASON_CANCEL)
	if r, err := cancel(); err != nil || r.GetState() != shopv1.ReservationState_CANCELLED {
		t.Errorf("again, after a lost answer: %v, %v", r, err)
	}

	w, _, _, promise = reserved(t, "en")
	id = uuid.UUID(promise.GetReservation()).String()
	w.accept(promise)
	w.pick(promise)
	w.stage(promise, "A1")
	w.collect(promise)
	if r, err := cancel(); !stock.Refused(err, stock.AlreadyFinished) && !stock.Refused(err, stock.AlreadyCollected) {
		t.Errorf("what was handed over: %v, %v", r, err)
	}
}
