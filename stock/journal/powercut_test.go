//go:build faults

package journal

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/faults"
)

// Power cuts: a child process appends records and says which were acknowledged;
// the file system under it loses power; the journal is opened again. The
// environment sets how many, for longer runs.
//
// What is acknowledged while the power goes off is counted apart: the kernel may
// let an fsync succeed whose commit it has just dropped, because a file system
// that is shut down, unlike a machine without power, still answers.
const (
	cutsEnv      = "HOLDFAST_CUTS"
	standardCuts = 100
	controlCuts  = 12
)

func cuts(t *testing.T, standard int) int {
	n, err := strconv.Atoi(os.Getenv(cutsEnv))
	if err != nil {
		return standard
	}
	return max(1, n*standard/standardCuts)
}

func TestAcknowledgedRecordsSurvivePowerCuts(t *testing.T) {
	for _, test := range []struct {
		fs    string
		share int
	}{{"ext4", standardCuts}, {"xfs", standardCuts / 5}} {
		t.Run(test.fs, func(t *testing.T) {
			r := cutPower(t, test.fs, "FULL", cuts(t, test.share))
			t.Logf("%s FULL: %s", test.fs, r)
			if r.lost > 0 || r.acked == 0 {
				t.Errorf("%s", r)
			}
		})
	}
}

// The controls show that the cuts are real: a journal that does not wait for
// the disk must lose what it acknowledged.
func TestPowerCutsTakeWhatWasNotFlushed(t *testing.T) {
	for _, level := range []string{"NORMAL", "OFF"} {
		t.Run(level, func(t *testing.T) {
			r := cutPower(t, "ext4", level, max(controlCuts, cuts(t, controlCuts)))
			t.Logf("ext4 %s: %s", level, r)
			if r.lost == 0 {
				t.Errorf("nothing was lost: the cuts prove nothing: %s", r)
			}
		})
	}
}

// cutResult is what a series of cuts left.
type cutResult struct {
	cuts, acked, lost, losing, most int

	late, lateLost int // acknowledged while the power went off
}

func (r cutResult) String() string {
	return fmt.Sprintf("%d cuts, %d records acknowledged, %d lost in %d cuts, at most %d at once; "+
		"%d of %d lost that were acknowledged while the power went off", r.cuts, r.acked, r.lost, r.losing,
		r.most, r.lateLost, r.late)
}

func cutPower(t *testing.T, fs, level string, n int) (r cutResult) {
	t.Helper()
	disk, err := faults.NewDisk(fs, 320)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	}()
	file, whole := 0, true
	for i := range n {
		if i%10 == 0 || !whole {
			file++
		}
		path := filepath.Join(disk.Dir(), fmt.Sprintf("store%d.db", file))
		acked, late := oneCut(t, disk, path, level)
		var lost int
		lost, whole = missing(t, path, acked, level == "FULL")
		r.cuts, r.acked, r.lost = r.cuts+1, r.acked+len(acked), r.lost+lost
		lateLost, _ := missing(t, path, late, false)
		r.late, r.lateLost = r.late+len(late), r.lateLost+lateLost
		r.most = max(r.most, lost)
		if lost > 0 {
			r.losing++
		}
	}
	return r
}

// oneCut lets the child work for a while and cuts the power; it returns the
// ids that the child had acknowledged before, and while the power went off.
func oneCut(t *testing.T, disk *faults.Disk, path, level string) (acked, late []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childTask+"=cut", childPath+"="+path, childLevel+"="+level)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	child.Stderr = &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	began := make(chan int64, 1) // of the cut
	var all []string
	if lines.Scan() { // it works
		all = append(all, lines.Text())
		time.AfterFunc(time.Duration(50+rand.IntN(300))*time.Millisecond, func() {
			began <- time.Now().UnixNano()
			if err := disk.Cut(); err != nil {
				t.Error(err)
			}
			child.Process.Kill()
		})
	}
	for lines.Scan() {
		all = append(all, lines.Text())
	}
	child.Wait()
	acked, late = sortByTime(all, began)
	if len(acked) == 0 {
		t.Fatalf("the child did nothing: %s", said.String())
	}
	if err := disk.Recover(); err != nil {
		t.Fatal(err)
	}
	return acked, late
}

// sortByTime tells what was acknowledged before a moment from what came later.
func sortByTime(lines []string, moment <-chan int64) (before, after []string) {
	if len(lines) == 0 {
		return nil, nil
	}
	began := <-moment
	for _, line := range lines {
		id, text, _ := strings.Cut(line, " ")
		at, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil || len(text) != len(strconv.FormatInt(began, 10)):
			// the last line was cut short
		case at < began:
			before = append(before, id)
		default:
			after = append(after, id)
		}
	}
	return before, after
}

// missing counts acknowledged records that are not there any more; all are lost
// in a file that is not whole, as a control may leave it. prove wants the file
// whole, and also replays the journal.
func missing(t *testing.T, path string, acked []string, prove bool) (lost int, whole bool) {
	t.Helper()
	j, err := Open(t.Context(), Options{Path: path, Machine: &shelf{}})
	if err != nil {
		if !prove {
			return len(acked), false
		}
		t.Fatal(err)
	}
	defer j.Close()
	for _, text := range acked {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != 16 {
			t.Fatalf("the child acknowledged %q", text)
		}
		_, there, err := j.Find(t.Context(), [16]byte(raw))
		if err != nil && !prove {
			return len(acked), false
		}
		if err != nil {
			t.Fatal(err)
		}
		if !there {
			lost++
		}
	}
	if prove {
		report, err := j.Verify(t.Context(), nil)
		if err != nil || !report.OK() {
			t.Errorf("after a cut: %+v %v", report.Mismatches, err)
		}
	}
	return lost, true
}
