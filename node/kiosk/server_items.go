package kiosk

import (
	"context"
	"encoding/base64"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

// ListItems lists what a person should look at, newest first.
func (s *server) ListItems(ctx context.Context, r *storev1.ListItemsRequest) (
	*storev1.ListItemsResponse, error) {
	const usual, limit = 50, 200
	n, err := pageSize(r.GetPageSize(), usual, limit)
	if err != nil {
		return nil, err
	}
	before, err := parseItemToken(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	lang, known := words.ParseLang(r.GetLanguage())
	if !known {
		lang = s.k.language(ctx)
	}
	out := &storev1.ListItemsResponse{}
	err = s.k.view(ctx, func(tx *journal.Tx) error {
		items, err := books.Items(tx, books.ItemQuery{Store: s.k.o.Info.Store, BeforeSeq: before.seq,
			BeforeNumber: before.number, Done: r.GetDone(), Limit: n + 1})
		if err != nil {
			return err
		}
		if len(items) > n {
			items = items[:n]
			out.NextPageToken = itemToken(placeOf(items[n-1]))
		}
		for _, i := range items {
			shown, _, err := s.k.itemProto(tx, lang, i)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, shown)
		}
		return nil
	})
	return out, err
}

func itemToken(p itemPlace) string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.String()))
}

func parseItemToken(token string) (p itemPlace, err error) {
	if token == "" {
		return p, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		p, err = parseItem(string(raw))
	}
	if err != nil {
		return p, badRequest("page token", "%.50q", token)
	}
	return p, nil
}

// HandleItem says who deals with an item, and how far that is.
func (s *server) HandleItem(ctx context.Context, r *storev1.HandleItemRequest) (
	*storev1.Item, error) {
	id, err := parseID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	place, err := parseItem(r.GetItem())
	if err != nil {
		return nil, err
	}
	progress, err := parseProgress(r.GetProgress())
	if err != nil {
		return nil, err
	}
	err = s.k.handle(ctx, cause(id, r.GetOwner(), ""), &recordv1.HandleItem{Seq: place.seq,
		Number: place.number, Progress: progress, Owner: r.GetOwner(), Note: r.GetNote()})
	if err != nil {
		return nil, err
	}
	return s.k.item(ctx, s.k.language(ctx), place)
}

func (k *Kiosk) item(ctx context.Context, lang words.Lang, p itemPlace) (
	out *storev1.Item, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		i, err := books.FindItem(tx, k.o.Info.Store, p.seq, p.number)
		if err != nil {
			return err
		}
		if i == nil {
			return badRequest("item", "no item %s", p)
		}
		out, _, err = k.itemProto(tx, lang, i)
		return err
	})
	return out, err
}

// handle books what somebody does about an item, and tells the screens.
func (k *Kiosk) handle(ctx context.Context, c shopfloor.Cause, h *recordv1.HandleItem) error {
	_, err := k.o.Floor.HandleItem(ctx, c, h)
	if err == nil {
		k.events.publish(event("item", "", itemPlace{h.GetSeq(), h.GetNumber()}.String()))
	}
	return err
}

// manager returns who signs, or is signed in at the station, if that is a
// manager.
func (k *Kiosk) manager(ctx context.Context, station string, by signature) (
	shopfloor.Decider, error) {
	if by.name == "" && station == "" {
		return shopfloor.Decider{}, stock.Refuse(stock.NotSignedIn, "nobody signs")
	}
	who, err := k.decider(ctx, station, by)
	if err == nil && !who.Manager {
		err = stock.Refuse(stock.ManagerNeeded, "%s is no manager", who.Name)
	}
	return who, err
}

// Settle ends the time in which the store waits for its tills.
func (s *server) Settle(ctx context.Context, r *storev1.SettleRequest) (
	*storev1.SettleResponse, error) {
	return &storev1.SettleResponse{}, s.k.settle(ctx, "", signature{r.GetName(), r.GetPin()})
}

func (k *Kiosk) settle(ctx context.Context, station string, by signature) error {
	who, err := k.manager(ctx, station, by)
	if err != nil {
		return err
	}
	k.log.Info("a manager ends the wait for the tills", "staff", who.Name)
	return k.o.Floor.Settle(ctx)
}

// Reconcile takes back what was set aside for orders of before the cloud was
// restored.
func (s *server) Reconcile(ctx context.Context, r *storev1.ReconcileRequest) (
	*storev1.ReconcileResponse, error) {
	n, err := s.k.reconcile(ctx, "", signature{r.GetName(), r.GetPin()})
	return &storev1.ReconcileResponse{Products: int32Of(n)}, err
}

func (k *Kiosk) reconcile(ctx context.Context, station string, by signature) (int, error) {
	who, err := k.manager(ctx, station, by)
	if err != nil {
		return 0, err
	}
	return k.o.Floor.DrainLegacy(ctx, shopfloor.Cause{Actor: who.Name, Device: station}, true)
}
