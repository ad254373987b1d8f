package shopfloor_test

import (
	"testing"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/token"
)

func TestOrderWithAPINIsHandedToWhoKnowsItOnly(t *testing.T) {
	boss := &shopfloor.Decider{Name: "Bo", Manager: true}
	tests := []struct {
		name  string
		shown shopfloor.Presented
		want  stock.Code
	}{
		{"no PIN", shopfloor.Presented{}, stock.NeedPIN},
		{"another PIN", shopfloor.Presented{PIN: "9999"}, stock.WrongPIN},
		{"somebody of the staff", shopfloor.Presented{By: &shopfloor.Decider{Name: "Al"}}, stock.NeedPIN},
		{"the PIN", shopfloor.Presented{PIN: "4711"}, 0},
		{"a manager", shopfloor.Presented{By: boss}, 0},
	}
	for _, test := range tests {
		for _, heard := range []bool{true, false} {
			t.Run(test.name, func(t *testing.T) {
				s := open(t)
				s.receive(3)
				s.grant(3)
				r := s.reserve("AAAAAAAA", 1)
				tag := token.TagPIN([16]byte(r.Reservation), "4711")
				r.PinHash = tag[:]
				test.shown.Code = s.token(r)
				if heard {
					if err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: r}}); err != nil {
						t.Fatal(err)
					}
					if _, err := s.Pick(t.Context(), shopfloor.Cause{}, [16]byte(r.Reservation), bread, 0); err != nil {
						t.Fatal(err)
					}
				}
				_, err := s.CollectFor(t.Context(), shopfloor.Cause{ID: s.id()}, test.shown)
				if test.want == 0 && err != nil || test.want != 0 && !stock.Refused(err, test.want) {
					t.Errorf("heard of %v: %v, want %v", heard, err, test.want)
				}
			})
		}
	}
}

func TestAHandoverIsAnsweredAgainAfterItsKeyIsGone(t *testing.T) {
	s := open(t)
	s.receive(3)
	s.grant(3)
	heard := s.reserve("AAAAAAAA", 1)
	if err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: heard}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pick(t.Context(), shopfloor.Cause{}, [16]byte(heard.Reservation), bread, 0); err != nil {
		t.Fatal(err)
	}
	asked := map[shopfloor.ID]string{s.id(): s.token(heard), s.id(): s.token(s.reserve("BBBBBBBB", 1))}
	for id, code := range asked {
		if _, err := s.Collect(t.Context(), shopfloor.Cause{ID: id}, code); err != nil {
			t.Fatal(err)
		}
	}
	none := &recordv1.Directive_Keys{Keys: &recordv1.KeySet{Version: 2}}
	if err := s.direct(&recordv1.Directive{Body: none}); err != nil {
		t.Fatal(err)
	}
	other := s.token(s.reserve("CCCCCCCC", 1))
	for id, code := range asked {
		if h, err := s.Collect(t.Context(), shopfloor.Cause{ID: id}, code); err != nil || !h.Repeated {
			t.Errorf("asked again: %+v, %v", h, err)
		}
		if _, err := s.Collect(t.Context(), shopfloor.Cause{ID: id}, other); !stock.Refused(err, stock.IDReused) {
			t.Errorf("another order with the id of a handover: %v", err)
		}
		if _, err := s.Collect(t.Context(), shopfloor.Cause{ID: s.id()}, code); !stock.Refused(err, stock.UnknownKey) {
			t.Errorf("a new request: %v", err)
		}
	}
}
