package journey

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

func TestTheStoryHasAllItsSteps(t *testing.T) {
	want := []string{"import", "enrol", "receive", "online", "sell", "reserve", "pick", "collect", "cut", "unheard",
		"last-unit", "race", "plug", "leader", "kill"}
	got := make([]string, len(steps))
	for i, s := range steps {
		got[i] = s.name
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, s := range steps {
		for _, need := range s.needs {
			if !slices.Contains(want[:i], need) {
				t.Errorf("%s needs %s, which does not come before it", s.name, need)
			}
		}
	}
}

func TestAStepNeedsWhatHeldBefore(t *testing.T) {
	before := []Step{{Name: "import", OK: true}, {Name: "enrol"}}
	for _, tt := range []struct {
		needs, want []string
	}{
		{nil, nil},
		{[]string{"import"}, nil},
		{[]string{"import", "enrol"}, []string{"enrol"}},
		{[]string{"cut"}, []string{"cut"}},
	} {
		if diff := cmp.Diff(tt.want, step{needs: tt.needs}.missing(before)); diff != "" {
			t.Errorf("%v: %s", tt.needs, diff)
		}
	}
}

// assortment is a catalogue of products whose numbers end like this.
func assortment(t *testing.T, n int) demo.Catalogue {
	t.Helper()
	c := demo.Catalogue{Header: []string{"gtin", "name", "price_minor", "currency"}}
	for i := 0; len(c.Rows) < n; i++ {
		code := fmt.Sprintf("952%010d", i)
		row := []string{code, "Product " + code, "199", "EUR"}
		if len(demo.Catalogue{Header: c.Header, Rows: [][]string{row}}.Products()) == 1 {
			c.Rows = append(c.Rows, row)
		}
	}
	return c
}

func TestASmallCatalogueIsRefusedByItsSize(t *testing.T) {
	r := &run{}
	if err := r.choose(assortment(t, neededProducts-1).Products()); err == nil || !strings.Contains(err.Error(), "8 products") {
		t.Errorf("got %v", err)
	}
	if err := r.choose(assortment(t, neededProducts).Products()); err != nil {
		t.Error(err)
	}
}

func TestEachBrokenRowIsBrokenInOneWay(t *testing.T) {
	rows := assortment(t, 20)
	r := &run{}
	if err := r.choose(rows.Products()); err != nil {
		t.Fatal(err)
	}
	file, err := r.breakRows(rows)
	if err != nil {
		t.Fatal(err)
	}
	in := csv.NewReader(bytes.NewReader(file.csv))
	in.FieldsPerRecord = -1
	lines, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for i, line := range lines {
		_, broken := file.lines[int64(i+1)]
		if i > 0 && !broken {
			good++
		}
		if !broken && len(line) != len(rows.Header) {
			t.Errorf("line %d is broken by accident: %q", i+1, line)
		}
	}
	if good != len(file.good) || len(lines) != 1+len(file.good)+len(file.lines) {
		t.Errorf("%d good lines of %d", good, len(lines))
	}
}

func TestBooksThatDifferAreFound(t *testing.T) {
	own := func() *storev1.Stock {
		return &storev1.Stock{Online: 2, Granted: 3, Returned: 0, Assigned: 1,
			Accounts: map[string]int64{"sellable": 4, "online": 2, "reserved": 1, "supplier": -7}}
	}
	row := func() *shopv1.BookRow {
		return &shopv1.BookRow{Granted: 3, Assigned: 1, Pool: 1, Held: 1,
			Accounts: map[string]int64{"sellable": 4, "online": 2, "reserved": 1, "supplier": -7}}
	}
	for _, tt := range []struct {
		name   string
		change func(*storev1.Stock, *shopv1.BookRow)
		want   string // part of what is said; empty: nothing
	}{
		{"equal", func(*storev1.Stock, *shopv1.BookRow) {}, ""},
		{"other balance", func(s *storev1.Stock, _ *shopv1.BookRow) { s.Accounts["sellable"] = 5 }, "sellable"},
		{"units from nowhere", func(s *storev1.Stock, r *shopv1.BookRow) {
			s.Accounts["sellable"], r.Accounts["sellable"] = 9, 9
		}, "add up"},
		{"below zero", func(s *storev1.Stock, r *shopv1.BookRow) {
			s.Accounts["online"], r.Accounts["online"] = -1, -1
		}, "-1 online"},
		{"a grant that one side forgot", func(s *storev1.Stock, _ *shopv1.BookRow) { s.Granted = 4 }, "rights"},
		{"a pool that is not covered", func(_ *storev1.Stock, r *shopv1.BookRow) { r.Pool = 2 }, "is not pool"},
		{"a debt of the pool", func(_ *storev1.Stock, r *shopv1.BookRow) { r.Pool, r.Held = -1, 3 }, "pool -1"},
	} {
		s, r := own(), row()
		tt.change(s, r)
		err := sameBook(s, r)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestOrdersThatDifferAreFound(t *testing.T) {
	own := &storev1.Pickup{State: "ready", Lines: []*storev1.PickupLine{{Quantity: 2, Staged: 2}}}
	for _, tt := range []struct {
		name string
		seen *shopv1.Reservation
		same bool
	}{
		{"equal", &shopv1.Reservation{State: shopv1.ReservationState_READY,
			Lines: []*shopv1.ReservationLine{{Quantity: 2, Staged: 2}}}, true},
		{"other state", &shopv1.Reservation{State: shopv1.ReservationState_PICKING,
			Lines: []*shopv1.ReservationLine{{Quantity: 2, Staged: 2}}}, false},
		{"other units", &shopv1.Reservation{State: shopv1.ReservationState_READY,
			Lines: []*shopv1.ReservationLine{{Quantity: 2, Staged: 1}}}, false},
		{"lost line", &shopv1.Reservation{State: shopv1.ReservationState_READY}, false},
	} {
		if err := sameOrder(own, tt.seen); (err == nil) != tt.same {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := sameOrder(nil, &shopv1.Reservation{}); err == nil {
		t.Error("an order that the store does not know went unseen")
	}
}

func TestPaperIsReadAcrossItsLineBreaks(t *testing.T) {
	text := "  Tjalk Utrecht\nRoggeknäcke met\n  zeezout   3,49\n7K3M 2Q9A"
	if missing := lacks(text, []string{"roggeknäcke met zeezout", "3,49", "7K3M-2Q9A"}); missing != "" {
		t.Errorf("the paper lacks %q", missing)
	}
	if missing := lacks(text, []string{"3,49", "4,49"}); missing != "4,49" {
		t.Errorf("the paper lacks %q", missing)
	}
}

func TestARefusalOverRESTKeepsItsCode(t *testing.T) {
	const body = `{"code":9,"message":"Nog 2.","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",
		"reason":"SHORT","domain":"holdfast.dev","metadata":{"available":"2"}}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	s := newShopper(server.URL)
	defer s.leave()
	_, err := s.reservation(t.Context(), "x")
	if code, args := demo.RefusalOf(err); code != "SHORT" || args["available"] != "2" {
		t.Errorf("got %s %v of %v", code, args, err)
	}
	if mustRefuse(err, "SHORT", "it") != nil || mustRefuse(err, "OFFLINE", "it") == nil || mustRefuse(nil, "SHORT", "it") == nil {
		t.Error("refusals are mixed up")
	}
}
