package fleet

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// chance is a source of pseudo-random numbers with a few ways of asking.
type chance struct{ *rand.Rand }

// newChance gives the same numbers for the same seed and stream.
func newChance(seed, stream uint64) chance {
	return chance{rand.New(rand.NewPCG(seed, stream^0x9e3779b97f4a7c15))}
}

// of is true in so many of a thousand cases.
func (c chance) of(permille int) bool { return c.IntN(1000) < permille }

// between is at least low and at most high.
func (c chance) between(low, high int) int { return low + c.IntN(high-low+1) }

// span is at least low and below high.
func (c chance) span(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(c.Int64N(int64(high-low)))
}

// id makes an id of 16 bytes.
func (c chance) id() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], c.Uint64())
	binary.BigEndian.PutUint64(id[8:], c.Uint64())
	return id
}

// oneOf picks one of several.
func oneOf[T any](c chance, of ...T) T { return of[c.IntN(len(of))] }

// reader lets what wants random bytes read them from a chance.
type reader struct{ chance }

func (r reader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return len(p), nil
}
