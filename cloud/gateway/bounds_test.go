package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
)

func TestAnOrderKeepsAFirstNameAndNothingThatLeadsToAPerson(t *testing.T) {
	s := open(t)
	s.connected, s.shelf = true, 50
	tests := []struct {
		name, given, want string
		code              stock.Code
	}{
		{"first name", "Anna", "Anna", 0},
		{"no name", "", "", 0},
		{"whole name", "  Anna\tde Vries ", "Anna", 0},
		{"hyphen and apostrophe", "Anne-Marie", "Anne-Marie", 0},
		{"mail", "anna@example.com", "", stock.BadRequest},
		{"phone", "+31612345678", "", stock.BadRequest},
		{"phone in groups", "06 12 34 56 78", "", stock.BadRequest},
		{"very long", strings.Repeat("a", 61), "", stock.BadRequest},
	}
	for _, test := range tests {
		r, err := s.CreateReservation(t.Context(), &shopv1.CreateReservationRequest{RequestId: uuid.NewString(), Store: 7,
			Lines: []*shopv1.CartLine{{Gtin: bread, Quantity: 1}}, Contact: &shopv1.Contact{FirstName: test.given}})
		if test.code != 0 && !stock.Refused(err, test.code) || test.code == 0 && err != nil {
			t.Errorf("%s: %v, want %v", test.name, err, test.code)
		}
		if r.GetFirstName() != test.want {
			t.Errorf("%s: kept %q, want %q", test.name, r.GetFirstName(), test.want)
		}
	}
}

func TestEveryPageTokenThatIsGivenOutIsTakenBack(t *testing.T) {
	s := open(t)
	const products = 10_150
	var list strings.Builder
	list.WriteString("gtin,name,price_minor,currency\n")
	for i := range products {
		fmt.Fprintf(&list, "%s,Thing %d,100,EUR\n", number(i), i)
	}
	must(t)(s.Office().ImportProducts(t.Context(), &shopv1.ImportProductsRequest{Csv: []byte(list.String())}))
	pages, token := 0, ""
	for pages == 0 || token != "" {
		resp, err := s.SearchProducts(t.Context(), &shopv1.SearchProductsRequest{PageSize: 100, PageToken: token})
		if err != nil {
			t.Fatalf("page %d: %v", pages, err)
		}
		pages, token = pages+1, resp.GetNextPageToken()
	}
	if pages < 100 {
		t.Errorf("%d pages", pages)
	}
}

// number is a GTIN-13 of the range that is reserved for examples.
func number(i int) string {
	digits := fmt.Sprintf("952%09d", i+500_000)
	sum := 0
	for n, c := range digits {
		sum += int(c-'0') * (1 + 2*(n%2))
	}
	return fmt.Sprintf("%s%d", digits, (10-sum%10)%10)
}
