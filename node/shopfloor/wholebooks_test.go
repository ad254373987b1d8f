package shopfloor_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// checkpoints returns the parts of the books that the journal has, and the
// numbers of their records.
func (s *store) checkpoints() (parts []*recordv1.Checkpoint, at []uint64) {
	_, all := s.raws(0)
	for _, raw := range all {
		var rec recordv1.Record
		if err := proto.Unmarshal(raw, &rec); err != nil {
			s.t.Fatal(err)
		}
		if c := rec.GetCheckpoint(); c != nil {
			parts, at = append(parts, c), append(at, rec.GetSeq())
		}
	}
	return parts, at
}

func TestTheCloudGetsTheBooksOfOneMomentWhileTillsWork(t *testing.T) {
	s := busy(t)
	stop, idle := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(idle)
		for n := byte(1); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := s.Count(t.Context(), shopfloor.Cause{ID: [16]byte{9, n}}, cheese, 3, "")
			if err != nil && n > 0 {
				t.Error(err)
				return
			}
		}
	}()
	for range 5 {
		err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Checkpoint{
			Checkpoint: &recordv1.CheckpointRequest{}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-idle
	parts, at := s.checkpoints()
	if len(parts) == 0 || parts[0].GetParts() < 2 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, p := range parts {
		if p.GetPart() > 1 && at[i] != at[i-1]+1 {
			t.Errorf("part %d is record %d, the one before %d", p.GetPart(), at[i], at[i-1])
		}
	}
	if last := parts[len(parts)-1]; last.GetPart() != last.GetParts() {
		t.Errorf("the last part is %d of %d", last.GetPart(), last.GetParts())
	}
	if _, err := s.j.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestBooksThatAreWrittenDownMakeTheSameCopy(t *testing.T) {
	s := busy(t)
	before := s.books()
	err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Checkpoint{
		Checkpoint: &recordv1.CheckpointRequest{}}})
	if err != nil {
		t.Fatal(err)
	}
	after := s.books()
	before["cursor"], after["cursor"] = journal.Hash{}, journal.Hash{} // the request itself
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	parts, _ := s.checkpoints()
	mirror := shopfloor.New(s.options())
	j, err := journal.Open(t.Context(), journal.Options{Machine: mirror.Machine()})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := mirror.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := mirror.Restore(t.Context(), journal.Position{}, parts); err != nil {
		t.Fatal(err)
	}
	err = j.View(t.Context(), func(tx *journal.Tx) error {
		a, err := books.Open(tx, 7).Account(bread)
		if err == nil && a.Balances != s.account(bread).Balances {
			t.Errorf("got %v, want %v", a.Balances, s.account(bread).Balances)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

}
