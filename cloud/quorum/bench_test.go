package quorum

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// bareRaft is raft without us, over the network of tests.
func bareRaft(b *testing.B, n int) func([]byte) error {
	l := newLinks()
	nets := make([]Net, n)
	for i := range nets {
		p, err := l.listen(fmt.Sprintf("r%d", i))
		if err != nil {
			b.Fatal(err)
		}
		nets[i] = p
	}
	bare, err := OpenBare(b.TempDir(), nets...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bare.Close() })
	return bare.Propose
}

func benchCell(b *testing.B, n int) *cell {
	c := &cell{t: nil, dir: b.TempDir(), links: newLinks(), boxes: map[string]*box{}}
	c.tune = func(_ string, o *Options) {
		o.Timing = Timing{Settle: time.Millisecond, Disk: time.Minute}
	}
	for i := range n {
		bx := &box{name: fmt.Sprintf("m%d", i+1), machine: &counters{}}
		bx.dir = filepath.Join(c.dir, bx.name)
		if err := makeFolder(bx.dir); err != nil {
			b.Fatal(err)
		}
		join := c.anyAddress()
		c.boxes[bx.name] = bx
		if _, err := c.open(bx, join); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { bx.m.Close() })
	}
	for len(c.boxes["m1"].m.voters()) < n || !c.boxes["m1"].m.Leads() {
		time.Sleep(time.Millisecond)
	}
	return c
}

// measure lets clients propose for a while and returns how many succeeded in a
// second, and the usual wait.
func measure(b *testing.B, clients int, do func(client uint64) error) (float64, time.Duration) {
	const length = time.Second
	var mu sync.Mutex
	var waits []time.Duration
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	start := time.Now()
	var wait sync.WaitGroup
	for n := range clients {
		wait.Go(func() {
			var mine []time.Duration
			for ctx.Err() == nil {
				began := time.Now()
				if err := do(uint64(n)); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, mine...)
		})
	}
	wait.Wait()
	slices.Sort(waits)
	return float64(len(waits)) / time.Since(start).Seconds(), waits[len(waits)/2]
}

// BenchmarkPropose compares proposals a second with raft alone, which logs each
// by itself and keeps no database, in turns in the same run.
func BenchmarkPropose(b *testing.B) {
	for _, members := range []int{1, 3} {
		for _, clients := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("members=%d/clients=%d", members, clients), func(b *testing.B) {
				bare, c := bareRaft(b, members), benchCell(b, members)
				leader := c.boxes["m1"].m
				data := make([]byte, 100)
				var rate, bareRate float64
				var p50, bareP50 time.Duration
				turns := 0
				for b.Loop() {
					r, w := measure(b, clients, func(uint64) error { return bare(data) })
					bareRate, bareP50 = bareRate+r, bareP50+w
					r, w = measure(b, clients, func(client uint64) error {
						_, err := leader.Propose(context.Background(), Proposal{Data: add(client, 0)})
						return err
					})
					rate, p50 = rate+r, p50+w
					turns++
				}
				n := float64(turns)
				b.ReportMetric(rate/n, "proposals/s")
				b.ReportMetric(bareRate/n, "bare/s")
				b.ReportMetric(rate/bareRate, "xbare")
				b.ReportMetric(float64(p50.Microseconds())/n, "p50-µs")
				b.ReportMetric(float64(bareP50.Microseconds())/n, "bare-p50-µs")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkThroughAFollower proposes where nobody leads.
func BenchmarkThroughAFollower(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			c := benchCell(b, 3)
			m := c.boxes["m2"].m
			var rate float64
			var p50 time.Duration
			turns := 0
			for b.Loop() {
				r, w := measure(b, clients, func(client uint64) error {
					_, err := m.Propose(context.Background(), Proposal{Data: add(client, 0)})
					return err
				})
				rate, p50 = rate+r, p50+w
				turns++
			}
			b.ReportMetric(rate/float64(turns), "proposals/s")
			b.ReportMetric(float64(p50.Microseconds())/float64(turns), "p50-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}
