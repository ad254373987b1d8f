package process

import (
	"context"
	"time"
)

// Pause returns what waits for d, or until its context ends.
func Pause(d time.Duration) func(ctx context.Context) {
	return func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
}
