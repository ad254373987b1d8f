package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/demo/console"
	"holdfast.dev/internal/process"
)

// run runs the demo until ctx ends, and then stops everything in order.
func (o demoOptions) run(ctx context.Context) (err error) {
	room, err := o.room()
	if err != nil {
		return err
	}
	if room.Data == "" {
		room.Data = keptIn
	}
	room.Progress = os.Stderr
	began := time.Now()
	r, err := demo.New(room)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop before all was up
		}
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", r.ConsolePort())
	listener, err := process.Listen("console-port", address)
	if err != nil {
		return err
	}
	page := console.New(r)
	welcome(r, time.Since(began))
	err = process.Run(ctx, process.Part{Name: "console", Run: page.Run},
		process.Serve("console", process.HTTPServer(address, page.Handler()), listener))
	fmt.Fprintln(os.Stderr, "\nStopping the stores, then the cloud …")
	return err
}

// welcome tells where everything is.
func welcome(r *demo.Room, took time.Duration) {
	fmt.Printf("\nHoldfast runs, after %s. Open\n\n", took.Round(100*time.Millisecond))
	fmt.Printf("  console     http://127.0.0.1:%d   scan, pull cables, look at receipts\n", r.ConsolePort())
	for _, url := range r.Head.URLs() {
		fmt.Printf("  storefront  %s   search, reserve\n", url)
	}
	for _, s := range r.Stores {
		fmt.Printf("  kiosk       %s   %s\n", s.URL, s.Store.Name)
	}
	fmt.Printf("\nSign in at a kiosk as %s (PIN %s) or, as a manager, %s (PIN %s). Ctrl-C stops everything.\n",
		demo.Staff, demo.StaffPIN, demo.Manager, demo.ManagerPIN)
}
