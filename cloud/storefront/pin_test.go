package storefront

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/google/uuid"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock/token"
)

// wantPIN wants a store to be able to tell this PIN of an order from others.
func wantPIN(t *testing.T, r *shopv1.Reservation, pin string) {
	t.Helper()
	keys := token.KeySet{9: {Public: key.Public().(ed25519.PublicKey)}}
	code, err := token.Verify(r.GetToken(), keys)
	if err != nil {
		t.Fatal(err)
	}
	want := [4]byte{}
	if pin != "" {
		want = token.TagPIN(uuid.MustParse(r.GetReservation()), pin)
	}
	if code.PINTag != want {
		t.Errorf("the code carries %x, want that of %q", code.PINTag, pin)
	}
}

func TestAnOrderCarriesThePINThatTheShopperChose(t *testing.T) {
	for typed, pin := range map[string]string{"": "", "4711": "4711", " 47 11 08 15 ": "47110815"} {
		w := newWorld(t, assortment)
		w.stock(1, crisp, 5, 5)
		s := w.shopper("en")
		basket := s.take("1", crisp, "2")
		wantPage(t, basket, 200, "/cart", "PIN, 4 to 8 digits", "You may leave it empty")
		done := s.post("/reserve", orderForm(basket, "pin", typed)...)
		wantPage(t, done, 200, done.path, "Promised to you")
		wantPIN(t, w.reservations(1)[0], pin)
	}
}

func TestAPINThatIsNoneIsRefusedInOneSentence(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 5)
	s := w.shopper("nl")
	basket := s.take("1", crisp, "2")
	for _, typed := range []string{"123", "123456789", "12a4", strings.Repeat("٣", 4),
		strings.Repeat("1", 99)} {
		refused := s.post("/reserve", orderForm(basket, "pin", typed, "first_name", "Ida")...)
		wantPage(t, refused, 400, "/reserve", "Kies een pincode van 4 tot 8 cijfers.")
		if !strings.Contains(refused.html, `value="Ida"`) {
			t.Errorf("%q: the name is forgotten", typed)
		}
	}
	if n := len(w.reservations(1)); n != 0 {
		t.Errorf("%d reservations", n)
	}
}

func TestAStoreMayWantAPINForEveryOrder(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 5)
	_, err := w.shop.Office().SetPolicy(t.Context(), &shopv1.SetPolicyRequest{Store: 1,
		Policy: &shopv1.Policy{Pin: "needed"}})
	if err != nil {
		t.Fatal(err)
	}
	s := w.shopper("en")
	basket := s.take("1", crisp, "2")
	wantPage(t, basket, 200, "/cart", "This store asks for one")
	if !strings.Contains(basket.html, ` required><span class="hint" id="pin-hint">`) {
		t.Error("the page lets an order without a PIN go")
	}
	refused := s.post("/reserve", orderForm(basket, "first_name", "Ida")...)
	wantPage(t, refused, 400, "/reserve", "Choose a PIN of 4 to 8 digits.")
	done := s.post("/reserve", orderForm(refused, "pin", "4711")...)
	wantPage(t, done, 200, done.path, "Promised to you")
	wantPIN(t, w.reservations(1)[0], "4711")
}

func TestTakingWhatIsThereKeepsThePIN(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 2, 1)
	s := w.shopper("en")
	refused := s.post("/reserve", orderForm(s.take("1", crisp, "3"), "pin", "4711")...)
	wantPage(t, refused, 409, "/reserve", "Take 2 instead")
	done := s.press(t, refused, "Take 2 instead")
	wantPage(t, done, 200, done.path, "Promised to you")
	wantPIN(t, w.reservations(1)[0], "4711")
}
