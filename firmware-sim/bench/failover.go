package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"holdfast.dev/firmware-sim/faults"
	"holdfast.dev/internal/process"
)

const (
	killLimit = 3 * time.Second
	hangLimit = 6 * time.Second
	hangDisk  = 320 // MiB
	// tryWithin bounds one call of a shopper; the cloud itself gives up sooner.
	tryWithin = 10 * time.Second
	tryPause  = 10 * time.Millisecond
)

func (b *bench) killRow() string {
	return b.name(fmt.Sprintf("leader killed to next accepted write, worst of %d", b.size.kills))
}

func (b *bench) hangRow() string {
	return b.name(fmt.Sprintf("leader's disk hung to next accepted write, worst of %d", b.size.hangs))
}

// kills measures how long shoppers wait when the leader of three processes is
// killed.
func kills(ctx context.Context, b *bench) (err error) {
	dir, err := b.folder("failover")
	if err != nil {
		return err
	}
	t, err := b.openTrio(ctx, func(i int) (string, error) {
		folder := filepath.Join(dir, fmt.Sprintf("cloud-%d", i))
		return folder, os.Mkdir(folder, 0o700)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	bar := process.NewProgress(b.o.Progress, "kill leaders", int64(b.size.kills))
	defer bar.Close()
	var gaps []time.Duration
	for range b.size.kills {
		leader, others, err := t.leader(ctx)
		if err != nil {
			return err
		}
		gap, err := t.gap(ctx, leader.Kill, others)
		if err != nil {
			return err
		}
		gaps = append(gaps, gap)
		if err := leader.run(ctx); err != nil {
			return err
		}
		bar.Add(1)
	}
	b.add(worst(b.killRow(), gaps, killLimit))
	return nil
}

// hangs measures the same when the leader's disk does not answer any more. It
// takes a file system that can be made to hang.
func hangs(ctx context.Context, b *bench) (err error) {
	disk, err := faults.NewDisk("ext4", hangDisk)
	if err != nil {
		b.add(missing(b.hangRow(), "needs root, loop devices and mkfs.ext4: "+err.Error()))
		return nil
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	dir, err := b.folder("hang")
	if err != nil {
		return err
	}
	t, err := b.openTrio(ctx, func(i int) (string, error) {
		folder := filepath.Join(dir, fmt.Sprintf("cloud-%d", i))
		if i == 0 {
			folder = filepath.Join(disk.Dir(), "cloud")
		}
		return folder, os.Mkdir(folder, 0o700)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	var gaps []time.Duration
	for range b.size.hangs {
		first := t.members[0]
		if err := t.lead(ctx, first); err != nil {
			return err
		}
		gap, err := t.gap(ctx, disk.Hang, t.members[1:])
		err = errors.Join(err, disk.Resume(), first.Kill())
		if err != nil {
			return err
		}
		gaps = append(gaps, gap)
		if err := first.run(ctx); err != nil {
			return err
		}
	}
	b.add(worst(b.hangRow(), gaps, hangLimit))
	return nil
}

// worst is the longest of some gaps against its limit.
func worst(row string, gaps []time.Duration, limit time.Duration) Figure {
	slices.Sort(gaps)
	f := atMost(row, "s", pair{gaps[len(gaps)-1].Seconds(), limit.Seconds()}, 1)
	f.Note = fmt.Sprintf("p50 %s s, best %s s", round(gaps[len(gaps)/2].Seconds()), round(gaps[0].Seconds()))
	return f
}

// gap breaks something and returns how long after it the next write that was
// sent to one of the others was accepted.
func (t *trio) gap(ctx context.Context, breaks func() error, others []*cloudProcess) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	if err := breaks(); err != nil {
		return 0, err
	}
	accepted := make(chan time.Duration, len(others))
	for _, m := range others {
		go func() {
			for ctx.Err() == nil {
				if t.shopper.reserve(ctx, m.listen) == nil {
					accepted <- time.Since(began)
					return
				}
				time.Sleep(tryPause)
			}
		}()
	}
	select {
	case gap := <-accepted:
		return gap, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("no write was accepted within %s", patience)
	}
}

// shopper reserves over the public API.
type shopper struct{ client *http.Client }

func newShopper() *shopper {
	return &shopper{&http.Client{Timeout: tryWithin, Transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: time.Second}).DialContext, MaxIdleConnsPerHost: rqliteClients}}}
}

// reserve books one unit at some store.
func (s *shopper) reserve(ctx context.Context, addr string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	pick := int(id[15]) | int(id[14])<<8
	return post(ctx, s.client, fmt.Sprintf("http://%s/v1/stores/%d/reservations", addr, 1+pick%reserveStores),
		map[string]any{"requestId": id.String(),
			"lines": []map[string]any{{"gtin": "0" + ean13(1+pick%reserveSKUs), "quantity": 1}}})
}
