package process

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// diary is what parts did, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) part(name string, stopTime time.Duration) Part {
	return Part{Name: name, Run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(stopTime)
		d.write(name)
		return ctx.Err()
	}}
}

func TestPartsStopInReverseOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		d := &diary{}
		err := Run(ctx, d.part("journal", 0), d.part("uplink", time.Second), d.part("pages", 3*time.Second))
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"pages", "uplink", "journal"}, d.lines); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFirstFaultStopsAll(t *testing.T) {
	broken := errors.New("disk gone")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"fault":           {broken, "uplink: disk gone"},
		"ended by itself": {nil, "uplink: ended by itself"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &diary{}
			err := Run(t.Context(), d.part("journal", 0), Part{Name: "uplink", Run: func(context.Context) error {
				time.Sleep(time.Minute)
				return c.err
			}}, d.part("pages", 0))
			if err == nil || err.Error() != c.want {
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
			if diff := cmp.Diff([]string{"pages", "journal"}, d.lines); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		})
	}
}

func TestAPartThatDoesNotStopIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		d := &diary{}
		release := make(chan struct{})
		start := time.Now()
		err := Run(ctx, d.part("journal", time.Second/2), Part{Name: "printer", Run: func(context.Context) error {
			<-release
			return nil
		}}, d.part("pages", time.Second))
		close(release)
		if err == nil || !strings.Contains(err.Error(), "stop printer: not within 20s") {
			t.Errorf("got %v, want the printer named", err)
		}
		if took := time.Since(start); took != Grace+time.Second/2 {
			t.Errorf("took %s", took)
		}
		if diff := cmp.Diff([]string{"pages", "journal"}, d.lines); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFaultsWhileStoppingAreTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Run(ctx, Part{Name: "journal", Run: func(ctx context.Context) error {
		<-ctx.Done()
		return errors.New("sync: disk gone")
	}})
	if err == nil || err.Error() != "stop journal: sync: disk gone" {
		t.Errorf("got %v", err)
	}
}
