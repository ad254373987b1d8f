package escpos_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/receipt/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// stub is a printer that a test plays by hand.
type stub struct {
	answer func(s *stub, sent string) // called with each write
	say    chan string

	mu     sync.Mutex
	closed chan struct{}
	sent   strings.Builder // guarded by mu
	down   bool            // guarded by mu
}

func newStub(answer func(*stub, string)) *stub {
	return &stub{answer: answer, say: make(chan string, 1000), closed: make(chan struct{})}
}

func (s *stub) Read(p []byte) (int, error) {
	select {
	case said := <-s.say:
		return copy(p, said), nil
	case <-s.closed:
		return 0, hardware.ErrGone
	}
}

func (s *stub) Write(p []byte) (int, error) {
	s.mu.Lock()
	down := s.down
	s.sent.Write(p)
	s.mu.Unlock()
	if down {
		return 0, hardware.ErrGone
	}
	if s.answer != nil {
		s.answer(s, string(p))
	}
	return len(p), nil
}

func (s *stub) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.down {
		s.down = true
		close(s.closed)
	}
	return nil
}

func (s *stub) got() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent.String()
}

// ready answers as a healthy printer that clears and reports, but never fences.
func ready(s *stub, sent string) {
	switch {
	case strings.HasPrefix(sent, "\x10\x04"):
		s.say <- "\x12"
	case strings.HasPrefix(sent, "\x10\x14\x08"):
		s.say <- "\x37\x25\x00"
	}
}

// fenced is ready and answers fences too.
func fenced(s *stub, sent string) {
	ready(s, sent)
	all := s.got()
	if n := len(all); n > 11 && strings.HasPrefix(all[n-11:], "\x1d(H\x06\x0000") {
		s.say <- "\x37\x22" + all[n-4:] + "\x00"
	}
}

// quick is a profile that waits no longer than a test.
func quick(name string) escpos.Profile {
	for _, p := range escpos.Profiles {
		if p.Name == name {
			p.Timing = session.Timing{Answer: 2 * time.Second, Poll: time.Hour,
				Fence: 200 * time.Millisecond, Refills: 5 * time.Second}
			return p
		}
	}
	panic("no profile " + name)
}

var (
	epson     = quick("epson")
	clone     = quick("generic-80")
	writeOnly = quick("write-only")
)

// run starts a driver and stops it with the test.
func run(t *testing.T, port hardware.Port, p escpos.Profile) (*session.Printer,
	<-chan hardware.PrinterStatus) {
	t.Helper()
	driver := escpos.New(port, p)
	statuses := make(chan hardware.PrinterStatus, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- driver.Run(ctx, func(s hardware.PrinterStatus) { statuses <- s })
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("Run did not end")
		}
	})
	awake(t, driver)
	return driver, statuses
}

// awake waits until Run runs: an empty job is then refused for being empty.
func awake(t *testing.T, driver *session.Printer) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if _, err := driver.Print(t.Context(), nil); !strings.Contains(err.Error(), "not running") {
			return
		}
	}
	t.Fatal("Run does not run")
}

// begin is how a job of Encode begins.
const begin = "\x1b@\x1c."

func paperOf(text string) receipt.Document {
	return receipt.Document{Width: 42, Blocks: []receipt.Block{
		receipt.Line{Text: text}, receipt.QR{Content: text}, receipt.Cut{},
	}}
}

func job(t *testing.T, text string) []byte {
	t.Helper()
	bytes, err := receipt.Job(paperOf(text))
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestWhatPrintClaims(t *testing.T) {
	statusOnly := quick("status-only")
	impatient := epson
	impatient.Timing.Answer = 20 * time.Millisecond
	for _, c := range []struct {
		name    string
		profile escpos.Profile
		answer  func(*stub, string)
		want    hardware.PrintState
		fault   error
	}{
		{"the fence is answered", epson, fenced, hardware.Printed, nil},
		{"the fence is never answered", epson, ready, hardware.Unknown, hardware.ErrTimeout},
		{"another fence is answered", epson, func(s *stub, sent string) {
			ready(s, sent)
			s.say <- "\x37\x22!!!!\x00"
		}, hardware.Unknown, hardware.ErrTimeout},
		{"the printer is silent", impatient, nil, hardware.Failed, hardware.ErrTimeout},
		{"no process ids", statusOnly, ready, hardware.Sent, nil},
		{"no back channel", writeOnly, nil, hardware.Sent, nil},
		{"cover open", epson, func(s *stub, sent string) {
			switch sent {
			case "\x10\x04\x01":
				s.say <- "\x1a"
			case "\x10\x04\x02":
				s.say <- "\x16"
			default:
				ready(s, sent)
			}
		}, hardware.Failed, session.ErrCover},
		{"unplugged during the job", epson, func(s *stub, sent string) {
			ready(s, sent)
			if strings.Contains(sent, "receipt 1") {
				s.Close()
			}
		}, hardware.Unknown, hardware.ErrGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := newStub(c.answer)
			driver, _ := run(t, port, c.profile)
			got, err := driver.Print(t.Context(), job(t, "receipt 1"))
			if got != c.want || !errors.Is(err, c.fault) || (err == nil) != (c.fault == nil) {
				t.Errorf("got %v, %v; want %v, %v", got, err, c.want, c.fault)
			}
			if sent := strings.Contains(port.got(), begin); sent == (got == hardware.Failed) {
				t.Errorf("claims %v although sent is %v", got, sent)
			}
			if n := strings.Count(port.got(), begin); n > 1 {
				t.Errorf("the job was sent %d times", n)
			}
		})
	}
}

func TestPrintFailsUnlessRunRuns(t *testing.T) {
	driver := escpos.New(newStub(fenced), epson)
	ctx, cancel := context.WithCancel(t.Context())
	print := func(when string) {
		if got, err := driver.Print(t.Context(), []byte("x")); got != hardware.Failed ||
			err == nil {
			t.Errorf("%s: got %v, %v; want failed", when, got, err)
		}
	}
	print("before Run")
	cancel()
	if err := driver.Run(ctx, nil); err != nil {
		t.Errorf("Run after its context ended: %v", err)
	}
	print("after Run")
	if err := driver.Run(t.Context(), nil); err == nil {
		t.Error("Run ran twice")
	}
}

func TestRunReportsAPortThatIsGone(t *testing.T) {
	port := newStub(fenced)
	port.Close()
	if err := escpos.New(port, epson).Run(t.Context(), nil); !errors.Is(err, hardware.ErrGone) {
		t.Errorf("got %v, want %v", err, hardware.ErrGone)
	}
}

func TestSilenceIsToldAsOffline(t *testing.T) {
	profile := epson
	profile.Timing.Answer, profile.Timing.Poll = 10*time.Millisecond, 10*time.Millisecond
	_, statuses := run(t, newStub(nil), profile)
	select {
	case s := <-statuses:
		if s.Online || !s.At.IsZero() {
			t.Errorf("a printer that never spoke has status %+v", s)
		}
	case <-time.After(patience):
		t.Error("silence was not told")
	}
}

func TestIdlePrinterIsPolled(t *testing.T) {
	profile := epson
	profile.Timing.Poll = time.Millisecond
	_, statuses := run(t, newStub(fenced), profile)
	for range 3 {
		select {
		case s := <-statuses:
			if !s.Online || s.At.IsZero() {
				t.Errorf("status %+v", s)
			}
		case <-time.After(patience):
			t.Fatal("no status")
		}
	}
}

func TestXOFFHoldsTheJob(t *testing.T) {
	profile := writeOnly
	profile.Timing.Chunk, profile.Timing.Refills = 4, 100*time.Millisecond
	for _, resumes := range []bool{false, true} {
		port := newStub(nil)
		driver, _ := run(t, port, profile)
		port.say <- "\x13"
		port.say <- ""
		port.say <- "" // taken only after XOFF was heard
		for len(port.say) > 0 {
			runtime.Gosched()
		}
		want, sent := hardware.Failed, ""
		if resumes {
			want, sent = hardware.Sent, "12345678"
			time.AfterFunc(10*time.Millisecond, func() { port.say <- "\x11" })
		}
		if got, err := driver.Print(t.Context(), []byte("12345678")); got != want ||
			afterReset(port) != sent {
			t.Errorf("resumes %v: got %v, %v with %q sent", resumes, got, err, afterReset(port))
		}
	}
}

// afterReset is what was sent after what clears a printer at the begin.
func afterReset(s *stub) string {
	return strings.TrimPrefix(strings.TrimLeft(s.got(), "\x00"), "\x1b@")
}

func TestACancelledJobSaysWhetherItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	port := newStub(func(s *stub, sent string) {
		ready(s, sent)
		if strings.Contains(sent, "begun") {
			cancel()
		}
	})
	driver, _ := run(t, port, epson)
	if got, err := driver.Print(ctx, job(t, "begun")); got != hardware.Unknown ||
		!errors.Is(err, context.Canceled) {
		t.Errorf("begun: got %v, %v; want unknown", got, err)
	}
	if got, err := driver.Print(ctx, job(t, "late")); got != hardware.Failed ||
		!errors.Is(err, context.Canceled) {
		t.Errorf("late: got %v, %v; want failed", got, err)
	}
}

// stuck takes no byte and says so too late to be believed.
type stuck struct{ *stub }

func (s stuck) Write([]byte) (int, error) { return 0, hardware.ErrTimeout }

func TestAWriteThatTimedOutMayHaveReachedPaper(t *testing.T) {
	driver, _ := run(t, stuck{newStub(nil)}, writeOnly)
	if got, err := driver.Print(t.Context(), []byte("x")); got != hardware.Unknown ||
		!errors.Is(err, hardware.ErrTimeout) {
		t.Errorf("got %v, %v; want unknown", got, err)
	}
}

var _ hardware.Printer = (*session.Printer)(nil)
