package kiosk

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"holdfast.dev/node/devices"
	"holdfast.dev/node/shopfloor"
)

// stationQueue is how many scans may wait for one station. When it is full the
// scanners wait too: no scan is dropped.
const stationQueue = 64

// pump answers what the scanners read, each station in its own order, so that
// a station that waits for the cloud does not hold up the others.
func (k *Kiosk) pump(ctx context.Context) error {
	queues := make(map[string]chan devices.Scan)
	var all sync.WaitGroup
	defer all.Wait()
	defer func() {
		for _, q := range queues {
			close(q)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case s, open := <-k.o.Devices.Scans():
			if !open {
				<-ctx.Done()
				return nil
			}
			name, ok := k.stationOf(s.Device)
			if !ok {
				k.metrics.scans.WithLabelValues("unassigned").Inc()
				k.log.Warn("scan at a scanner of no station", "device", s.Device)
				continue
			}
			q := queues[name]
			if q == nil {
				q = make(chan devices.Scan, stationQueue)
				queues[name] = q
				all.Go(func() { k.answerScans(ctx, name, q) })
			}
			select {
			case q <- s:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

func (k *Kiosk) stationOf(scanner string) (string, bool) {
	i := slices.IndexFunc(k.o.Stations, func(s Station) bool { return s.Scanner == scanner })
	if i < 0 {
		return "", false
	}
	return k.o.Stations[i].Name, true
}

func (k *Kiosk) answerScans(ctx context.Context, station string, scans <-chan devices.Scan) {
	for s := range scans {
		a, _, err := k.scan(ctx, station, shopfloor.Scan{ID: newID(), Device: s.Device, Data: s.Data,
			AIM: s.AIM, Garbage: s.Garbage}, s.At)
		if err != nil && ctx.Err() == nil {
			k.metrics.scans.WithLabelValues("fault").Inc()
			k.log.Error("scan was not answered", "device", s.Device, "err", err)
			k.publishFault(station)
		}
		if ctx.Err() == nil && (err != nil || a.Refusal != nil) {
			k.beepLow(ctx, s.Device)
		}
	}
}

// scan is what every scan goes through, whoever sends it: the floor answers,
// the screens hear of it, and a handover gets its receipt.
func (k *Kiosk) scan(ctx context.Context, station string, s shopfloor.Scan, began time.Time) (
	shopfloor.Answer, shopfloor.Station, error) {
	a, st, err := k.scanHandover(ctx, station, s)
	if err == nil {
		a, st, err = k.weighFor(ctx, station, s, a, st)
	}
	if err != nil {
		return a, st, err
	}
	e := event("answer", station, "")
	e.Answer = k.answerProto(k.o.Info.Language, a)
	k.events.publish(e)
	k.metrics.scanned(a, began)
	if a.Done == "floor.collected" && a.Refusal == nil {
		k.printCollected(ctx, station, a.Pickup)
	}
	return a, st, nil
}

// beepLow makes a scanner that can do so tell by ear what the screen says.
func (k *Kiosk) beepLow(ctx context.Context, scanner string) {
	if err := k.o.Devices.Refuse(ctx, scanner); err != nil && ctx.Err() == nil {
		k.log.Debug("scanner did not beep", "device", scanner, "err", err)
	}
}

// publishFault tells a screen that a scan met trouble in the machine, so that
// nobody takes silence for yes.
func (k *Kiosk) publishFault(station string) {
	e := event("answer", station, "")
	e.Answer = k.faultProto(k.o.Info.Language)
	k.events.publish(e)
}

func newID() shopfloor.ID { return shopfloor.ID(uuid.Must(uuid.NewV7())) }

func idString(id shopfloor.ID) string {
	if id == (shopfloor.ID{}) {
		return ""
	}
	return uuid.UUID(id).String()
}
