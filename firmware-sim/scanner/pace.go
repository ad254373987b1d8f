package scanner

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	bitsPerByte = 10 // start, eight data, stop
	// shortestTick is how often bytes are handed over at most: those of a fast
	// line come in small groups, as a USB bridge gives them.
	shortestTick = 250 * time.Microsecond
	// queueSlack is how late the next symbol may be and still follow the one
	// before without a pause, as if it had waited in the firmware's queue.
	queueSlack = 5 * time.Millisecond
	// Pauses that split a symbol. No host takes them for its end.
	minSplit, maxSplit = 5 * time.Millisecond, 40 * time.Millisecond
)

// pace is how fast the line carries what: so many bytes each time.
type pace struct {
	grain int
	each  time.Duration // of a grain
	baud  int           // for which each is exact; zero: each is
}

// last is how long n bytes take.
func (p pace) last(n int) time.Duration {
	grains := (n + p.grain - 1) / p.grain
	if p.baud > 0 {
		return time.Duration(grains) * bitsPerByte * time.Second / time.Duration(p.baud)
	}
	return time.Duration(grains) * p.each
}

// carried is how many bytes are through after this time.
func (p pace) carried(d time.Duration) int {
	if p.baud > 0 {
		return int(d*time.Duration(p.baud)/(bitsPerByte*time.Second)) * p.grain
	}
	return int(d/p.each) * p.grain
}

// pace of the scanner's own line.
func (s *Scanner) pace() pace {
	if s.opts.Mode == Keyboard {
		return pace{grain: reportBytes, each: s.opts.KeyTime}
	}
	return pace{grain: 1, baud: s.opts.Baud}
}

// carry sends bytes to the host, each when the line would have carried it.
// What is carried right after something else began when that had ended.
func (s *Scanner) carry(ctx context.Context, l line, data []byte, p pace) error {
	if p.baud > 0 {
		data = l.hears(data, p.baud)
	}
	began := time.Now()
	if began.Sub(s.lineFree) < queueSlack {
		began = s.lineFree
	}
	tick := time.NewTimer(0)
	defer tick.Stop()
	for sent := 0; sent < len(data); {
		next := max(p.last(sent+1), min(p.last(len(data)), time.Since(began)+shortestTick))
		tick.Reset(time.Until(began.Add(next)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		due := min(p.carried(time.Since(began)), len(data))
		if due <= sent {
			continue
		}
		if err := l.send(data[sent:due]); err != nil {
			return err
		}
		sent = due
	}
	s.lineFree = began.Add(p.last(len(data)))
	return nil
}

// split cuts data at random places that are whole grains apart.
func split(data []byte, grain int, rng *rand.Rand) [][]byte {
	var pieces [][]byte
	for len(data) > 0 {
		n := min((1+rng.IntN(max(1, len(data)/grain)))*grain, len(data))
		pieces = append(pieces, data[:n])
		data = data[n:]
	}
	return pieces
}
