package gateway_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
)

// found is a sale that the store's books knew no unit for.
func (s *shop) found() *recordv1.Record {
	return &recordv1.Record{Body: &recordv1.Record_Sale{Sale: &recordv1.Sale{
		Mode:  recordv1.SaleMode_SALE_MODE_FOUND,
		Found: []*recordv1.MovementLine{{Sku: s.sku(bread), Units: 2}},
		Lines: []*recordv1.SaleLine{{Sku: s.sku(bread), Units: 2}}}}}
}

func alarm() *recordv1.Record {
	return &recordv1.Record{Body: &recordv1.Record_Mark{Mark: &recordv1.Mark{
		Kind: recordv1.MarkKind_MARK_KIND_ALARM, Text: "a genuine code without units"}}}
}

func (s *shop) items(r *shopv1.ListItemsRequest) *shopv1.ListItemsResponse {
	s.t.Helper()
	list, err := s.Office().ListItems(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// brief is what a test compares of an item.
type brief struct {
	Office         bool
	Kind, Happened string
	Progress       string
}

func briefly(list *shopv1.ListItemsResponse) (all []brief) {
	for _, i := range list.GetItems() {
		all = append(all, brief{i.GetHeadOffice(), i.GetKind(), i.GetHappened(), i.GetProgress()})
	}
	return all
}

func TestItemsOfStoresAndOfHeadOfficeAreOneList(t *testing.T) {
	s := open(t)
	s.upload(s.found())
	s.upload(alarm())
	want := []brief{
		{true, "ALARM", "Tjalk meldt iets wat onmogelijk hoort te zijn.", "open"},
		{false, "alarm", "Er gebeurde iets wat onmogelijk hoort te zijn.", "open"},
		{false, "found", "Volgens de boeken was er geen meer, maar een klant had het in de hand: " +
			"2\u00a0× Rye bread.", "open"},
	}
	list := s.items(&shopv1.ListItemsRequest{Language: "nl"})
	if diff := cmp.Diff(want, briefly(list)); diff != "" || list.GetOpen() != 3 {
		t.Errorf("%d open: %s", list.GetOpen(), diff)
	}
	if list.GetItems()[2].GetGtin() != bread ||
		list.GetItems()[0].GetDetail() != "a genuine code without units" {
		t.Errorf("details: %v", list)
	}
	var paged []brief
	token := ""
	for range 5 {
		page := s.items(&shopv1.ListItemsRequest{Store: 7, Language: "nl", PageSize: 1, PageToken: token})
		paged = append(paged, briefly(page)...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if diff := cmp.Diff(want, paged); diff != "" {
		t.Errorf("by pages: %s", diff)
	}
}

func TestHeadOfficeHandlesItsOwnItemsOnly(t *testing.T) {
	s := open(t)
	s.upload(alarm())
	list := s.items(&shopv1.ListItemsRequest{})
	own, theirs := list.GetItems()[0], list.GetItems()[1]
	handle := func(item *shopv1.Item, progress string) (*shopv1.Item, error) {
		return s.Office().HandleItem(t.Context(), &shopv1.HandleItemRequest{Item: item.GetItem(),
			Progress: progress, Owner: "Ada", Note: "called them"})
	}
	if _, err := handle(theirs, "done"); !stock.Refused(err, stock.WrongState) {
		t.Errorf("an item of the store: %v", err)
	}
	for _, item := range []string{"", "office.7.1", "office.7.x.1", "town.7.1.1", "office.7.99.1"} {
		if _, err := handle(&shopv1.Item{Item: item}, "done"); !stock.Refused(err, stock.BadRequest) {
			t.Errorf("%q: %v", item, err)
		}
	}
	if _, err := handle(own, "soon"); !stock.Refused(err, stock.BadRequest) {
		t.Errorf("an unknown word: %v", err)
	}
	own.Progress, own.Owner, own.Note = "done", "Ada", "called them"
	got, err := handle(own, "done")
	if diff := cmp.Diff(own, got, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	open, all := s.items(&shopv1.ListItemsRequest{}), s.items(&shopv1.ListItemsRequest{Done: true})
	if len(open.GetItems()) != 1 || open.GetOpen() != 1 || len(all.GetItems()) != 2 ||
		all.GetOpen() != 1 {
		t.Errorf("afterwards open %v, all %v", open, all)
	}
}

func TestListsOfItemsAreAskedForSensibly(t *testing.T) {
	s := open(t)
	for _, r := range []*shopv1.ListItemsRequest{{PageToken: "7"}, {PageToken: "x.office.7.1.1"},
		{PageToken: "-5.office.7.1.1"}, {Store: 8}} {
		if _, err := s.Office().ListItems(t.Context(), r); err == nil {
			t.Errorf("%v was answered", r)
		}
	}
}

func TestTheFleetShowsTroubleAndWhatWaits(t *testing.T) {
	s := open(t)
	s.upload(s.found(), alarm())
	fleet, err := s.Office().Fleet(t.Context())
	if err != nil || len(fleet) != 1 {
		t.Fatal(fleet, err)
	}
	f := fleet[0]
	if f.Open != 2 || f.Trouble != "ALARM" || f.Frozen || f.Quarantined || f.Node[:2] != "01" {
		t.Errorf("%+v", f)
	}
	s.granted = 40 // the next grant does not add up
	s.grant(1)
	if fleet, err = s.Office().Fleet(t.Context()); err != nil || !fleet[0].Quarantined ||
		fleet[0].Trouble != "QUARANTINE" {
		t.Errorf("%+v %v", fleet, err)
	}
}
