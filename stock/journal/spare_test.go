package journal

import (
	"bytes"
	"testing"
	"unsafe"
)

// withSpare opens a journal in memory and returns what closes it.
func withSpare(t *testing.T, s *Spare, image []byte) (*Journal, func()) {
	t.Helper()
	j, err := Open(t.Context(), Options{Machine: &shelf{broken: errBroken}, Image: image, Spare: s})
	if err != nil {
		t.Fatal(err)
	}
	return j, func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

// contents is an image without what counts its changes.
func contents(t *testing.T, j *Journal) []byte {
	t.Helper()
	image, err := j.Image(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clear(image[changeCounter : changeCounter+4])
	clear(image[validFor:headerBytes]) // and the program that wrote it
	return image
}

func TestASpareConnectionIsAsGoodAsANewOne(t *testing.T) {
	ctx := t.Context()
	s := new(Spare)
	t.Cleanup(func() { s.Close() })
	var long, short []byte // images of a longer and a shorter history
	var used []*conn
	for round := range 4 {
		for _, begin := range [][]byte{nil, long, short} {
			j, done := withSpare(t, s, begin)
			fresh := openWith(t, Options{Machine: &shelf{broken: errBroken}, Image: begin})
			if !bytes.Equal(contents(t, j), contents(t, fresh)) || j.Head() != fresh.Head() {
				t.Fatalf("round %d, an image of %d bytes: head %v and another database, want %v", round,
					len(begin), j.Head(), fresh.Head())
			}
			for n := j.Head().Seq + 1; n <= 3+j.Head().Seq && n < 40; n++ {
				record := append(move(n, 5), make([]byte, 2000)...)
				a, errA := j.Append(ctx, say(uid(n), record))
				b, errB := fresh.Append(ctx, say(uid(n), record))
				if errA != nil || errB != nil || a.Seq != b.Seq || a.Repeated != b.Repeated {
					t.Fatalf("record %d: %+v, %v; in a new one %+v, %v", n, a, errA, b, errB)
				}
			}
			if !bytes.Equal(contents(t, j), contents(t, fresh)) {
				t.Errorf("round %d: the same records make another database", round)
			}
			if report, err := j.Verify(ctx, nil); err != nil || !report.OK() {
				t.Errorf("verify: %+v, %v", report, err)
			}
			short, long = long, contents(t, j)
			used = append(used, j.writer)
			done()
		}
	}
	if last := used[len(used)-1]; last != used[3] || len(last.statements) == 0 {
		t.Error("connections were not used again, or forgot their statements")
	}
}

func TestAJournalThatStoppedLeavesAWorkingConnection(t *testing.T) {
	ctx := t.Context()
	s := new(Spare)
	t.Cleanup(func() { s.Close() })
	_, done := withSpare(t, s, nil)
	done()
	j, done := withSpare(t, s, nil)
	if err := j.View(ctx, func(tx *Tx) error {
		var pages, most int
		if err := tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		return tx.QueryRow("PRAGMA max_page_count = 1").Scan(&most)
	}); err != nil {
		t.Fatal(err)
	}
	long := append(move(1, 5), make([]byte, 100_000)...)
	if _, err := j.Append(ctx, say(uid(1), long)); err == nil {
		t.Fatal("a record was kept that has no room")
	}
	full := j.writer
	done()
	again, done := withSpare(t, s, nil)
	defer done()
	if again.writer != full {
		t.Error("the connection was not used again")
	}
	if _, err := again.Append(ctx, say(uid(1), long)); err != nil || again.Head().Seq != 1 {
		t.Errorf("with room again: head %v, %v", again.Head(), err)
	}
}

func TestASpareConnectionForgetsPagesOfTheSameNumber(t *testing.T) {
	ctx := t.Context()
	s := new(Spare)
	t.Cleanup(func() { s.Close() })
	_, done := withSpare(t, s, nil)
	done() // the next ones can be written over
	for n := uint64(1); n <= 3; n++ {
		j, done := withSpare(t, s, nil)
		if head := j.Head(); head.Seq != 0 {
			t.Errorf("round %d begins at record %d", n, head.Seq)
		}
		if out, err := j.Append(ctx, say(uid(7), move(n, 5))); err != nil || out.Repeated || out.Seq != 1 {
			t.Errorf("round %d: %+v, %v", n, out, err)
		}
		done()
	}
}

func TestNoMoreConnectionsAreSpareThanTheBoundSays(t *testing.T) {
	s := new(Spare)
	var all []func()
	for range maxSpare + 3 {
		_, done := withSpare(t, s, nil)
		all = append(all, done)
	}
	for _, done := range all {
		done()
	}
	if len(s.idle) != maxSpare {
		t.Errorf("%d are kept, want %d", len(s.idle), maxSpare)
	}
	if err := s.Close(); err != nil || len(s.idle) != 0 {
		t.Errorf("after Close: %d, %v", len(s.idle), err)
	}
}

func TestAnImageOfAFewBytesIsRefused(t *testing.T) {
	s := new(Spare)
	t.Cleanup(func() { s.Close() })
	for range 2 { // the second can be used again
		_, done := withSpare(t, s, nil)
		done()
	}
	if _, err := Open(t.Context(), Options{Machine: &shelf{}, Image: []byte("x"), Spare: s}); err == nil {
		t.Error("an image of one byte was opened")
	}
}

func TestPointersAreReadAsTheMachineHasThem(t *testing.T) {
	at := uintptr(0x12345678)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&at)), pointerBytes)
	if got := native(b); got != at {
		t.Errorf("%x was read as %x", at, got)
	}
}
