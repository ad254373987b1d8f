package journal

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock"
)

func TestRepeatedIDGivesTheStoredOutcome(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		first := mustAppend(t, j, say(uid(1), move(5, 3)))
		mustAppend(t, j, say(uid(2), move(5, 3)))
		again := mustAppend(t, j, Proposal{UID: uid(1), Decide: func(*Tx, uint64) ([]byte, error) {
			t.Error("a repeat was decided again")
			return nil, nil
		}})
		want := Outcome{Seq: first.Seq, Reply: first.Reply, Repeated: true}
		if diff := cmp.Diff(want, again); diff != "" {
			t.Error(diff)
		}
		if got := units(t, j, 5); got != 6 {
			t.Errorf("%d units, want 6", got)
		}
	})
}

func TestRepeatInsideOneBatchIsRecordedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		outs, errs := j.AppendAll(context.Background(), []Proposal{
			say(uid(1), move(5, 3)), say(uid(1), move(5, 3)), say(uid(2), move(5, 4)),
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		want := []Outcome{
			{Seq: 1, Reply: outs[0].Reply}, {Seq: 1, Reply: outs[0].Reply, Repeated: true},
			{Seq: 2, Reply: outs[2].Reply},
		}
		if diff := cmp.Diff(want, outs); diff != "" {
			t.Error(diff)
		}
		if got := units(t, j, 5); got != 7 {
			t.Errorf("%d units, want 7", got)
		}
	})
}

func TestRefusalLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		mustAppend(t, j, say(uid(1), move(5, 3)))
		head := j.Head()
		_, errs := j.AppendAll(context.Background(), []Proposal{
			say(uid(2), move(5, -4)), // Apply refuses
			{UID: uid(3), Decide: func(*Tx, uint64) ([]byte, error) { return nil, stock.Refuse(stock.WrongState, "") }},
		})
		if !stock.Refused(errs[0], stock.Short) || !stock.Refused(errs[1], stock.WrongState) {
			t.Errorf("got %v, want refusals SHORT and WRONG_STATE", errs)
		}
		if j.Head() != head || units(t, j, 5) != 3 || j.Err() != nil {
			t.Errorf("head %v, %d units, err %v", j.Head(), units(t, j, 5), j.Err())
		}
		if _, found, err := j.Find(context.Background(), uid(2)); found || err != nil {
			t.Errorf("found %t, %v", found, err)
		}
		if got := mustAppend(t, j, say(uid(2), move(5, -3))); got.Seq != 2 || got.Repeated {
			t.Errorf("refused id cannot be used again: %+v", got)
		}
	})
}

func TestNothingToRecordRecordsNothing(t *testing.T) {
	j := openAt(t, "")
	out := mustAppend(t, j, say(uid(1), nil))
	if diff := cmp.Diff(Outcome{}, out); diff != "" || j.Head() != (Position{}) {
		t.Errorf("head %v, outcome %s", j.Head(), diff)
	}
}

func TestDecideSeesEarlierProposalsOfItsBatch(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		var seen int64
		_, errs := j.AppendAll(context.Background(), []Proposal{
			say(uid(1), move(5, 3)),
			{Decide: func(tx *Tx, seq uint64) ([]byte, error) {
				if seq != 2 {
					t.Errorf("decides record %d, want 2", seq)
				}
				return move(6, 1), tx.QueryRow(selectUnits, 5).Scan(&seen)
			}},
		})
		if err := errors.Join(errs...); err != nil || seen != 3 {
			t.Errorf("saw %d, %v", seen, err)
		}
	})
}

func TestDecideCannotWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		_, err := j.Append(context.Background(), Proposal{Decide: func(tx *Tx, _ uint64) ([]byte, error) {
			_, err := tx.Exec(upsertUnits, 5, 9)
			return nil, err
		}})
		if !errors.Is(err, errReadOnly) || units(t, j, 5) != 0 || j.Err() != nil {
			t.Errorf("got %v, %d units, journal %v", err, units(t, j, 5), j.Err())
		}
	})
}

func TestViewCannotWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		err := j.View(context.Background(), func(tx *Tx) error {
			_, err := tx.Exec(upsertUnits, 5, 9)
			return err
		})
		if !errors.Is(err, errReadOnly) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLocalIsUndoneByItsErrorAlone(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		ctx := context.Background()
		no := errors.New("no")
		note := func(id int, err error) func(tx *Tx) error {
			return func(tx *Tx) error {
				_, execErr := tx.Exec(`INSERT INTO local_note (id, text) VALUES (?, 'x')`, id)
				return errors.Join(execErr, err)
			}
		}
		if err := j.Local(ctx, note(1, nil)); err != nil {
			t.Fatal(err)
		}
		if err := j.Local(ctx, note(2, no)); !errors.Is(err, no) {
			t.Fatal(err)
		}
		if err := j.Local(ctx, note(1, nil)); err == nil {
			t.Fatal("a broken constraint passed")
		}
		mustAppend(t, j, say(uid(1), move(5, 1)))
		var ids []int
		if err := j.View(ctx, func(tx *Tx) error {
			found, err := tx.Query(`SELECT id FROM local_note ORDER BY id`)
			for err == nil && found.Next() {
				var id int
				err = found.Scan(&id)
				ids = append(ids, id)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{1}, ids); diff != "" || j.Err() != nil {
			t.Errorf("%s, journal %v", diff, j.Err())
		}
	})
}

func TestConcurrentCallersAreNumberedWithoutGaps(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		const callers, each = 16, 40
		var wg sync.WaitGroup
		for c := range uint64(callers) {
			wg.Go(func() {
				last := uint64(0)
				for n := range uint64(each) {
					out, err := j.Append(context.Background(), say(uid(c*each+n+1), move(c, 1)))
					if err != nil || out.Seq <= last || out.Seq > j.Head().Seq {
						t.Errorf("record %d after %d, head %d: %v", out.Seq, last, j.Head().Seq, err)
					}
					last = out.Seq
				}
			})
		}
		wg.Wait()
		if got := j.Head().Seq; got != callers*each {
			t.Errorf("head %d, want %d", got, callers*each)
		}
		report, err := j.Verify(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := Report{Records: callers * each, Tables: 1, Rows: callers}
		if diff := cmp.Diff(want, report); diff != "" {
			t.Error(diff)
		}
	})
}

// hold keeps the writer inside a Decide until release is called.
func hold(t *testing.T, j *Journal) (release func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := j.Append(context.Background(), Proposal{Decide: func(*Tx, uint64) ([]byte, error) {
			close(entered)
			<-leave
			return nil, nil
		}})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	return func() { close(leave); wg.Wait() }
}

func TestFullQueueRefusesAsBusy(t *testing.T) {
	j := openWith(t, Options{Machine: &shelf{}, QueueLimit: 2})
	release := hold(t, j)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, errs := j.AppendAll(context.Background(), []Proposal{say(uid(1), move(1, 1)), say(uid(2), move(1, 1))})
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
	waitFor(t, func() bool { return waiting(j) == 2 })
	_, err := j.Append(context.Background(), say(uid(3), move(1, 1)))
	if !stock.Refused(err, stock.Busy) {
		t.Errorf("got %v, want BUSY", err)
	}
	_, errs := j.AppendAll(context.Background(), make([]Proposal, 3))
	if !stock.Refused(errs[2], stock.TooMany) {
		t.Errorf("got %v, want TOO_MANY", errs[2])
	}
	release()
	wg.Wait()
}

func TestContextEndsBeforeTheProposalIsTaken(t *testing.T) {
	j := openAt(t, "")
	release := hold(t, j)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() {
		_, err := j.Append(ctx, say(uid(1), move(1, 1)))
		result <- err
	}()
	waitFor(t, func() bool { return waiting(j) == 1 })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want the context's error alone", err)
	}
	release()
	if mustAppend(t, j, say(uid(2), move(1, 1))).Seq != 1 {
		t.Error("the withdrawn proposal was recorded")
	}
}

func TestContextEndsAfterTheProposalWasTaken(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "books.db"))
	ctx, cancel := context.WithCancel(context.Background())
	entered, leave := make(chan struct{}), make(chan struct{})
	result := make(chan error)
	release := hold(t, j)
	go func() {
		_, err := j.Append(context.Background(), Proposal{Decide: func(*Tx, uint64) ([]byte, error) {
			close(entered)
			<-leave
			return move(1, 1), nil
		}})
		result <- err
	}()
	waitFor(t, func() bool { return waiting(j) == 1 })
	unknown := make(chan error)
	go func() {
		_, err := j.Append(ctx, say(uid(9), move(1, 1)))
		unknown <- err
	}()
	waitFor(t, func() bool { return waiting(j) == 2 })
	release()
	<-entered
	cancel()
	if err := <-unknown; !errors.Is(err, ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrUnknown and the context's error", err)
	}
	close(leave)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if out := mustAppend(t, j, say(uid(9), move(1, 1))); !out.Repeated || out.Seq != 2 {
		t.Errorf("asking again gives %+v", out)
	}
}

func TestAskedLeaderWhoLeavesPassesItOn(t *testing.T) {
	var q queue
	q.init(10, 10)
	a, b := q.newRequest(), q.newRequest()
	if err := q.put(a, b); err != nil {
		t.Fatal(err)
	}
	if !q.withdraw(a) {
		t.Fatal("a was not taken")
	}
	select {
	case s := <-b.wake:
		if s != lead {
			t.Errorf("signal %d", s)
		}
	default:
		t.Error("nobody leads")
	}
}

func TestChangedClosesWhenTheHeadPasses(t *testing.T) {
	j := openAt(t, "")
	now, later := j.Changed(0), j.Changed(1)
	mustAppend(t, j, say(uid(1), move(1, 1)))
	select {
	case <-now:
	default:
		t.Error("record 1 did not wake the waiter for more than 0")
	}
	select {
	case <-later:
		t.Error("record 1 woke the waiter for more than 1")
	default:
	}
	mustAppend(t, j, say(uid(2), move(1, 1)))
	<-later
	<-j.Changed(1)
}

func TestClosedJournalSaysSo(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Append(context.Background(), say(uid(1), move(1, 1))); !errors.Is(err, ErrClosed) {
			t.Errorf("append: %v", err)
		}
		if err := j.View(context.Background(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
			t.Errorf("view: %v", err)
		}
	})
}

func waiting(j *Journal) int {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	return len(j.queue.waiting)
}
