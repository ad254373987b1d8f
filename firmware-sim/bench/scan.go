package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/creack/pty"

	"holdfast.dev/internal/process"
	"holdfast.dev/node/devices"
)

const (
	scanRow  = "scan in to answer out, p99"
	scanGoal = 3
)

// scans measures the time from a scan's bytes at the end of a serial line to
// the answer at the end of a kiosk's event stream, against the time of a bare
// durable transaction; of both the 99th percentile.
func scans(ctx context.Context, b *bench) (err error) {
	dir, err := b.folder("scan")
	if err != nil {
		return err
	}
	line, device, err := pty.Open()
	if err != nil {
		return fmt.Errorf("open a pseudo terminal: %w", err)
	}
	defer line.Close()
	defer device.Close()
	s, limit, err := openOrdinary(ctx, dir, devices.Config{Name: "scanner", Kind: devices.Scanner,
		Driver: "serial", Path: device.Name()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, limit.Close(), s.Close()) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := process.HTTPServer(l.Addr().String(), s.kiosk.Handler())
	s.start(ctx, process.Serve("pages", web, l).Run)
	screen, err := watch(ctx, l.Addr().String())
	if err != nil {
		return err
	}
	defer screen.Close()
	if err := s.scannerReady(ctx); err != nil {
		return err
	}
	customer := &customer{shop: s, line: line, screen: screen}
	m, err := b.p99(ctx, limit.timed, customer.scan)
	if err != nil {
		return err
	}
	b.add(atMost(b.name(scanRow), "ms", m, scanGoal))
	return nil
}

// scannerReady waits until the driver has opened the line.
func (s *shop) scannerReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for range s.devices.Watch(ctx) {
		if s.devices.States()[0].Phase == devices.Ready {
			return nil
		}
	}
	return fmt.Errorf("scanner is %s: %s", s.devices.States()[0].Phase, s.devices.States()[0].LastError)
}

// patience bounds what takes milliseconds when all is well.
const patience = 30 * time.Second

// screen is a kiosk's event stream as a browser reads it.
type screen struct {
	lines *bufio.Scanner
	close func() error
}

func watch(ctx context.Context, addr string) (*screen, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/events?station="+counter, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	return &screen{lines: bufio.NewScanner(resp.Body), close: resp.Body.Close}, nil
}

// Close leaves the stream.
func (s *screen) Close() error { return s.close() }

// answer returns the next event that answers a scan.
func (s *screen) answer() (string, error) {
	for s.lines.Scan() {
		data, ok := strings.CutPrefix(s.lines.Text(), "data: ")
		if ok && strings.Contains(data, `"kind":"answer"`) {
			return data, nil
		}
	}
	return "", errors.Join(errors.New("the event stream ended"), s.lines.Err())
}

// customer has products scanned, one after the other, and then the basket ended.
type customer struct {
	shop   *shop
	line   *os.File
	screen *screen
	scans  int
}

func (c *customer) scan(ctx context.Context) (time.Duration, error) {
	assorted := c.shop.assorted
	frame := []byte(assorted[c.scans%len(assorted)].GetGtin()[1:] + "\r")
	c.scans++
	began := time.Now()
	if _, err := c.line.Write(frame); err != nil {
		return 0, err
	}
	answer, err := c.screen.answer()
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	var e struct{ Answer struct{ OK bool } }
	if err := json.Unmarshal([]byte(answer), &e); err != nil || !e.Answer.OK {
		return 0, fmt.Errorf("the scan was answered with %s: %w", answer, err)
	}
	if c.scans%basketLines == 0 {
		_, err = c.shop.floor.FinishBasket(ctx, counter)
	}
	return took, err
}
