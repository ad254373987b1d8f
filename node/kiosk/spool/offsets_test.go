package spool_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	firmware "holdfast.dev/firmware-sim/printer"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk/spool"
	"holdfast.dev/stock/journal"
)

// counter is a spool with a real driver on a simulated printer.
type counter struct {
	t     *testing.T
	spool *spool.Spool
	set   *devices.Set
	sim   *firmware.Printer
	news  chan struct{}
}

func openCounter(t *testing.T) *counter {
	t.Helper()
	sim, err := firmware.Start(firmware.Options{TCP: "127.0.0.1:0", OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	c := &counter{t: t, sim: sim, news: make(chan struct{}, 1)}
	c.set = devices.New(devices.Options{MaxBackoff: 5 * time.Millisecond, Devices: []devices.Config{
		{Name: "paper", Kind: devices.Printer, Driver: "escpos-tcp", Path: sim.State().Address}}})
	j, err := journal.Open(t.Context(), journal.Options{Path: filepath.Join(t.TempDir(), "jobs.db"),
		Machine: tables{},
		Sync:    "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	c.spool = spool.New(spool.Options{Journal: j, Devices: c.set,
		Logger: slog.New(slog.DiscardHandler),
		Changed: func(int64) {
			select {
			case c.news <- struct{}{}:
			default:
			}
		}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- c.set.Run(ctx) }()
	go func() { done <- c.spool.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		j.Close()
	})
	c.ready()
	return c
}

// ready waits until the printer can print.
func (c *counter) ready() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for range c.set.Watch(ctx) {
		if c.set.States()[0].Phase == devices.Ready {
			return
		}
	}
	c.t.Fatalf("the printer is %+v", c.set.States()[0])
}

// document is a receipt of which every kind of command has its bytes.
func document(text string) receipt.Document {
	return receipt.Document{Width: 42, Blocks: []receipt.Block{
		receipt.Line{Text: text, Bold: true, Tall: 2, Align: receipt.Centre},
		receipt.Pair("Rye", "€ 2,99"), receipt.QR{Content: text}, receipt.Cut{},
	}}
}

func (c *counter) add(text string) spool.Job {
	c.t.Helper()
	data, err := receipt.Job(document(text))
	if err != nil {
		c.t.Fatal(err)
	}
	j, err := c.spool.Add(c.t.Context(), spool.Job{Key: text, Kind: "receipt", Device: "paper",
		Title:  text,
		Source: []byte("{}"), Data: data})
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}

// settled waits until a job is printed, unknown or failed. Before that, help
// does what a person would.
func (c *counter) settled(j spool.Job, help func()) spool.Job {
	c.t.Helper()
	late := time.After(patience)
	for {
		changed := c.sim.Watch()
		now, err := c.spool.Job(c.t.Context(), j.ID)
		if err != nil {
			c.t.Fatal(err)
		}
		if now.State != hardware.Queued && now.State != hardware.Sent {
			return now
		}
		help()
		select {
		case <-c.news:
		case <-changed:
		case <-late:
			c.t.Fatalf("job %s is still %v (%s); printer %+v, device %+v", j.Key, now.State,
				now.Error, c.sim.State(),
				c.set.States()[0])
		}
	}
}

// originals counts the receipts of a job.
func (c *counter) originals(text string) (n int) {
	for _, r := range c.sim.Receipts() {
		n += strings.Count(r.Text, "[QR code "+text+"]")
	}
	return n
}

// TestNeverTwoOriginalsAndNeverNoneUnnoticed lets a fault come at every byte of
// a receipt. A printed job has one receipt, and a job that may have none says
// so by its state.
func TestNeverTwoOriginalsAndNeverNoneUnnoticed(t *testing.T) {
	bytes, err := escpos.Encode(document("0000"), escpos.Profiles[0])
	if err != nil {
		t.Fatal(err)
	}
	const asked, fenced = 12, 14 // bytes before and behind the job
	stride := 1
	if testing.Short() {
		stride = 41
	}
	for fault, help := range map[firmware.Fault]func(*counter){
		firmware.FaultPaperOut:  func(c *counter) { c.sim.SetPaperOut(false) },
		firmware.FaultCover:     func(c *counter) { c.sim.SetCover(false) },
		firmware.FaultCutterJam: func(c *counter) { c.sim.SetCutterJam(false) },
		firmware.FaultUnplug:    (*counter).plug,
		firmware.FaultPowerDip:  func(*counter) {},
	} {
		t.Run(string(fault), func(t *testing.T) {
			c := openCounter(t)
			states := map[hardware.PrintState]int{}
			for at := 1; at <= asked+len(bytes)+fenced; at += stride {
				states[c.suffer(fault, at, func() { help(c) })]++
			}
			cut := fault == firmware.FaultUnplug || fault == firmware.FaultPowerDip
			if states[hardware.Printed] == 0 || (states[hardware.Unknown] > 0) != cut {
				t.Errorf("the jobs ended as %v", states)
			}
		})
	}
}

func (c *counter) plug() {
	if !c.sim.State().Plugged {
		if err := c.sim.Plug(); err != nil {
			c.t.Error(err)
		}
	}
}

// suffer prints a job with a fault at a byte, and checks what came of it.
func (c *counter) suffer(fault firmware.Fault, at int, help func()) hardware.PrintState {
	c.t.Helper()
	text := fmt.Sprintf("%04d", at)
	if err := c.sim.After(at, fault); err != nil {
		c.t.Fatal(err)
	}
	j := c.settled(c.add(text), help)
	if err := c.sim.After(0, fault); err != nil { // in case it was still to come
		c.t.Fatal(err)
	}
	help()
	c.ready()
	switch n := c.originals(text); {
	case j.State == hardware.Printed && n != 1, n > 1:
		c.t.Fatalf("%s after byte %d: %d originals of a job that is %v", fault, at, n, j.State)
	case j.State == hardware.Failed:
		c.t.Fatalf("%s after byte %d: failed with %d originals: %s", fault, at, n, j.Error)
	case j.State == hardware.Unknown && j.Error == "":
		c.t.Fatalf("%s after byte %d: unknown without a reason", fault, at)
	}
	return j.State
}
