package kiosk

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock"
)

// asked is a pickup code whose order waits for a PIN, or for a manager.
type asked struct {
	Code  string
	PIN   bool  // the shopper may say it; else only a manager can help
	after int64 // the station's last answer then: another scan ends it
}

// asking remembers what each station has to ask. Stations are as many as are
// configured.
type asking struct {
	mu sync.Mutex
	by map[string]asked // guarded by mu
}

func (a *asking) remember(station string, what asked) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = make(map[string]asked)
	}
	a.by[station] = what
}

func (a *asking) forget(station string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.by, station)
}

func (a *asking) at(s shopfloor.Station) *asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	if what, ok := a.by[s.Name]; ok && what.after == answeredAt(s) {
		return &what
	}
	return nil
}

func answeredAt(s shopfloor.Station) int64 {
	if s.Last == nil {
		return 0
	}
	return s.Last.At
}

// Asked is the order that waits for a PIN here.
func (v *view) Asked() *asked { return v.k.asking.at(v.Station) }

// askLater notes what a refused handover lacks, so that the page can ask for it.
// Whatever else happens at a station ends its question.
func (k *Kiosk) askLater(st shopfloor.Station, code string, r *stock.Refusal) {
	pin := r != nil && (r.Code == stock.NeedPIN || r.Code == stock.WrongPIN)
	manager := r != nil && (r.Code == stock.Locked ||
		r.Code == stock.ManagerNeeded && r.Args["level"] == "safe")
	if !pin && !manager || !k.configured(st.Name) {
		k.asking.forget(st.Name)
		return
	}
	k.asking.remember(st.Name, asked{Code: code, PIN: pin, after: answeredAt(st)})
}

// collect hands an order over. Its receipt prints at the station.
func (k *Kiosk) collect(ctx context.Context, c shopfloor.Cause, station string,
	p shopfloor.Presented) (h shopfloor.Handover, err error) {
	err = k.guess(p, func() error {
		h, err = k.o.Floor.CollectFor(ctx, c, p)
		return err
	})
	if err == nil {
		k.printCollected(ctx, station, h.Reservation)
	}
	return h, err
}

// guess counts the wrong PINs that are said for an order: few digits must not be
// tried out.
func (k *Kiosk) guess(p shopfloor.Presented, try func() error) error {
	if p.PIN == "" || p.By != nil {
		return try()
	}
	if err := k.orderPINs.locked(p.Code); err != nil {
		return err
	}
	err := try()
	r, ok := stock.AsRefusal(err)
	if !ok || r.Code != stock.WrongPIN {
		return err
	}
	said := *r // the floor shows it elsewhere already
	said.Args = maps.Clone(r.Args)
	return said.With("left", strconv.Itoa(k.orderPINs.missed(p.Code)))
}

// handOver is collect for a page: with the station's scanner where that hands
// orders over, so that the screens show it, else beside it.
func (k *Kiosk) handOver(v *visit, c shopfloor.Cause,
	p shopfloor.Presented) (to string, err error) {
	ctx, here := v.r.Context(), v.Station
	if here.Mode == shopfloor.Collecting || here.Mode == shopfloor.Selling && v.back() == "/sell" {
		_, _, err = k.scan(ctx, here.Name, shopfloor.Scan{ID: c.ID, Device: "typed",
			Data: []byte(p.Code), PIN: p.PIN, Decided: p.By}, time.Now())
		if v.back() == "/sell" {
			return "/sell", err
		}
		return "/collect", err
	}
	h, err := k.collect(ctx, c, here.Name, p)
	r, _ := stock.AsRefusal(err)
	k.askLater(here, p.Code, r)
	k.events.publish(event("station", here.Name, ""))
	return "/orders/" + idString(h.Reservation), err
}

// scanHandover is a scan that may hand an order over, with its PIN.
func (k *Kiosk) scanHandover(ctx context.Context, station string, s shopfloor.Scan) (
	a shopfloor.Answer, st shopfloor.Station, err error) {
	said := shopfloor.Presented{Code: string(s.Data), PIN: s.PIN, By: s.Decided}
	refused := k.guess(said, func() error {
		if a, st, err = k.o.Floor.Scan(ctx, station, s); err != nil || a.Refusal == nil {
			return nil
		}
		return a.Refusal
	})
	if r, ok := stock.AsRefusal(refused); ok && a.Refusal == nil && err == nil {
		return a, st, r // nobody looked at the PIN
	}
	if err == nil {
		k.askLater(st, string(s.Data), a.Refusal)
	}
	return a, st, err
}
