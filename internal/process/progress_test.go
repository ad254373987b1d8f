package process

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"
)

func TestProgressWithoutATerminalIsAFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := NewProgress(&out, "import", 4)
		for range 4 {
			time.Sleep(3 * time.Second)
			p.Add(1)
		}
		p.Close()
		want := "import: 2 of 4 (50 %), about 6s left\n" +
			"import: 4 of 4 (100 %), 12s\n"
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

func TestProgressOfUnknownLengthCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := NewProgress(&out, "read", 0)
		time.Sleep(2 * time.Second)
		p.Add(17)
		p.Close()
		if want := "read: 17, 2s\n"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

func TestProgressOnATerminalIsABar(t *testing.T) {
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	t.Setenv("TERM", "xterm")
	p := NewProgress(theirs, "import", 10)
	p.Add(5)
	p.Close()
	theirs.Close()
	got, _ := io.ReadAll(ours) // ends with EIO, as terminals do
	want := "\r\x1b[Kimport [..............................] 0 of 10 (0 %)" +
		"\r\x1b[Kimport [###############...............] 5 of 10 (50 %)\r\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
