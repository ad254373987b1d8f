package storefront

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
)

// reservations counts what the cloud promised of a store.
func (w *world) reservations(store uint32) []*shopv1.Reservation {
	w.t.Helper()
	r, err := w.shop.Office().ListReservations(w.t.Context(), &shopv1.ListReservationsRequest{Store: store})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.GetReservations()
}

func wantPage(t *testing.T, p page, status int, path string, texts ...string) {
	t.Helper()
	if p.status != status || p.path != path {
		t.Errorf("answered %d at %s, want %d at %s", p.status, p.path, status, path)
	}
	for _, want := range texts {
		if !strings.Contains(text(p.html), want) {
			t.Errorf("%s lacks %q:\n%s", p.path, want, text(p.html))
		}
	}
}

func TestSendingTheOrderTwiceIsOneReservation(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 5)
	s := w.shopper("en")
	form := orderForm(s.take("1", crisp, "2"), "first_name", "Merel")
	first := s.post("/reserve", form...)
	wantPage(t, first, 200, first.path, "Promised to you", "Rye crispbread 2 ×")
	again := s.post("/reserve", form...)
	if again.path != first.path || len(w.reservations(1)) != 1 {
		t.Errorf("the second time led to %s, want %s; %d reservations", again.path, first.path, len(w.reservations(1)))
	}
	r := w.reservations(1)[0]
	if r.GetFirstName() != "Merel" || r.GetLines()[0].GetQuantity() != 2 {
		t.Errorf("reserved %v", r)
	}
	wantPage(t, s.get("/cart"), 200, "/cart", "Your basket is empty")
	wantPage(t, s.get("/pickups"), 200, "/pickups", "Tjalk Utrecht", "Rye crispbread", "reserved")
}

func TestTwoWindowsWithOneBasketAreOneReservation(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 5)
	s := w.shopper("en")
	s.take("1", crisp, "2")
	one, other := orderForm(s.get("/cart")), orderForm(s.get("/cart"))
	if a, b := s.post("/reserve", one...).path, s.post("/reserve", other...).path; a != b {
		t.Errorf("reserved %s and %s", a, b)
	}
}

func TestANewBasketSurvivesAnOldOrderSentAgain(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 5)
	s := w.shopper("en")
	form := orderForm(s.take("1", crisp, "2"))
	s.post("/reserve", form...)
	s.take("1", crisp, "1")
	s.post("/reserve", form...)
	wantPage(t, s.get("/cart"), 200, "/cart", "Rye crispbread", "€1.89")
}

// button finds the form with a button of this name and what it sends.
func button(t *testing.T, p page, name string) (action string, fields []string) {
	t.Helper()
	forms := regexp.MustCompile(`(?s)<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>`)
	press := regexp.MustCompile(`<button([^>]*)>\s*(?:<svg[^>]*>.*?</svg>)?\s*` + regexp.QuoteMeta(name))
	sends := regexp.MustCompile(` name="([^"]+)" value="([^"]*)"`)
	for _, m := range forms.FindAllStringSubmatch(p.html, -1) {
		if b := press.FindStringSubmatch(m[2]); b != nil {
			fields = fieldsOf(m[2])
			if b := sends.FindStringSubmatch(b[1]); b != nil {
				fields = append(fields, b[1], b[2])
			}
			return m[1], fields
		}
	}
	t.Fatalf("%s has no button %q:\n%s", p.path, name, text(p.html))
	return "", nil
}

func TestARefusalSaysWhatIsThereAndTakesItInOneTap(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 2, 1)
	w.stock(3, crisp, 9, 9)
	s := w.shopper("de")
	refused := s.post("/reserve", orderForm(s.take("1", crisp, "3"), "first_name", "Ida", "language", "da")...)
	wantPage(t, refused, 409, "/reserve", "Nur noch 2 da von Roggenknäcke", "Stattdessen 2 nehmen", "Abholen bei Tjalk Lübeck")
	if n := len(w.reservations(1)); n != 0 {
		t.Fatalf("%d reservations after a refusal", n)
	}
	if strings.Count(refused.html, `value="Ida"`) != 2 || !strings.Contains(refused.html, `value="da" lang="da" selected`) {
		t.Error("name and language are forgotten")
	}
	action, fields := button(t, refused, "Stattdessen 2 nehmen")
	taken := s.post(action, fields...)
	wantPage(t, taken, 200, taken.path, "Für Sie reserviert", "Roggenknäcke 2 ×")
	wantPage(t, s.get("/cart"), 200, "/cart", "Der Korb ist leer")
	if r := w.reservations(1); len(r) != 1 || r[0].GetLines()[0].GetQuantity() != 2 || r[0].GetFirstName() != "Ida" {
		t.Errorf("reserved %v", r)
	}
}

func TestAShortBasketMovesToAStoreThatHasItAll(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 2, 1)
	w.stock(1, havarti, 2, 1)
	w.stock(2, crisp, 9, 9) // no cheese
	w.stock(3, crisp, 9, 9)
	w.stock(3, havarti, 9, 9)
	s := w.shopper("en")
	s.take("1", havarti, "1")
	short := s.take("1", crisp, "3")
	if strings.Contains(short.html, "Collect at Tjalk Odense") {
		t.Error("Odense has no cheese, and is offered")
	}
	moved := s.press(t, short, "Collect at Tjalk Lübeck")
	wantPage(t, moved, 200, "/cart", "Tjalk Lübeck", "Havarti block", "Rye crispbread")
	done := s.post("/reserve", orderForm(moved)...)
	wantPage(t, done, 200, done.path, "Promised to you", "Tjalk Lübeck")
}

// press sends the form with this button.
func (s *shopper) press(t *testing.T, p page, name string) page {
	t.Helper()
	action, fields := button(t, p, name)
	return s.post(action, fields...)
}

func TestTheBasketIsForOneStore(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 5)
	w.stock(3, havarti, 5, 5)
	s := w.shopper("en")
	s.take("1", crisp, "2")
	ask := s.take("3", havarti, "1")
	wantPage(t, ask, 409, "/cart/set", "One basket, one store", "Havarti block")
	wantPage(t, s.get("/cart"), 200, "/cart", "Tjalk Utrecht")
	wantPage(t, s.press(t, ask, "All at Tjalk Lübeck"), 200, "/cart", "Tjalk Lübeck", "Havarti block", "Rye crispbread")
	back := s.press(t, s.take("1", crisp, "2"), "All at Tjalk Utrecht")
	wantPage(t, back, 200, "/cart", "Tjalk Utrecht", "Havarti block", "Rye crispbread")
}

func TestTheBasketHoldsTwelveLines(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("gtin,name,price_minor,currency\n")
	var numbers []string
	for i := range maxCartLines + 1 {
		body := fmt.Sprintf("9521234500%02d", i)
		numbers = append(numbers, body+string(checkDigit(body)))
		fmt.Fprintf(&csv, "%s,Thing %d,100,EUR\n", numbers[i], i)
	}
	w := newWorld(t, csv.String())
	s := w.shopper("en")
	for _, n := range numbers[:maxCartLines] {
		wantPage(t, s.take("1", n, "1"), 200, "/cart")
	}
	wantPage(t, s.take("1", numbers[maxCartLines], "1"), 409, "/cart/set", "At most 12")
	wantPage(t, s.take("1", numbers[3], "0"), 200, "/cart", "Thing 4")
	wantPage(t, s.take("1", numbers[maxCartLines], "1"), 200, "/cart", "Thing 12")
}

// checkDigit completes a GTIN-13 of twelve digits.
func checkDigit(body string) byte {
	sum := 0
	for i, c := range body {
		sum += int(c-'0') * (1 + 2*(i%2))
	}
	return byte('0' + (10-sum%10)%10)
}

func TestAProductThatIsNoLongerSoldLeavesTheBasket(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 5)
	w.stock(1, havarti, 5, 5)
	s := w.shopper("en")
	s.take("1", crisp, "1")
	s.take("1", havarti, "1")
	w.propose(&recordv1.Command{Body: &recordv1.Command_ImportProducts{ImportProducts: &recordv1.ImportProducts{
		Products: []*recordv1.Product{{Gtin: crisp, Name: "Rye crispbread", Unit: "each", Retired: true}}}}})
	gone := s.get("/cart")
	wantPage(t, gone, 200, "/cart", "We no longer sell this product.")
	wantPage(t, s.press(t, gone, "Leave this out"), 200, "/cart", "Havarti block")
	refused := s.post("/reserve", orderForm(gone)...)
	wantPage(t, refused, 404, "/reserve", "We no longer sell this product.", "Take what is there")
	done := s.press(t, refused, "Take what is there")
	wantPage(t, done, 200, done.path, "Promised to you", "Havarti block")
}

func TestAStoreThatIsOfflineStillPromises(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 9, 2)
	w.nodes[1].offline = noon.Add(-8 * time.Minute)
	s := w.shopper("en")
	wantPage(t, s.get("/p/"+crisp), 200, "/p/"+crisp,
		"2 in Utrecht store offline since 14:02, still promised to you online")
	wantPage(t, s.take("1", crisp, "2"), 200, "/cart", "This store is offline just now.")
	done := s.post("/reserve", orderForm(s.get("/cart"))...)
	wantPage(t, done, 200, done.path, "The store is offline since 14:02. Your code works even so: show it.")
	wantPage(t, s.get("/p/"+crisp), 200, "/p/"+crisp, "none in Utrecht store offline since 14:02")
}

func TestAStoreThatDoesNotAnswerIsNotBlamedOnTheShopper(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 9, 1)
	w.nodes[1].stingy = true // it has nine, and does not grant them
	s := w.shopper("en")
	refused := s.post("/reserve", orderForm(s.take("1", crisp, "3"))...)
	wantPage(t, refused, 409, "/reserve", "Nothing is reserved: try again.")
	w.nodes[1].stingy = false
	again := s.post("/reserve", orderForm(refused)...)
	wantPage(t, again, 200, again.path, "Promised to you")
}

func TestWeighedGoodsAreTakenInSensibleSteps(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, apples, 750, 0)
	s := w.shopper("nl")
	p := s.get("/p/" + apples)
	for _, want := range []string{`min="100"`, `step="100"`, `value="500"`, "€\u00a02,49 / kg", "750\u00a0g hier"} {
		if !strings.Contains(p.html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	short := s.take("1", apples, "1000")
	wantPage(t, short, 200, "/cart", "Nog maar 750\u00a0g van Appels Elstar op voorraad", "Neem er 700\u00a0g", "€\u00a02,49")
	done := s.post("/reserve", orderForm(s.press(t, short, "Neem er 700\u00a0g"))...)
	wantPage(t, done, 200, done.path, "Appels Elstar 700\u00a0g", "≈ €\u00a01,74")
}

func TestAnOrderThatNobodyCouldMeanIsRefused(t *testing.T) {
	w := newWorld(t, assortment)
	s := w.shopper("en")
	id := newRequest()
	tests := []struct {
		name   string
		path   string
		fields []string
		status int
	}{
		{"no lines", "/reserve", []string{"store", "1", "request_id", id}, 409},
		{"no store", "/reserve", []string{"request_id", id, "line", crisp + "x1"}, 400},
		{"no id", "/reserve", []string{"store", "1", "line", crisp + "x1"}, 400},
		{"bad id", "/reserve", []string{"store", "1", "request_id", "7", "line", crisp + "x1"}, 400},
		{"none of it", "/reserve", []string{"store", "1", "request_id", id, "line", crisp + "x0"}, 400},
		{"no number", "/reserve", []string{"store", "1", "request_id", id, "line", "x1"}, 400},
		{"unknown store", "/cart/set", []string{"store", "77", "gtin", crisp, "quantity", "1"}, 404},
		{"store in words", "/cart/set", []string{"store", "Utrecht", "gtin", crisp, "quantity", "1"}, 400},
		{"unknown product", "/cart/set", []string{"store", "1", "gtin", "09521234500001", "quantity", "1"}, 404},
		{"negative", "/cart/set", []string{"store", "1", "gtin", crisp, "quantity", "-1"}, 400},
		{"huge", "/cart/set", []string{"store", "1", "gtin", crisp, "quantity", "99999999999"}, 400},
		{"move nowhere", "/cart/store", []string{"store", "77"}, 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if p := s.post(tt.path, tt.fields...); p.status != tt.status || !strings.Contains(p.html, "<h1>") {
				t.Errorf("answered %d, want %d: %s", p.status, tt.status, text(p.html))
			}
		})
	}
	if n := len(w.reservations(1)); n != 0 {
		t.Errorf("%d reservations", n)
	}
}

func TestFirstNameIsWhatCanBePrinted(t *testing.T) {
	for typed, want := range map[string]string{
		" Merel  de Vries ": "Merel de Vries", "a\tb\x00c": "a b c", "\xff\xfe": "", strings.Repeat("ø", 50): strings.Repeat("ø", 40),
	} {
		if got := firstName(typed); got != want {
			t.Errorf("firstName(%q) = %q, want %q", typed, got, want)
		}
	}
}
