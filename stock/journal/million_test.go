package journal

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

const million = 1_000_000

// BenchmarkMillion shows what a journal of a million records costs: to open,
// to keep in memory, to append to, to read, to verify and to copy. Ids are
// random, the worst case for their index.
func BenchmarkMillion(b *testing.B) {
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), "books.db")
	j := openAt(b, path)
	fillMillion(b, j)
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	seconds := func(f func()) float64 {
		start := time.Now()
		f()
		return time.Since(start).Seconds()
	}
	for range b.N {
		b.ReportMetric(1000*seconds(func() { j = openAt(b, path) }), "open_ms")
		// Let the check of the file end: it reads everything once.
		b.ReportMetric(seconds(func() { waitForCheck(b, j) }), "check_s")
		limit := openBare(b)
		var limitRun, journalRun measured
		next := uint64(million)
		for range 8 {
			limitRun.slice(1, func() { next++; limit.run(b, next) })
			journalRun.slice(1, func() {
				next++
				mustAppend(b, j, say(randomID(next), move(next%benchRows, 1)))
			})
		}
		b.ReportMetric(journalRun.rate()/limitRun.rate(), "x_bare")
		b.ReportMetric(seconds(func() { readAll(b, j) }), "read_s")
		b.ReportMetric(residentMiB(b), "RSS_MiB")
		b.ReportMetric(seconds(func() {
			if report, err := j.Verify(ctx, nil); err != nil || !report.OK() {
				b.Fatal(report, err)
			}
		}), "verify_s")
		b.ReportMetric(seconds(func() {
			if err := j.Backup(ctx, path+".copy"); err != nil {
				b.Fatal(err)
			}
		}), "backup_s")
		b.ReportMetric(residentMiB(b), "RSS_after_MiB")
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/million, "bytes/record")
}

func fillMillion(b *testing.B, j *Journal) {
	b.Helper()
	ps := make([]Proposal, 1000)
	for n := uint64(0); n < million; {
		for i := range ps {
			ps[i] = say(randomID(n), append(move(n%benchRows, 1), make([]byte, 64)...))
			n++
		}
		if _, errs := j.AppendAll(context.Background(), ps); errs[0] != nil {
			b.Fatal(errs[0])
		}
	}
}

// randomID scatters n over the whole range, the same way each time.
func randomID(n uint64) (id [16]byte) {
	h := Chain(Hash{}, n, nil)
	binary.BigEndian.PutUint64(h[8:], n+1)
	return h
}

func readAll(b *testing.B, j *Journal) {
	b.Helper()
	for from := uint64(1); from <= million; {
		es, err := j.Entries(context.Background(), from, 1000, 1<<20)
		if err != nil || len(es) == 0 {
			b.Fatal(len(es), err)
		}
		from = es[len(es)-1].Seq + 1
	}
}

func waitForCheck(b *testing.B, j *Journal) {
	b.Helper()
	select {
	case <-j.checked:
	case <-j.Fault():
		b.Fatal(j.Err())
	}
}

// residentMiB gives the memory of the process, garbage collected.
func residentMiB(b *testing.B) float64 {
	b.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
