package kiosk

import (
	"context"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
	"holdfast.dev/stock/words"
)

// maxListed bounds how many reservations a list is made from.
const maxListed = 2000

// ListPickups lists orders: open ones due first, finished ones newest first.
func (s *server) ListPickups(ctx context.Context, r *storev1.ListPickupsRequest) (*storev1.ListPickupsResponse, error) {
	const usual, limit = 50, 500
	n, err := pageSize(r.GetPageSize(), usual, limit)
	if err != nil {
		return nil, err
	}
	from, err := parsePageToken(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	all, err := s.k.pickups(ctx, s.k.language(ctx), r.GetFilter())
	if err != nil {
		return nil, err
	}
	out := &storev1.ListPickupsResponse{}
	start := min(int(from), len(all))
	end := min(start+n, len(all))
	out.Pickups = all[start:end]
	if end < len(all) {
		out.NextPageToken = pageToken(uint64(end))
	}
	return out, nil
}

// Filters of orders.
const (
	filterOpen     = "open"
	filterReady    = "ready"
	filterFinished = "finished"
	filterAll      = "all"
)

// pickups lists orders by filter.
func (k *Kiosk) pickups(ctx context.Context, lang words.Lang, filter string) (all []*storev1.Pickup, err error) {
	open := filter == "" || filter == filterOpen || filter == filterReady || filter == filterAll
	finished := filter == filterFinished || filter == filterAll
	if !open && !finished {
		return nil, badRequest("filter", "%.20q", filter)
	}
	err = k.view(ctx, func(tx *journal.Tx) error {
		var found []*books.Reservation
		if open {
			if found, err = books.OpenReservations(tx, k.o.Info.Store, maxListed); err != nil {
				return err
			}
		}
		if finished {
			ended, err := books.FinishedReservations(tx, k.o.Info.Store, maxListed)
			if err != nil {
				return err
			}
			found = append(found, ended...)
		}
		for _, r := range found {
			if filter == filterReady && r.State() != reservation.Ready {
				continue
			}
			p, err := k.pickupProto(tx, lang, r)
			if err != nil {
				return err
			}
			all = append(all, p)
		}
		return nil
	})
	return all, err
}

// GetPickup returns one order.
func (s *server) GetPickup(ctx context.Context, r *storev1.GetPickupRequest) (*storev1.Pickup, error) {
	id, err := parseReservation(r.GetReservation())
	if err != nil {
		return nil, err
	}
	return s.k.pickup(ctx, s.k.language(ctx), id)
}

func (k *Kiosk) reservation(ctx context.Context, id shopfloor.ID) (r *books.Reservation, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		found, known, err := books.Open(tx, k.o.Info.Store).Reservation(id)
		if err == nil && !known {
			err = stock.Refuse(stock.UnknownReservation, "reservation %x", id)
		}
		r = found
		return err
	})
	return r, err
}

func (k *Kiosk) pickup(ctx context.Context, lang words.Lang, id shopfloor.ID) (p *storev1.Pickup, err error) {
	r, err := k.reservation(ctx, id)
	if err != nil {
		return nil, err
	}
	err = k.view(ctx, func(tx *journal.Tx) error {
		p, err = k.pickupProto(tx, lang, r)
		return err
	})
	return p, err
}

// onPickup is a request about one order.
type onPickup interface {
	GetReservation() string
	GetRequestId() string
}

// step does one step on an order and returns the order after it.
func (s *server) step(ctx context.Context, r onPickup, do func(id, reservation shopfloor.ID) error) (*storev1.Pickup, error) {
	id, err := parseOptionalID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	res, err := parseReservation(r.GetReservation())
	if err != nil {
		return nil, err
	}
	if err := do(id, res); err != nil {
		return nil, err
	}
	return s.k.pickup(ctx, s.k.language(ctx), res)
}

// PickItem books units taken from the shelf for an order.
func (s *server) PickItem(ctx context.Context, r *storev1.PickItemRequest) (*storev1.Pickup, error) {
	return s.step(ctx, r, func(id, res shopfloor.ID) error {
		if r.GetQuantity() < 0 {
			return stock.Refuse(stock.BadUnits, "%d units", r.GetQuantity())
		}
		p, err := s.k.findProduct(ctx, r.GetGtin())
		if err != nil {
			return err
		}
		_, err = s.k.o.Floor.Pick(ctx, cause(id, r.GetStation(), r.GetStation()), res, stock.SKU(p.GetSku()),
			stock.Units(r.GetQuantity()))
		return err
	})
}

// StagePickup books what is picked onto a pickup shelf.
func (s *server) StagePickup(ctx context.Context, r *storev1.StagePickupRequest) (*storev1.Pickup, error) {
	return s.step(ctx, r, func(id, res shopfloor.ID) error {
		_, err := s.k.o.Floor.Stage(ctx, cause(id, r.GetStation(), r.GetStation()), res, r.GetShelf())
		return err
	})
}

// Collect hands an order over by token or code, and by the PIN that it may have.
// A manager who signs knows the shopper without it.
func (s *server) Collect(ctx context.Context, r *storev1.CollectRequest) (*storev1.CollectResponse, error) {
	id, err := parseOptionalID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	said := shopfloor.Presented{Code: r.GetCode(), PIN: r.GetPin()}
	if r.GetDecidedBy() != "" {
		by, err := s.k.manager(ctx, "", signature{r.GetDecidedBy(), r.GetManagerPin()})
		if err != nil {
			return nil, err
		}
		said.By = &by
	}
	c, err := again(cause(id, r.GetStaff(), r.GetStation()), r.GetResentEpoch())
	if err != nil {
		return nil, err
	}
	for _, l := range r.GetResentLines() {
		said.Handed = append(said.Handed, &recordv1.OutcomeLine{Line: l.GetLine(), Units: int64(l.GetQuantity())})
	}
	h, err := s.k.collect(ctx, c, r.GetStation(), said)
	if err != nil {
		return nil, err
	}
	p, err := s.k.pickup(ctx, s.k.language(ctx), h.Reservation)
	return &storev1.CollectResponse{Pickup: p, Seq: h.Seq, Unheard: h.Unheard}, err
}

// ReleasePickup gives an order up.
func (s *server) ReleasePickup(ctx context.Context, r *storev1.ReleasePickupRequest) (*storev1.Pickup, error) {
	return s.step(ctx, r, func(id, res shopfloor.ID) error {
		reason, ok := releaseReasons[r.GetReason()]
		if !ok {
			return badRequest("reason", "%.20q", r.GetReason())
		}
		c, err := again(cause(id, r.GetStaff(), ""), r.GetResentEpoch())
		if err == nil {
			_, err = s.k.o.Floor.Release(ctx, c, res, reason)
		}
		return err
	})
}

var releaseReasons = map[string]recordv1.ReleaseReason{
	"": recordv1.ReleaseReason_RELEASE_REASON_STAFF, "staff": recordv1.ReleaseReason_RELEASE_REASON_STAFF,
	"cancel": recordv1.ReleaseReason_RELEASE_REASON_CANCEL, "expire": recordv1.ReleaseReason_RELEASE_REASON_EXPIRE,
}

// ShortPickup says that units of a line cannot be found.
func (s *server) ShortPickup(ctx context.Context, r *storev1.ShortPickupRequest) (*storev1.Pickup, error) {
	return s.step(ctx, r, func(id, res shopfloor.ID) error {
		n, err := parseUnits(r.GetQuantity())
		if err != nil {
			return err
		}
		c, err := again(cause(id, r.GetStaff(), ""), r.GetResentEpoch())
		if err == nil {
			_, err = s.k.o.Floor.Missing(ctx, c, res, r.GetLine(), n)
		}
		return err
	})
}

// ExtendPickup moves the pickup-by time of an order.
func (s *server) ExtendPickup(ctx context.Context, r *storev1.ExtendPickupRequest) (*storev1.Pickup, error) {
	return s.step(ctx, r, func(id, res shopfloor.ID) error {
		if !r.GetPickupUntil().IsValid() {
			return badRequest("pickup-by time", "no time")
		}
		_, err := s.k.o.Floor.Extend(ctx, cause(id, r.GetStaff(), ""), res, r.GetPickupUntil().AsTime().UnixMilli())
		return err
	})
}

// ListPrintJobs lists what was printed or waits, newest first.
func (s *server) ListPrintJobs(ctx context.Context, r *storev1.ListPrintJobsRequest) (*storev1.ListPrintJobsResponse, error) {
	const usual, limit = 50, 200
	n, err := pageSize(r.GetPageSize(), usual, limit)
	if err != nil {
		return nil, err
	}
	jobs, err := s.k.spool.List(ctx, n)
	if err != nil {
		return nil, err
	}
	out := &storev1.ListPrintJobsResponse{}
	for _, j := range jobs {
		out.Jobs = append(out.Jobs, jobProto(j))
	}
	return out, nil
}

// Reprint prints a job again, marked.
func (s *server) Reprint(ctx context.Context, r *storev1.ReprintRequest) (*storev1.PrintJob, error) {
	id, err := parseOptionalID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	j, err := s.k.again(ctx, int64(r.GetJob()), id)
	if err != nil {
		return nil, err
	}
	return jobProto(j), nil
}
