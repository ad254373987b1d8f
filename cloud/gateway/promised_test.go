package gateway_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	shopv1 "holdfast.dev/proto/shop/v1"
)

func TestWhoReservesIsToldWhatIsReadLater(t *testing.T) {
	s := open(t)
	s.receive(10)
	s.grant(5)
	contact := &shopv1.Contact{FirstName: "Anna", Language: "nl", Pin: "4711"}
	now, err := s.CreateReservation(t.Context(), &shopv1.CreateReservationRequest{Store: 7,
		RequestId: uuid.NewString(), Lines: cart(1), Contact: contact})
	must(t)(now, err)
	hold, err := s.CreateHold(t.Context(), &shopv1.CreateHoldRequest{Store: 7, RequestId: uuid.NewString(),
		Lines: cart(2)})
	must(t)(hold, err)
	confirmed, err := s.ConfirmHold(t.Context(), &shopv1.ConfirmHoldRequest{Store: 7, Hold: hold.GetHold(),
		RequestId: uuid.NewString(), Contact: contact})
	must(t)(confirmed, err)
	for what, told := range map[string]*shopv1.Reservation{"reserved": now, "confirmed": confirmed} {
		read, err := s.GetReservation(t.Context(), &shopv1.GetReservationRequest{
			Reservation: told.GetReservation(), Language: "nl"})
		must(t)(read, err)
		if diff := cmp.Diff(read, told, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-read +told):\n%s", what, diff)
		}
	}
}
