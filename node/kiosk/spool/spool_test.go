package spool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk/spool"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// tables is a machine with nothing but the table of jobs.
type tables struct{}

func (tables) Migrations() []string                              { return []string{spool.Migration} }
func (tables) Apply(*journal.Tx, uint64, []byte) ([]byte, error) { return nil, nil }

// printer is a printer whose answers a test chooses.
type printer struct {
	mu      sync.Mutex
	phase   devices.Phase
	answers []answer // in order; printed when there are none left
	paper   []string
	news    chan struct{}
	hang    chan struct{} // not nil: printing waits for it
	begun   chan struct{}
}

type answer struct {
	state hardware.PrintState
	fault error
}

func newPrinter(answers ...answer) *printer {
	return &printer{phase: devices.Ready, answers: answers, news: make(chan struct{}, 1),
		begun: make(chan struct{}, 9)}
}

func (p *printer) Print(ctx context.Context, _ string, job []byte) (hardware.PrintState, error) {
	p.begun <- struct{}{}
	if p.hang != nil {
		select {
		case <-p.hang:
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a := answer{state: hardware.Printed}
	if len(p.answers) > 0 {
		a, p.answers = p.answers[0], p.answers[1:]
	}
	if stock.Refused(a.fault, stock.PrinterDown) {
		p.phase = devices.Degraded // it says so of itself, too
	}
	if a.state == hardware.Printed || a.state == hardware.Sent {
		p.paper = append(p.paper, string(job))
	}
	return a.state, a.fault
}

func (p *printer) States() []devices.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []devices.State{{Name: "paper", Kind: devices.Printer, Phase: p.phase}}
}

func (p *printer) Watch(ctx context.Context) <-chan struct{} {
	out := make(chan struct{})
	go func() {
		defer close(out)
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.news:
				select {
				case out <- struct{}{}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

func (p *printer) become(phase devices.Phase) {
	p.mu.Lock()
	p.phase = phase
	p.mu.Unlock()
	p.news <- struct{}{}
}

func (p *printer) printed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.paper...)
}

// desk is a spool under test.
type desk struct {
	*spool.Spool
	t       *testing.T
	j       *journal.Journal
	changed chan struct{}
	stop    func()
}

func open(t *testing.T, path string, p *printer) *desk {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Path: path, Machine: tables{},
		Sync: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, j: j, changed: make(chan struct{}, 100)}
	d.Spool = spool.New(spool.Options{Journal: j, Devices: p, Logger: slog.New(slog.DiscardHandler),
		Changed: func(int64) { d.changed <- struct{}{} }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		j.Close()
	})
	t.Cleanup(d.stop)
	return d
}

func (d *desk) add(key, data string) spool.Job {
	d.t.Helper()
	j, err := d.Add(d.t.Context(), spool.Job{Key: key, Kind: "receipt", Device: "paper", Title: key,
		Source: []byte("{}"),
		Data:   []byte(data)})
	if err != nil {
		d.t.Fatal(err)
	}
	return j
}

// states lists the jobs, oldest first, as "key state".
func (d *desk) states() (all []string) {
	d.t.Helper()
	jobs, err := d.List(d.t.Context(), 100)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, j := range jobs {
		all = append([]string{j.Key + " " + j.State.String()}, all...)
	}
	return all
}

// until waits for the jobs to be in these states.
func (d *desk) until(want ...string) {
	d.t.Helper()
	d.either(want)
}

// either waits for the jobs to be in any of these states.
func (d *desk) either(wants ...[]string) {
	d.t.Helper()
	late := time.After(patience)
	for {
		got := d.states()
		if slices.ContainsFunc(wants, func(want []string) bool { return slices.Equal(want, got) }) {
			return
		}
		select {
		case <-d.changed:
		case <-late:
			d.t.Fatalf("jobs are %v, want %v", got, wants)
		}
	}
}

func TestJobsArePrintedOnceAndInOrder(t *testing.T) {
	p := newPrinter()
	d := open(t, "", p)
	for i := range 5 {
		first := d.add(fmt.Sprint("k", i), fmt.Sprint("job", i))
		if again := d.add(fmt.Sprint("k", i), "other"); again.ID != first.ID {
			t.Errorf("the same key made job %d after %d", again.ID, first.ID)
		}
	}
	d.until("k0 printed", "k1 printed", "k2 printed", "k3 printed", "k4 printed")
	if diff := cmp.Diff([]string{"job0", "job1", "job2", "job3", "job4"}, p.printed()); diff != "" {
		t.Error(diff)
	}
}

func TestJobsWaitForThePrinter(t *testing.T) {
	p := newPrinter()
	p.phase = devices.Degraded
	d := open(t, "", p)
	d.add("a", "A")
	d.until("a queued")
	p.become(devices.Ready)
	d.until("a printed")
}

func TestWhatMayBeOnPaperIsNeverRepeated(t *testing.T) {
	p := newPrinter(answer{hardware.Unknown, errors.New("cable pulled")})
	d := open(t, "", p)
	d.add("a", "A")
	d.add("b", "B")
	d.until("a unknown", "b printed")
	if diff := cmp.Diff([]string{"B"}, p.printed()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsSurelyNotOnPaperIsPrintedLater(t *testing.T) {
	p := newPrinter(answer{hardware.Failed, stock.Refuse(stock.PrinterDown, "paper out")})
	d := open(t, "", p)
	d.add("a", "A")
	<-p.begun
	d.until("a queued")
	p.become(devices.Ready)
	d.until("a printed")
	if diff := cmp.Diff([]string{"A"}, p.printed()); diff != "" {
		t.Error(diff)
	}
}

func TestAPrinterWithoutAnAnswerEndsInSent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	p := newPrinter(answer{state: hardware.Sent})
	d := open(t, path, p)
	d.add("a", "A")
	d.until("a sent")
	d.stop()
	d = open(t, path, newPrinter())
	d.add("b", "B")
	d.until("a sent", "b printed")
}

func TestAJobUnderWayAtAPowerCutIsUnknown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	p := newPrinter(answer{hardware.Unknown, context.Canceled})
	p.hang = make(chan struct{})
	d := open(t, path, p)
	d.add("a", "A")
	d.add("b", "B")
	<-p.begun
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := d.j.Backup(t.Context(), copied); err != nil { // as a power cut would leave it
		t.Fatal(err)
	}
	d.stop()
	after := newPrinter()
	d = open(t, copied, after)
	d.until("a unknown", "b printed")
	if diff := cmp.Diff([]string{"B"}, after.printed()); diff != "" {
		t.Error(diff)
	}
}

func TestAJobForNoPrinterIsRefused(t *testing.T) {
	d := open(t, "", newPrinter())
	_, err := d.Add(t.Context(), spool.Job{Key: "a"})
	if !stock.Refused(err, stock.PrinterDown) {
		t.Errorf("Add = %v", err)
	}
}

func TestAPromiseIsNoJobUntilItIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	d := open(t, path, newPrinter())
	for _, key := range []string{"kept", "forgotten", "open"} {
		if err := d.Promise(t.Context(), spool.Job{Key: key, Kind: "receipt",
			Source: []byte(key)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.states(); len(got) != 0 {
		t.Errorf("promises are listed as jobs: %v", got)
	}
	if j, err := d.Find(t.Context(), "kept"); err != nil || j.ID != 0 {
		t.Errorf("a promise is found as a job: %+v, %v", j, err)
	}
	if err := d.Forget(t.Context(), "forgotten"); err != nil {
		t.Fatal(err)
	}
	d.stop()
	p := newPrinter()
	d = open(t, path, p)
	d.add("kept", "K")
	d.until("kept printed")
	d.add("kept", "twice")
	if err := d.Promise(t.Context(), spool.Job{Key: "kept", Kind: "receipt"}); err != nil {
		t.Fatal(err)
	}
	if err := d.Forget(t.Context(), "kept"); err != nil { // it is a job now
		t.Fatal(err)
	}
	d.until("kept printed")
	if diff := cmp.Diff([]string{"K"}, p.printed()); diff != "" {
		t.Error(diff)
	}
	left, err := d.Promised(t.Context())
	if err != nil || len(left) != 1 || left[0].Key != "open" || string(left[0].Source) != "open" {
		t.Errorf("promised %+v, %v", left, err)
	}
}

func TestAPrinterThatComesAndGoesUsesUpNoTries(t *testing.T) {
	var answers []answer
	for range 9 {
		answers = append(answers, answer{hardware.Failed, fmt.Errorf("open: %w", hardware.ErrGone)})
	}
	p := newPrinter(answers...)
	d := open(t, "", p)
	d.add("a", "A")
	for range 9 {
		<-p.begun
		d.either([]string{"a queued"}, []string{"a printed"}) // on a slow machine it tries by itself
		p.become(devices.Ready)
	}
	d.until("a printed")
	if diff := cmp.Diff([]string{"A"}, p.printed()); diff != "" {
		t.Error(diff)
	}
}
