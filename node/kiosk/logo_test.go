package kiosk

import (
	"strings"
	"testing"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/node/kiosk/paper"
	"holdfast.dev/node/kiosk/spool"
)

func TestTheLogoIsOnWhatCustomersGetAndNotOnPickSlips(t *testing.T) {
	s := openShop(t, shopOptions{logo: receipt.Image{Width: 8, Height: 1, Dots: []byte{0xff}}})
	for _, c := range []struct {
		kind string
		p    paper.Paper
		want bool
	}{
		{kindSale, paper.Sale{Number: "R7-1"}, true},
		{kindHandover, paper.Handover{Number: "H7-1", Code: "7K3M2Q9A"}, true},
		{kindPickSlip, paper.PickSlip{Code: "7K3M2Q9A"}, false},
	} {
		j, err := s.print(t.Context(), spool.Job{Key: c.kind, Kind: c.kind, Device: "paper"}, c.p,
			paper.Original)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.HasPrefix(strings.TrimSpace(j.Text), "[image]"); got != c.want {
			t.Errorf("%s: logo %t, want %t:\n%s", c.kind, got, c.want, j.Text)
		}
	}
}
