package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Children of these tests are this test binary again, told by the environment
// what to do.
const (
	childTask = "JOURNAL_CHILD"
	childPath = "JOURNAL_PATH"
	childFrom = "JOURNAL_FROM"
)

func TestMain(m *testing.M) {
	task, ok := map[string]func() error{"burst": burst, "fill": fill, "cut": untilCut}[os.Getenv(childTask)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := task(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, task, path string, from uint64) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+task, childPath+"="+path, fmt.Sprintf("%s=%d", childFrom, from))
	cmd.Stderr = os.Stderr
	return cmd
}

// burst appends from many goroutines and prints each record once it was
// acknowledged, until it is killed.
func burst() error {
	j, first, err := openInChild()
	if err != nil {
		return err
	}
	const callers = 8
	var out sync.Mutex
	var wg sync.WaitGroup
	errs := make(chan error, callers)
	for c := range uint64(callers) {
		wg.Go(func() {
			for id := first + c; ; id += callers {
				o, err := j.Append(context.Background(), say(uid(id), move(id%100, 1)))
				if err != nil {
					errs <- err
					return
				}
				out.Lock()
				fmt.Println(id, o.Seq)
				out.Unlock()
			}
		})
	}
	wg.Wait()
	return <-errs
}

func openInChild() (*Journal, uint64, error) {
	var from uint64
	if _, err := fmt.Sscan(os.Getenv(childFrom), &from); err != nil {
		return nil, 0, err
	}
	j, err := Open(context.Background(), Options{Path: os.Getenv(childPath), Machine: &shelf{}})
	return j, from, err
}

func TestKilledProcessKeepsEveryAcknowledgedRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	acked := make(map[uint64]uint64) // id -> seq
	for round := range uint64(5) {
		cmd := child(t, "burst", path, 1+round*1_000_000)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(pipe)
		for n := uint64(0); lines.Scan(); n++ {
			var id, seq uint64
			if _, err := fmt.Sscan(lines.Text(), &id, &seq); err == nil {
				acked[id] = seq
			}
			if n == 300+137*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // "killed" is what we asked for
		checkAcknowledged(t, path, acked)
	}
	t.Logf("%d acknowledged records in 5 kills", len(acked))
}

func checkAcknowledged(t *testing.T, path string, acked map[uint64]uint64) {
	t.Helper()
	ctx := context.Background()
	j, err := Open(ctx, Options{Path: path, Machine: &shelf{}})
	if err != nil {
		t.Fatal(err)
	}
	for id, seq := range acked {
		e, found, err := j.Find(ctx, uid(id))
		if err != nil || !found || e.Seq != seq {
			t.Fatalf("id %d was acknowledged as record %d; found %t, %d, %v", id, seq, found, e.Seq, err)
		}
	}
	report, err := j.Verify(ctx, nil)
	if err != nil || !report.OK() || report.Records < uint64(len(acked)) {
		t.Fatalf("%+v, %v", report, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill appends under a limit of the file size until the disk refuses, and
// checks that the journal stops for good.
func fill() error {
	j, first, err := openInChild()
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 256 << 10, Max: 256 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for id := first; ; id++ {
		o, err := j.Append(context.Background(), say(uid(id), move(id%100, 1)))
		if err == nil {
			fmt.Println(id, o.Seq)
			continue
		}
		if !errors.Is(err, ErrUnknown) {
			return fmt.Errorf("record %d: got %w, want ErrUnknown", id, err)
		}
		<-j.Fault()
		if _, err := j.Append(context.Background(), say(uid(id), move(1, 1))); !errors.Is(err, ErrUnknown) {
			return fmt.Errorf("stopped journal answers %w", err)
		}
		return nil
	}
}

func TestDiskThatRefusesWritesStopsTheJournalAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	out, err := child(t, "fill", path, 1).Output()
	if err != nil {
		t.Fatal(err)
	}
	acked := make(map[uint64]uint64)
	for len(out) > 0 {
		var id, seq uint64
		n, line, err := 0, []byte(nil), error(nil)
		if n, line, err = bufio.ScanLines(out, true); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(string(line), &id, &seq); err != nil {
			t.Fatal(err)
		}
		acked[id] = seq
		out = out[n:]
	}
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged before the disk was full")
	}
	checkAcknowledged(t, path, acked)

	// The id whose outcome was unknown can be asked again.
	j := openAt(t, path)
	last := uint64(len(acked)) + 1
	o := mustAppend(t, j, say(uid(last), move(last%100, 1)))
	if o.Seq != last {
		t.Errorf("the unknown record is number %d, want %d", o.Seq, last)
	}
}
