package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/exchange"
	"holdfast.dev/hardware/hardwaretest"
)

const limit = 100 * time.Millisecond

// line is a line whose device a test plays by hand.
func line(t *testing.T, pause time.Duration) (*exchange.Line, io.ReadWriteCloser) {
	t.Helper()
	port, far := hardwaretest.Pipe(time.Second)
	l := exchange.New(port, pause)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- l.Run(ctx, nil) }()
	synctest.Wait()
	t.Cleanup(func() { cancel(); <-ended; far.Close() })
	return l, far
}

// ends tells that an answer is complete when it ends with a full stop.
func ends(heard []byte) bool { return bytes.HasSuffix(heard, []byte(".")) }

// answers plays a device that gives one answer for each question of one byte.
func answers(far io.ReadWriter, all ...string) {
	for _, a := range all {
		if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
			return
		}
		io.WriteString(far, a)
	}
}

func TestAnAnswerIsToTheQuestionThatWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := line(t, 0)
		io.WriteString(far, "unasked.")
		synctest.Wait()
		go answers(far, "one.", "two.")
		for _, want := range []string{"one.", "two."} {
			got, err := l.Ask(t.Context(), []byte("?"), limit, ends)
			if err != nil || string(got) != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		}
	})
}

func TestALateAnswerIsNotTheAnswerToTheNextQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := line(t, 0)
		go func() {
			io.ReadFull(far, make([]byte, 1))
			time.Sleep(limit + limit/2)
			io.WriteString(far, "late.")
			answers(far, "right.")
		}()
		if _, err := l.Ask(t.Context(), []byte("?"), limit, ends); !errors.Is(err, hardware.ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		if got, err := l.Ask(t.Context(), []byte("?"), limit, ends); string(got) != "right." {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestADeviceThatBabblesIsNoAnswerAndFillsNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := line(t, 0)
		silent := make(chan struct{})
		go func() {
			defer close(silent)
			for {
				if _, err := io.WriteString(far, strings.Repeat("x", 1000)); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		for range 3 {
			began := time.Now()
			heard, err := l.Ask(t.Context(), []byte("?"), limit, ends)
			if took := time.Since(began); !errors.Is(err, hardware.ErrTimeout) || took > 6*limit {
				t.Errorf("got %v after %v", err, took)
			}
			if len(heard) > 5000 {
				t.Errorf("%d bytes are kept", len(heard))
			}
		}
		far.Close()
		<-silent
	})
}

func TestTheLineIsQuietBetweenTwoQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pause = 5 * time.Millisecond
		l, far := line(t, pause)
		go answers(far, "one.", "two.")
		l.Ask(t.Context(), []byte("?"), limit, ends)
		began := time.Now()
		l.Ask(t.Context(), []byte("?"), limit, ends)
		if quiet := time.Since(began); quiet < pause {
			t.Errorf("the line was quiet for %v, want %v", quiet, pause)
		}
	})
}

func TestCallersWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := line(t, 0)
		go answers(far, "", "second.")
		first := make(chan error, 1)
		go func() {
			_, err := l.Ask(t.Context(), []byte("1"), time.Second, ends)
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if _, err := l.Tell(ctx, []byte("2")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another asks: %v", err)
		}
		if err := <-first; !errors.Is(err, hardware.ErrTimeout) {
			t.Errorf("the first: %v", err)
		}
		if got, err := l.Ask(t.Context(), []byte("3"), limit, ends); string(got) != "second." {
			t.Errorf("the next: %q, %v", got, err)
		}
	})
}

func TestAPanicOfADriverLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port, far := hardwaretest.Pipe(time.Second)
		defer far.Close()
		l := exchange.New(port, 0)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			l.Run(t.Context(), func(context.Context) { panic("driver") })
		}()
		if _, err := l.Tell(t.Context(), []byte("x")); err == nil {
			t.Error("it goes on")
		}
	})
}
