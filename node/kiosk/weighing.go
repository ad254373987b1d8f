package kiosk

import (
	"context"
	"slices"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// autoWeigh bounds how long a scan waits for a load that is not at rest. Who
// needs longer presses the button.
const autoWeigh = 2 * time.Second

// weighFor answers a scan that lacks a weight anew, with what lies on the
// station's scale. A load that was weighed for another scan is not taken again
// unless a person says so.
func (k *Kiosk) weighFor(ctx context.Context, station string, s shopfloor.Scan, a shopfloor.Answer,
	st shopfloor.Station) (shopfloor.Answer, shopfloor.Station, error) {
	name := k.station(station).Scale
	load, known := k.load(name)
	empty := load.State == hardware.ScaleStable && load.Grams == 0
	if name == "" || !known || empty || !weighable(a) {
		return a, st, nil
	}
	ctx, cancel := context.WithTimeout(ctx, autoWeigh)
	w, err := k.o.Devices.Weigh(ctx, name, unitPrice(a.Product))
	cancel()
	if r, refused := stock.AsRefusal(err); refused {
		s.NoWeight = r
	} else if err != nil {
		return a, st, err
	}
	s.Units, s.Amount = stock.Units(w.Grams), int64(w.Amount)
	return k.o.Floor.Scan(context.WithoutCancel(ctx), station, s)
}

// weighable tells whether an answer asks for what a scale can tell.
func weighable(a shopfloor.Answer) bool {
	return a.Refusal != nil && a.Refusal.Code == stock.NeedWeight && a.Product.GetUnit() == "g"
}

// load is what a scale says now, if it works and lies there untaken.
func (k *Kiosk) load(scale string) (hardware.Weight, bool) {
	all := k.o.Devices.States()
	i := slices.IndexFunc(all, func(d devices.State) bool { return d.Name == scale && d.Kind == devices.Scale })
	if i < 0 || all[i].Weight == nil || all[i].Taken || all[i].Phase != devices.Ready {
		return hardware.Weight{}, false
	}
	return *all[i].Weight, true
}

// postWeigh takes the weight of a product from the station's scale, on a
// person's word.
func (k *Kiosk) postWeigh(v *visit) (string, error) {
	ctx := v.r.Context()
	id, err := v.requestID()
	if err != nil {
		return "", err
	}
	code := v.form("code")
	p, err := k.findProduct(ctx, code)
	if err != nil {
		return "", err
	}
	w, err := k.o.Devices.Weigh(ctx, k.station(v.Station.Name).Scale, unitPrice(p))
	if err != nil {
		return "", err
	}
	_, _, err = k.scan(ctx, v.Station.Name, shopfloor.Scan{ID: id, Device: "scale", Data: []byte(code),
		Units: stock.Units(w.Grams), Amount: int64(w.Amount)}, time.Now())
	return v.back(), err
}

func unitPrice(p *recordv1.Product) int { return int(p.GetPriceMinor()) }

// HasScale tells whether the page can take a weight from the station's scale.
func (v *view) HasScale() bool {
	return v.k.station(v.Station.Name).Scale != "" && v.Station.Last.Product.GetUnit() == "g"
}
