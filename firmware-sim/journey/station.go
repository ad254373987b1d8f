package journey

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/printer"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

// station is a place in a store at which the journey scans and listens.
type station struct {
	store *demo.Store
	name  string
	heard chan *storev1.Answer
	leave context.CancelFunc
}

// stand goes to a station and hears what it answers, until leave is called.
func stand(ctx context.Context, s *demo.Store, name string) (*station, error) {
	listening, leave := context.WithCancel(ctx)
	stream, err := s.Floor.WatchEvents(listening, &storev1.WatchEventsRequest{Station: name})
	if err == nil {
		_, err = stream.Recv() // the hello: from here on nothing is missed
	}
	if err != nil {
		leave()
		return nil, fmt.Errorf("listen at the %s of store %d: %w", name, s.ID, err)
	}
	st := &station{store: s, name: name, heard: make(chan *storev1.Answer, 1000), leave: leave}
	go func() {
		defer close(st.heard)
		for {
			e, err := stream.Recv()
			if err != nil {
				return
			}
			if e.GetKind() == "answer" && e.GetStation() == name {
				st.heard <- e.GetAnswer()
			}
		}
	}()
	return st, nil
}

// answer is the next thing that the station says.
func (s *station) answer(ctx context.Context) (*storev1.Answer, error) {
	late := time.NewTimer(soon)
	defer late.Stop()
	select {
	case a, open := <-s.heard:
		if !open {
			return nil, wrong("the %s of store %d fell silent", s.name, s.store.ID)
		}
		return a, nil
	case <-late.C:
		return nil, wrong("the %s of store %d says nothing within %s", s.name, s.store.ID, soon)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// scan lets the scanner send a code and returns what the station says.
func (s *station) scan(ctx context.Context, code string) (*storev1.Answer, error) {
	if err := s.store.Scan(ctx, s.name, code); err != nil {
		return nil, err
	}
	return s.answer(ctx)
}

// accept scans a code that must be taken.
func (s *station) accept(ctx context.Context, code string) (*storev1.Answer, error) {
	a, err := s.scan(ctx, code)
	if err == nil && (!a.GetOk() || a.GetSound() != "yes") {
		err = wrong("%.20s at the %s: %s %s", code, s.name, a.GetCode(), a.GetSentence())
	}
	return a, err
}

// refuse scans a code that must be refused aloud and change nothing.
func (s *station) refuse(ctx context.Context, code, refusal string) (a *storev1.Answer, err error) {
	err = unchanged(ctx, s.store, fmt.Sprintf("the refused scan %.20s", code), func() error {
		a, err = s.scan(ctx, code)
		if err != nil {
			return err
		}
		return aloud(a, refusal)
	})
	return a, err
}

// aloud wants an answer that says no, so that a person hears and reads it.
func aloud(a *storev1.Answer, refusal string) error {
	if a.GetOk() || a.GetCode() != refusal || a.GetSound() != "no" || a.GetSentence() == "" {
		return wrong("want the refusal %s said aloud, got ok=%t %s, sound %q: %s", refusal, a.GetOk(),
			a.GetCode(), a.GetSound(), a.GetSentence())
	}
	return nil
}

// mode says what the next scans mean.
func (s *station) mode(ctx context.Context, m storev1.Mode, about ...string) error {
	r := &storev1.SetModeRequest{Station: s.name, Mode: m}
	switch {
	case len(about) > 0 && m == storev1.Mode_MODE_RECEIVE:
		r.Document = about[0]
	case len(about) > 0:
		r.Reservation = about[0]
	}
	_, err := s.store.Floor.SetMode(ctx, r)
	return err
}

// papers counts what a store's printer has printed.
func papers(s *demo.Store) int { return len(s.Printer.Receipts()) }

// paper waits for a piece of paper, cut after the first so many, that says all
// of these things.
func paper(ctx context.Context, s *demo.Store, after int, says ...string) (found printer.Receipt, err error) {
	err = eventually(ctx, soon, func() error {
		all := s.Printer.Receipts()
		for _, r := range all[min(after, len(all)):] {
			if missing := lacks(r.Text, says); missing == "" {
				found = r
				return nil
			}
		}
		return wrong("no paper of %d says %q", len(all)-after, says)
	})
	if err != nil {
		return found, err
	}
	if info, err := os.Stat(found.PNG); err != nil || info.Size() == 0 {
		return found, wrong("receipt %d has no picture: %w", found.Number, err)
	}
	return found, nil
}

// lacks returns the first thing that a text does not say. Paper is narrow:
// where lines break does not matter.
func lacks(text string, says []string) string {
	flat := squeeze(text)
	for _, s := range says {
		if !strings.Contains(flat, squeeze(s)) {
			return s
		}
	}
	return ""
}

func squeeze(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(s, "-", "")), ""))
}

// records reads a store's journal from a number on.
func records(ctx context.Context, s *demo.Store, from uint64) ([]*storev1.StoredRecord, []*recordv1.Record, error) {
	const page = 500
	var stored []*storev1.StoredRecord
	var all []*recordv1.Record
	for {
		answer, err := s.Floor.ListRecords(ctx, &storev1.ListRecordsRequest{From: from, PageSize: page})
		if err != nil {
			return nil, nil, fmt.Errorf("records of store %d: %w", s.ID, err)
		}
		for _, r := range answer.GetRecords() {
			rec := new(recordv1.Record)
			if err := proto.Unmarshal(r.GetData(), rec); err != nil {
				return nil, nil, fmt.Errorf("record %d of store %d: %w", r.GetSeq(), s.ID, err)
			}
			stored, all = append(stored, r), append(all, rec)
			from = r.GetSeq() + 1
		}
		if len(answer.GetRecords()) == 0 {
			return stored, all, nil
		}
	}
}

// record reads one record.
func record(ctx context.Context, s *demo.Store, seq uint64) (*recordv1.Record, error) {
	answer, err := s.Floor.ListRecords(ctx, &storev1.ListRecordsRequest{From: seq, PageSize: 1})
	if err != nil {
		return nil, fmt.Errorf("record %d of store %d: %w", seq, s.ID, err)
	}
	if n := len(answer.GetRecords()); n != 1 || answer.GetRecords()[0].GetSeq() != seq {
		return nil, wrong("store %d has no record %d", s.ID, seq)
	}
	rec := new(recordv1.Record)
	return rec, proto.Unmarshal(answer.GetRecords()[0].GetData(), rec)
}
