// Command holdfast-sim shows Holdfast without a shop: a cloud and some stores
// on one machine, with simulated devices.
package main

import (
	"context"
	"fmt"
	"os"

	"holdfast.dev/firmware-sim/bench"
	"holdfast.dev/internal/process"
)

type commands struct {
	Demo   demoOptions   `cmd:"" help:"Run a cloud and three stores on this machine, with a console to play with."`
	Reset  resetOptions  `cmd:"" help:"Delete what the demo has kept."`
	Bench  bench.Options `cmd:"" help:"Measure speed, as ratios to limits of the same run."`
	Policy policyOptions `cmd:"" help:"Play ways to share stock with shoppers through cuts, and count what is lost."`
	Fleet  fleetOptions  `cmd:"" help:"Run stores and their cloud in virtual time, break what can break, and check every promise."`
	Drills drillsOptions `cmd:"" help:"Lose disks, boxes and clouds of the real programs, and bring all back."`
	Chaos  chaosOptions  `cmd:"" help:"Run a cloud and stores as real processes, break what can break, and check every answer."`

	Scanner scannerOptions `cmd:"" help:"Run one simulated scanner alone, with a page to scan with and to break it."`
	Printer printerOptions `cmd:"" help:"Run one simulated receipt printer alone, with a page that shows its paper."`

	Display      displayOptions `cmd:"" help:"Run one simulated customer display alone, with a page that shows it."`
	Locker       lockerOptions  `cmd:"" help:"Run one simulated pickup locker alone, with a page to shut its doors."`
	Scale        scaleOptions   `cmd:"" help:"Run one simulated scale alone, with a page to put things on it."`
	Labelprinter labelOptions   `cmd:"" help:"Run one simulated label printer alone, with a page that shows its labels."`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "holdfast-sim:", err)
		os.Exit(1)
	}
}

func run() error {
	var c commands
	loaded, err := process.Load("holdfast-sim", os.Args[1:], &c)
	if err != nil {
		return err
	}
	ctx, stop := process.Signals(context.Background())
	defer stop()
	switch {
	case loaded.Command == "reset":
		return c.Reset.run()
	case loaded.Command == "bench":
		c.Bench.Out, c.Bench.Progress = os.Stdout, os.Stderr
		return bench.Run(ctx, c.Bench)
	case loaded.Command == "policy":
		return c.Policy.run(ctx)
	case loaded.Command == "fleet":
		return c.Fleet.run(ctx)
	case loaded.Command == "drills":
		return c.Drills.run(ctx)
	case loaded.Command == "chaos":
		return c.Chaos.run(ctx)
	case loaded.Command == "scanner":
		return c.Scanner.run(ctx)
	case loaded.Command == "printer":
		return c.Printer.run(ctx)
	case loaded.Command == "display":
		return c.Display.run(ctx)
	case loaded.Command == "locker":
		return c.Locker.run(ctx)
	case loaded.Command == "scale":
		return c.Scale.run(ctx)
	case loaded.Command == "labelprinter":
		return c.Labelprinter.run(ctx)
	case c.Demo.Once:
		return c.Demo.once(ctx)
	}
	return c.Demo.run(ctx)
}
