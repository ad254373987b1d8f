package shopfloor_test

import (
	"fmt"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
)

var partNames = map[reservation.Part]string{reservation.Reserved: "reserved",
	reservation.Picked: "picked", reservation.Staged: "staged", reservation.Collected: "collected",
	reservation.Released: "released", reservation.Short: "short"}

func findReservation(tx *journal.Tx, r *recordv1.Reserve) (*books.Reservation, error) {
	known, _, err := books.Open(tx, 7).Reservation([16]byte(r.GetReservation()))
	return known, err
}

// verb does one command and says what is worth saying.
type verb = func(s *scene, a arguments) (string, error)

var verbs = map[string]verb{
	// The shop: "receive 3", "sell 1 by=Anna manager=yes id=s1 resent=1", "count 2".
	"receive": func(s *scene, a arguments) (string, error) {
		s.receive(a.number(0))
		return "", nil
	},
	"sell": sell,
	"count": func(s *scene, a arguments) (string, error) {
		_, err := s.Count(s.t.Context(), s.cause(a), bread, stock.Units(a.number(0)), "")
		return "", err
	},
	"pick": func(s *scene, a arguments) (string, error) {
		_, err := s.Pick(s.t.Context(), s.cause(a), s.promised(a), bread, 0)
		return "", err
	},
	"stage": func(s *scene, a arguments) (string, error) {
		_, err := s.Stage(s.t.Context(), s.cause(a), s.promised(a), "SHELF-A1")
		return "", err
	},
	"missing": func(s *scene, a arguments) (string, error) {
		_, err := s.Missing(s.t.Context(), s.cause(a), s.promised(a), 1, 1)
		return "", err
	},
	"expire": func(s *scene, a arguments) (string, error) {
		_, err := s.Release(s.t.Context(), s.cause(a), s.promised(a),
			recordv1.ReleaseReason_RELEASE_REASON_EXPIRE)
		return "", err
	},
	// "token A" is a shopper with A's code.
	"token": func(s *scene, a arguments) (string, error) {
		h, err := s.Collect(s.t.Context(), s.cause(a), s.token(s.promises[a.word(0)]))
		if err == nil && h.Unheard {
			return a.word(0) + " handed over unheard", nil
		}
		return "", err
	},
	// The cloud: "promise A 1" is known to it alone, "order A" tells the store.
	"promise": func(s *scene, a arguments) (string, error) {
		r := s.reserve(a.word(0), a.number(1))
		r.Timeline, r.Directive = s.timeline, s.dseq+s.blocked+1
		s.promises[a.word(0)] = r
		return "", nil
	},
	"order": func(s *scene, a arguments) (string, error) {
		return "", s.order(&recordv1.Directive{Critical: true,
			Body: &recordv1.Directive_Reserve{Reserve: s.promises[a.word(0)]}})
	},
	"cancel": func(s *scene, a arguments) (string, error) {
		r := s.promises[a.word(0)]
		return "", s.order(&recordv1.Directive{Critical: true, Body: &recordv1.Directive_Cancel{
			Cancel: &recordv1.CancelRequest{Reservation: r.Reservation, Timeline: r.Timeline,
				Directive: r.Directive, Lines: r.Lines}}})
	},
	// "riddle" is a directive that the store does not know, "void A" takes it back
	// if it was A's.
	"riddle": func(s *scene, _ arguments) (string, error) {
		return "", s.order(&recordv1.Directive{Critical: true})
	},
	"void": func(s *scene, a arguments) (string, error) {
		r := s.promises[a.word(0)]
		return "", s.order(&recordv1.Directive{Critical: true, Body: &recordv1.Directive_Void{
			Void: &recordv1.Void{Directive: r.Directive, Timeline: r.Timeline, Reservation: r.Reservation,
				Lines: r.Lines}}})
	},
	"return": func(s *scene, a arguments) (string, error) {
		rights := s.account(bread).Rights
		return "", s.order(&recordv1.Directive{Critical: true, Body: &recordv1.Directive_Return{
			Return: &recordv1.Return{Sku: uint32(bread), Units: a.number(0),
				ReturnedTotal: int64(rights.Returned) + a.number(0), Timeline: s.timeline}}})
	},
	// "ask 3 t=1" asks that G reach 3.
	"ask": func(s *scene, a arguments) (string, error) {
		want := shopfloor.Want{SKU: bread, Target: stock.Units(a.number(0)),
			Timeline: stock.Timeline(s.timeline)}
		if a.named("t") != "" {
			want.Timeline = stock.Timeline(a.named("t")[0] - '0')
		}
		got, err := s.GrantUpTo(s.t.Context(), []shopfloor.Want{want})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("granted %d in all", got[0].Total), nil
	},
	// Losses: after "sent" the cloud has nothing more; "lost" rebuilds the box from
	// what the cloud has, and "salvage" sends it what the lost one had.
	"sent": func(s *scene, _ arguments) (string, error) {
		s.sent = s.Head().Seq
		s.spare = s.rebuild("")
		return "", nil
	},
	"lost": func(s *scene, _ arguments) (string, error) {
		s.die()
		return "", nil
	},
	"salvage": salvageAll,
	"settle":  func(s *scene, _ arguments) (string, error) { return "", s.Settle(s.t.Context()) },
	"timeline": func(s *scene, a arguments) (string, error) {
		s.timeline, s.dseq = uint32(a.number(0)), 0
		return "", s.BeginTimeline(s.t.Context(), stock.Timeline(a.number(0)), s.Head().Seq)
	},
	"drain": func(s *scene, _ arguments) (string, error) {
		n, err := s.DrainLegacy(s.t.Context(), shopfloor.Cause{}, true)
		return fmt.Sprintf("%d products", n), err
	},
	// "till A sees" remembers the store's head, or one record more if it dreams;
	// "till A asks" shows it.
	"till": func(s *scene, a arguments) (string, error) {
		if a.word(1) != "asks" {
			seen := s.Seen()
			if a.word(1) == "dreams" {
				seen.Seq++
			}
			s.seen[a.word(0)] = seen
			return "", nil
		}
		resend, err := s.Witness(s.t.Context(), s.seen[a.word(0)])
		if err == nil && resend {
			return a.word(0) + " sends again what it keeps", nil
		}
		return "", err
	},
	"show": func(s *scene, a arguments) (string, error) {
		if len(a.words) == 1 {
			return s.stateOf(a.word(0))
		}
		return s.show(), nil
	},
}

func (s *scene) promised(a arguments) [16]byte {
	return [16]byte(s.promises[a.word(0)].GetReservation())
}

func sell(s *scene, a arguments) (string, error) {
	sale := shopfloor.Sell{Cause: s.cause(a),
		Lines: []*recordv1.SaleLine{{Sku: uint32(bread), Units: a.number(0)}}}
	if by := a.named("by"); by != "" {
		sale.Decided = &shopfloor.Decider{Name: by, Manager: a.named("manager") == "yes"}
	}
	if a.named("resent") != "" {
		sale.Resent = &stock.Epoch{Timeline: 1, Counter: uint32(a.named("resent")[0] - '0')}
	}
	w, err := s.Sell(s.t.Context(), sale)
	switch {
	case err != nil:
		return "", err
	case w.Repeated:
		return "sold before", nil
	}
	return "", nil
}

func salvageAll(s *scene, _ arguments) (string, error) {
	for _, raw := range s.lost {
		err := s.order(&recordv1.Directive{Critical: true, Body: &recordv1.Directive_SalvageFacts{
			SalvageFacts: &recordv1.SalvageFacts{Records: [][]byte{raw}}}})
		if err != nil {
			return "", err
		}
	}
	return "", nil
}
