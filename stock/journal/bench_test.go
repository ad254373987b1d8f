package journal

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bare is the limit: the same driver through database/sql, one dedicated
// connection, prepared statements, one durable transaction that reads and
// writes one row; no journal, no ids, no hashes.
type bare struct {
	begin, read, write, commit *sql.Stmt
}

const benchRows = 1000

func openBare(b *testing.B) *bare {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+
		"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000")
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	c, err := db.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close(); db.Close() })
	if _, err := c.ExecContext(ctx, createShelf); err != nil {
		b.Fatal(err)
	}
	prepare := func(q string) *sql.Stmt {
		s, err := c.PrepareContext(ctx, q)
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	return &bare{prepare("BEGIN IMMEDIATE"), prepare(selectUnits), prepare(upsertUnits), prepare("COMMIT")}
}

func (l *bare) run(b *testing.B, n uint64) {
	sku := n % benchRows
	if _, err := l.begin.Exec(); err != nil {
		b.Fatal(err)
	}
	var units int64
	if err := l.read.QueryRow(sku).Scan(&units); err != nil && err != sql.ErrNoRows {
		b.Fatal(err)
	}
	if _, err := l.write.Exec(sku, units+1); err != nil {
		b.Fatal(err)
	}
	if _, err := l.commit.Exec(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAppend alternates slices of the bare limit and of the journal, so
// that both meet the same disk. It reports records a second, how many times
// the bare rate that is, and the 99th percentile in µs of both.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchAppend(b, callers) })
	}
}

func benchAppend(b *testing.B, callers int) {
	limit := openBare(b)
	j := openAt(b, filepath.Join(b.TempDir(), "books.db"))
	var next atomic.Uint64
	var limitRun, journalRun measured
	for range b.N {
		limitRun.slice(1, func() { limit.run(b, next.Add(1)) })
		journalRun.slice(callers, func() {
			n := next.Add(1)
			if _, err := j.Append(context.Background(), say(benchID(n), move(n%benchRows, 1))); err != nil {
				b.Error(err)
				runtime.Goexit()
			}
		})
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(limitRun.rate(), "bare/s")
	b.ReportMetric(journalRun.rate(), "records/s")
	b.ReportMetric(journalRun.rate()/limitRun.rate(), "x_bare")
	b.ReportMetric(limitRun.percentile(50), "bare_p50_µs")
	b.ReportMetric(journalRun.percentile(50), "p50_µs")
	b.ReportMetric(limitRun.percentile(99), "bare_p99_µs")
	b.ReportMetric(journalRun.percentile(99), "p99_µs")
}

// benchID makes ids that rise with time, as UUIDv7 does.
func benchID(n uint64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(time.Now().UnixMilli()))
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// measured collects how long operations took.
type measured struct {
	mu    sync.Mutex
	took  []time.Duration
	total time.Duration
}

const benchSlice = 250 * time.Millisecond

// slice runs f from many callers for a short time.
func (m *measured) slice(callers int, f func()) {
	start := time.Now()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			var took []time.Duration
			for at := time.Now(); at.Sub(start) < benchSlice; {
				f()
				now := time.Now()
				took = append(took, now.Sub(at))
				at = now
			}
			m.mu.Lock()
			m.took = append(m.took, took...)
			m.mu.Unlock()
		})
	}
	wg.Wait()
	m.total += time.Since(start)
}

func (m *measured) rate() float64 { return float64(len(m.took)) / m.total.Seconds() }

func (m *measured) percentile(p int) float64 {
	slices.Sort(m.took)
	return float64(m.took[len(m.took)*p/100].Nanoseconds()) / 1000
}

// BenchmarkView reads one row in a snapshot of its own.
func BenchmarkView(b *testing.B) {
	j := openAt(b, filepath.Join(b.TempDir(), "books.db"))
	mustAppend(b, j, say(uid(1), move(5, 1)))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	read := func(tx *Tx) error {
		var n int64
		return tx.QueryRow(selectUnits, 5).Scan(&n)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := j.View(ctx, read); err != nil {
			b.Fatal(err)
		}
	}
}
