package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"holdfast.dev/firmware-sim/fleet"
	"holdfast.dev/internal/process"
)

// fewerCollections lets the heap grow further between collections, up to a size
// at which they come more often: a world is small, and makes much garbage.
const (
	fewerCollections = 1600
	enoughMemory     = 640 << 20
)

// enoughSeeds reach every state that runs must reach; fewer need not.
const enoughSeeds = 2000

type fleetOptions struct {
	Seeds    string  `help:"Seeds to run, such as 1..2000." default:"1..2000"`
	Seed     *uint64 `help:"Run one seed only, and tell what happens with --verbose."`
	Busy     int     `help:"Things that people do in a store on a day, 8 to 110; the seed decides unless given."`
	Stores   int     `help:"Stores of each run; the seed decides unless given."`
	Days     int     `help:"Days of each run; the seed decides unless given."`
	Until    uint64  `help:"With --seed: stop after this step."`
	Verbose  bool    `short:"v" help:"With --seed: tell everything that happens."`
	Without  string  `help:"Kinds of faults to leave out, by name and comma." placeholder:"NAMES"`
	Minimise bool    `help:"With --seed: leave out what the violation does not need."`
	Failures int     `help:"Begin no new run after so many violations." default:"10"`
	Workers  int     `help:"Runs at once; one for each core unless given."`
	JSON     bool    `name:"json" help:"Print the result as one JSON object."`
	Marks    bool    `help:"Fail when a state that 2000 seeds or more must reach was not reached." negatable:"" default:"true"`
}

var errViolated = errors.New("an invariant does not hold")

func (o fleetOptions) run(ctx context.Context) error {
	debug.SetGCPercent(fewerCollections)
	debug.SetMemoryLimit(enoughMemory)
	without, err := fleet.ParseFaults(o.Without)
	if err != nil {
		return err
	}
	one := fleet.Options{Stores: o.Stores, Days: o.Days, Busy: o.Busy, Until: o.Until, Without: without}
	if o.Seed == nil {
		if o.Until > 0 || o.Verbose || o.Minimise {
			return errors.New("--until, --verbose and --minimise are about one run: name it with --seed")
		}
		return o.swarm(ctx, one)
	}
	one.Seed = *o.Seed
	if o.Minimise {
		return o.minimise(ctx, one)
	}
	return o.replay(ctx, one)
}

// replay runs one seed.
func (o fleetOptions) replay(ctx context.Context, one fleet.Options) error {
	if o.Verbose {
		one.Log = os.Stdout
	}
	result, err := fleet.Run(ctx, one)
	if err != nil {
		return err
	}
	if o.JSON {
		err = json.NewEncoder(os.Stdout).Encode(result)
	} else {
		fmt.Println(result)
	}
	if err == nil && result.Violation != nil {
		err = errViolated
	}
	return err
}

func (o fleetOptions) minimise(ctx context.Context, one fleet.Options) error {
	bar := process.NewProgress(os.Stderr, "minimise", 0)
	least, err := fleet.Minimise(ctx, one, func() { bar.Add(1) })
	bar.Close()
	if err != nil {
		return err
	}
	if o.Verbose {
		one.Without, one.Keep, one.Log = least.Without, least.Keep, os.Stdout
		if _, err := fleet.Run(ctx, one); err != nil {
			return err
		}
	}
	fmt.Println(least)
	return errViolated
}

func (o fleetOptions) swarm(ctx context.Context, one fleet.Options) error {
	from, to, err := o.span()
	if err != nil {
		return err
	}
	bar := process.NewProgress(os.Stderr, "fleet", int64(to-from+1))
	report, err := fleet.Swarm(ctx, fleet.SwarmOptions{Run: one, From: from, To: to, Workers: o.Workers,
		Failures: o.Failures, Done: func(n int) { bar.Add(int64(n)) }})
	bar.Close()
	stopped := ctx.Err() != nil
	if err != nil && !stopped {
		return err
	}
	if o.JSON {
		err = json.NewEncoder(os.Stdout).Encode(report)
	} else {
		err = nil
		o.tell(report)
	}
	switch {
	case err != nil:
		return err
	case len(report.Failed) > 0:
		return errViolated
	case stopped:
		return fmt.Errorf("stopped after %d of %d seeds", report.Seeds, to-from+1)
	case o.Marks && report.Seeds >= enoughSeeds && len(report.Unreached) > 0:
		return fmt.Errorf("%d states were never reached", len(report.Unreached))
	}
	return nil
}

// span reads "1..2000", or one number.
func (o fleetOptions) span() (from, to uint64, err error) {
	first, last, ranged := strings.Cut(o.Seeds, "..")
	if !ranged {
		last = first
	}
	if from, err = strconv.ParseUint(first, 10, 64); err == nil {
		to, err = strconv.ParseUint(last, 10, 64)
	}
	if err != nil || to < from {
		return 0, 0, fmt.Errorf("seeds %q: want a number, or two of them such as 1..2000", o.Seeds)
	}
	return from, to, nil
}

// tell prints a report for people.
func (o fleetOptions) tell(r *fleet.Report) {
	for _, m := range r.Names() {
		fmt.Printf("%9d  %s\n", r.Marks[m], m)
	}
	o.tellSpeed(r)
	if n := len(r.Unreached); n > 0 && r.Seeds < enoughSeeds {
		fmt.Printf("%d states were not reached; only %d seeds or more must reach all\n", n, enoughSeeds)
	} else {
		for _, m := range r.Unreached {
			fmt.Printf("NOT REACHED  %s\n", m)
		}
	}
	for _, f := range r.Failed {
		fmt.Printf("%s\n  holdfast-sim fleet%s\n", f, o.again(f))
	}
}

// tellSpeed counts what happens: an event is a frame that arrives, a deadline,
// or a step of a person; records and commands are what events lead to. A core's
// second is one of CPU time, whatever else the machine does.
func (o fleetOptions) tellSpeed(r *fleet.Report) {
	seconds, cpu, days := r.Took.Seconds(), r.CPU.Seconds(), float64(max(1, r.StoreDays))
	facts := float64(r.Records + r.Commands)
	fmt.Printf("%d seeds, %d store-days in %s: %.1f seeds/s, %.0f events/s, %.0f records and commands/s\n",
		r.Seeds, r.StoreDays, r.Took.Round(time.Millisecond), float64(r.Seeds)/seconds,
		float64(r.Events)/seconds, facts/seconds)
	fmt.Printf("a second of one core: %.1f store-days, %.0f events, %.0f records and commands; "+
		"a store-day has %.0f events, %d at least, which make %.0f records and commands; a seed takes %.1f ms\n",
		days/cpu, float64(r.Events)/cpu, facts/cpu, float64(r.Events)/days, r.Fewest, facts/days,
		1000*cpu/float64(max(1, r.Seeds)))
}

// again is how a failed run is seen.
func (o fleetOptions) again(f fleet.Result) string {
	args := fmt.Sprintf(" --seed %d --until %d -v", f.Seed, f.Violation.Step)
	if o.Stores > 0 {
		args += fmt.Sprintf(" --stores %d", o.Stores)
	}
	if o.Days > 0 {
		args += fmt.Sprintf(" --days %d", o.Days)
	}
	if o.Busy > 0 {
		args += fmt.Sprintf(" --busy %d", o.Busy)
	}
	if o.Without != "" {
		args += " --without " + o.Without
	}
	return args
}
