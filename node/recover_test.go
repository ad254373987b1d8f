package node

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/stock"
)

func TestAReplacedBoxThatHasNothingNewLeavesHeadOfficeAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		taken  uint64
		before string
		want   time.Duration
	}{
		"the first time":          {0, "", 0},
		"again":                   {0, stock.Fenced.String(), betweenGreetings},
		"again, with what is new": {2, stock.Fenced.String(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				err := shutOut(t.Context(), tt.taken, tt.before)
				if !stock.Refused(err, stock.Fenced) || time.Since(begun) != tt.want {
					t.Errorf("%v after %s, want it after %s", err, time.Since(begun), tt.want)
				}
			})
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := shutOut(ctx, 0, stock.Fenced.String()); !errors.Is(err, context.Canceled) {
		t.Errorf("a node that ends: %v", err)
	}
}
