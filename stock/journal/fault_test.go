package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"holdfast.dev/stock"
)

func stopped(j *Journal) bool {
	select {
	case <-j.Fault():
		return j.Err() != nil
	default:
		return false
	}
}

func TestFaultOfTheMachineStopsTheJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	j := openAt(t, path)
	mustAppend(t, j, say(uid(1), move(5, 1)))
	_, errs := j.AppendAll(context.Background(), []Proposal{
		say(uid(2), move(5, 1)), say(uid(3), move(trapSKU, 1)), say(uid(4), move(5, 1)),
	})
	for i, err := range errs {
		if !errors.Is(err, ErrUnknown) || !errors.Is(err, errBroken) {
			t.Errorf("proposal %d: got %v, want ErrUnknown and the cause", i, err)
		}
	}
	if _, err := j.Append(context.Background(), say(uid(5), move(5, 1))); !errors.Is(err, ErrUnknown) {
		t.Errorf("stopped journal answers %v", err)
	}
	if !stopped(j) || j.Head().Seq != 1 {
		t.Errorf("stopped %t, head %d", stopped(j), j.Head().Seq)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openAt(t, path)
	if out := mustAppend(t, j, say(uid(2), move(5, 1))); out.Seq != 2 || units(t, j, 5) != 2 {
		t.Errorf("after a restart: %+v, %d units", out, units(t, j, 5))
	}
}

func TestRefusalAfterAWriteIsAFault(t *testing.T) {
	j := openWith(t, Options{Machine: &shelf{lateNo: true}})
	_, err := j.Append(context.Background(), say(uid(1), move(5, -1)))
	if !errors.Is(err, ErrUnknown) || !stock.Refused(err, stock.Short) || !stopped(j) {
		t.Errorf("got %v, stopped %t", err, stopped(j))
	}
}

func TestFullFileStopsTheJournal(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "books.db"))
	if err := j.Local(context.Background(), func(tx *Tx) error {
		_, err := tx.Exec(`PRAGMA max_page_count = 1`) // SQLite takes the present size
		return err
	}); err != nil {
		t.Fatal(err)
	}
	data := append(move(5, 1), make([]byte, 100_000)...)
	if _, err := j.Append(context.Background(), say(uid(1), data)); !errors.Is(err, ErrUnknown) || !stopped(j) {
		t.Errorf("got %v, stopped %t", err, stopped(j))
	}
}

func TestPanicInDecideStopsTheJournal(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "books.db"))
	release := hold(t, j)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = j.Append(context.Background(), Proposal{Decide: func(*Tx, uint64) ([]byte, error) { panic("bug") }})
	})
	waitFor(t, func() bool { return waiting(j) == 1 })
	wg.Go(func() {
		if _, err := j.Append(context.Background(), say(uid(1), move(5, 1))); !errors.Is(err, ErrUnknown) {
			t.Errorf("the one who shared the batch got %v", err)
		}
	})
	waitFor(t, func() bool { return waiting(j) == 2 })
	release()
	wg.Wait()
	if !stopped(j) {
		t.Error("the journal goes on")
	}
}

func TestBrokenFileIsFoundAfterOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	j := openAt(t, path)
	for i := range uint64(20) {
		mustAppend(t, j, say(uid(i+1), append(move(5, 1), make([]byte, 20_000)...)))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	const page = 4096
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The first bytes of an overflow page name the next one.
	if _, err := f.WriteAt([]byte{0xff, 0xff, 0xff, 0xff}, 30*page); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	j = openAt(t, path)
	<-j.Fault()
	t.Log(j.Err())
}
