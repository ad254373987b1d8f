//go:build faults

package shopfloor_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock/journal"
)

// maxFaults bounds the system calls of a day.
const maxFaults = 5000

// A day is begun, and the N-th write to the disk is where it ends: for every N,
// until a day is over before its N-th write. Then it is done again from its
// first step, by the same ids.
func TestDeathAtEveryWriteLosesNothing(t *testing.T) {
	for _, call := range []string{"fsync", "pwrite64", "ftruncate"} {
		t.Run(call, func(t *testing.T) {
			n := everyFault(t, call, "signal=KILL", nil)
			t.Logf("killed at each of %d calls of %s", n, call)
		})
	}
}

// The disk refuses the N-th write. The store may say that it does not know; it
// must not say yes to what is not there, nor go on writing.
func TestEveryErrorOfTheDiskIsHonest(t *testing.T) {
	for _, fault := range []struct{ call, what string }{
		{"fsync", "error=EIO"}, {"pwrite64", "error=EIO"}, {"pwrite64", "error=ENOSPC"},
		{"ftruncate", "error=EIO"},
	} {
		t.Run(fault.call+" "+fault.what, func(t *testing.T) {
			n := everyFault(t, fault.call, fault.what, func(t *testing.T, said string) {
				if strings.Contains(said, "panic") {
					t.Errorf("the store panicked: %s", said)
				}
			})
			t.Logf("%s at each of %d calls", fault.what, n)
		})
	}
}

// everyFault breaks each of a day's calls in turn and returns how many there are.
func everyFault(t *testing.T, call, fault string, check func(t *testing.T, said string)) (n int) {
	t.Helper()
	want, calls := wholeDay(t), countCalls(t, call)
	if calls > maxFaults {
		t.Fatalf("%d calls of %s in a day", calls, call)
	}
	for n = 1; n <= calls; n++ {
		path := filepath.Join(t.TempDir(), "store.db")
		acked, said, err := brokenDay(path, call, fmt.Sprintf("inject=%s:%s:when=%d", call, fault, n))
		if err != nil {
			t.Fatal(err)
		}
		if check != nil {
			check(t, said)
		}
		verifyAcked(t, path, acked)
		if got := finishDay(t, path); !cmp.Equal(want, got) {
			t.Fatalf("%s at call %d of %s: the day ends with other books: %s", fault, n, call, cmp.Diff(want, got))
		}
	}
	return calls
}

// countCalls counts the calls of a day in which nothing goes wrong.
func countCalls(t *testing.T, call string) int {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	child := exec.Command("strace", "-f", "-qq", "-o", trace, "-e", "trace="+call, os.Args[0])
	child.Env = append(os.Environ(), dayEnv+"="+filepath.Join(t.TempDir(), "store.db"), "GOMAXPROCS=1")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), call+"(")
}

// brokenDay works through the day with a fault and counts the steps that were
// acknowledged.
func brokenDay(path, call, inject string) (acked int, said string, err error) {
	child := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call, "-e", inject, os.Args[0])
	child.Env = append(os.Environ(), dayEnv+"="+path, "GOMAXPROCS=1")
	var stdout, stderr bytes.Buffer
	child.Stdout, child.Stderr = &stdout, &stderr
	err = child.Run()
	if _, dead := errors.AsType[*exec.ExitError](err); dead {
		err = nil
	}
	return strings.Count(stdout.String(), "\n"), stderr.String(), err
}

// verifyAcked opens what is left and looks for every step that was acknowledged.
func verifyAcked(t *testing.T, path string, acked int) {
	t.Helper()
	d, err := openDay(t.Context(), path)
	if err != nil {
		t.Fatalf("after %d acknowledged steps: %v", acked, err)
	}
	defer d.j.Close()
	steps := len(newDay().steps())
	for n := 1; n <= acked; n++ {
		if n == 2 || n == 3 || n == steps {
			continue // they carry no id of their own
		}
		if _, there, err := d.j.Find(t.Context(), dayID(uint64(n))); err != nil || !there {
			t.Fatalf("step %d of %d was acknowledged and is not there (%v)", n, acked, err)
		}
	}
	if report, err := d.j.Verify(t.Context(), nil); err != nil || !report.OK() {
		t.Fatalf("verify: %+v %v", report, err)
	}
}

// finishDay does the whole day again and returns the books.
func finishDay(t *testing.T, path string) map[string]journal.Hash {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := workDay(t.Context(), path, null); err != nil {
		t.Fatalf("the day again: %v", err)
	}
	d, err := openDay(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.j.Close()
	digest, err := d.j.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func wholeDay(t *testing.T) map[string]journal.Hash {
	t.Helper()
	return finishDay(t, filepath.Join(t.TempDir(), "store.db"))
}
