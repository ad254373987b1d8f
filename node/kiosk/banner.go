package kiosk

import (
	"strings"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// banner says on every page that the store is not what it should be.
type banner struct {
	Key    string // of its texts
	Look   string // class of the alert
	Settle bool   // a manager may end it
	Number string // that head office asks for
}

// refusedBanners are the refusals of the cloud that people must hear of; others
// pass by themselves.
var refusedBanners = map[string]bool{stock.Fenced.String(): true, stock.Forked.String(): true,
	stock.Frozen.String(): true, stock.RolledBack.String(): true}

// Banners lists what is wrong with the store's standing, the gravest first.
func (v *view) Banners() (all []banner) {
	if code := v.k.o.Link.State().Refused; refusedBanners[code] {
		b := banner{Key: "banner." + strings.ToLower(code), Look: "alert-bad"}
		if code == stock.Frozen.String() {
			b.Number = v.k.o.Info.NodeID
		}
		all = append(all, b)
	}
	switch v.k.o.Floor.Mode() {
	case recordv1.NodeMode_NODE_MODE_SAFE:
		all = append(all, banner{Key: "banner.safe", Look: "alert-bad"})
	case recordv1.NodeMode_NODE_MODE_SUSPECT:
		all = append(all, banner{Key: "banner.suspect", Look: "alert-warn", Settle: true})
	}
	return all
}

// Waiting tells whether the store waits for its tills.
func (v *view) Waiting() bool {
	return v.k.o.Floor.Mode() == recordv1.NodeMode_NODE_MODE_SUSPECT
}

// Unfolded tells whether the page shows all of a banner: others leave the room
// to the work.
func (v *view) Unfolded() bool { return v.screen.name == "home" }

// MustProve tells whether a manager has to type a name and PIN here.
func (v *view) MustProve() bool { return !v.Station.Manager || v.Station.Staff == "" }

// Arg is what the address asks the page for.
func (v *view) Arg() string { return v.arg }
