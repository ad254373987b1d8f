package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// childLevel is the level of synchronous that a child that will lose power
// works with.
const childLevel = "JOURNAL_LEVEL"

// untilCut appends from a few goroutines, each waiting for its own, and prints
// the id of each record once it was acknowledged, and when, until the power is
// off.
func untilCut() error {
	level := os.Getenv(childLevel)
	sync := map[string]string{"OFF": "NORMAL"}[level]
	if sync == "" {
		sync = level
	}
	ctx := context.Background()
	j, err := Open(ctx, Options{Path: os.Getenv(childPath), Machine: &shelf{}, Sync: sync})
	if err != nil {
		return err
	}
	if level == "OFF" {
		if err := j.writer.script("PRAGMA synchronous = OFF"); err != nil {
			return err
		}
	}
	return appendInParallel(ctx, j)
}

func appendInParallel(ctx context.Context, j *Journal) error {
	const callers = 4
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				id := uid(rand.Uint64() | 1)
				if _, err := j.Append(ctx, say(id, move(rand.Uint64N(50), 1))); err != nil {
					return // the power is off
				}
				fmt.Fprintf(os.Stdout, "%x %d\n", id, time.Now().UnixNano())
			}
		})
	}
	wg.Wait()
	return nil
}
