package gateway_test

import (
	"testing"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
)

func TestARestoredCloudServesNobodyWhomNoPersonKnows(t *testing.T) {
	for name, c := range map[string]struct {
		ask    *shopv1.BumpTimelineRequest
		frozen bool
	}{
		"nobody says that the boxes are the same": {&shopv1.BumpTimelineRequest{Reason: "restored"}, true},
		"somebody says so":                        {&shopv1.BumpTimelineRequest{TrustNodes: true}, false},
		"somebody says both":                      {&shopv1.BumpTimelineRequest{TrustNodes: true, Freeze: true}, true},
	} {
		s := open(t)
		if _, err := s.Office().BumpTimeline(t.Context(), c.ask); err != nil {
			t.Fatal(err)
		}
		fleet, err := s.Office().Fleet(t.Context())
		if err != nil || fleet[0].Frozen != c.frozen {
			t.Errorf("%s: %+v %v", name, fleet, err)
		}
	}
}

func TestATimelineComesAfterAllThatNodesShow(t *testing.T) {
	s := open(t)
	_, err := s.Office().BumpTimeline(t.Context(), &shopv1.BumpTimelineRequest{TrustNodes: true, After: 6})
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := s.Office().Fleet(t.Context())
	if err != nil || fleet[0].State.GetTimeline() != 7 {
		t.Errorf("%+v %v", fleet, err)
	}
	_, err = s.Office().BumpTimeline(t.Context(), &shopv1.BumpTimelineRequest{After: 1 << 30})
	if !stock.Refused(err, stock.BadRequest) {
		t.Errorf("after a timeline that nobody can show: %v", err)
	}
}

func TestAStoreThatIsSetApartIsRenewedByItsOwnBooks(t *testing.T) {
	s := open(t)
	s.granted = 40 // the next grant does not add up
	s.grant(1)
	if _, err := s.Office().RenewStore(t.Context(), &shopv1.RenewStoreRequest{Store: 7}); err != nil {
		t.Fatal(err)
	}
	fleet, err := s.Office().Fleet(t.Context())
	if err != nil || !fleet[0].Quarantined || !fleet[0].Renewing {
		t.Errorf("%+v %v", fleet, err)
	}
}
