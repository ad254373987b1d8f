package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/firmware-sim/chaos"
)

type chaosOptions struct {
	Scenario []string      `help:"Scenarios to run; all that fit the number of members unless given." placeholder:"NAME"`
	Members  int           `help:"Members of the cloud." default:"1"`
	Stores   int           `help:"Stores; the first one is cut off while its pools are counted." default:"2"`
	Netns    bool          `help:"Give each program a network namespace, and lose real packets between them. Needs root."`
	Seed     uint64        `help:"Seed of the schedules." default:"1"`
	Length   time.Duration `help:"How long each scenario lasts; as it says itself unless given."`
	Cuts     int           `help:"Power cuts of all members at once, and some of disks that lie, which must lose something."`
	JSON     bool          `name:"json" help:"Print the results as one JSON object."`
	List     bool          `help:"Only list the scenarios."`
	Bin      string        `help:"Folder of holdfast-cloud and holdfast-node; beside this program unless given."`
	Data     string        `help:"Folder for what a run keeps; a new one unless given."`
}

var errChaos = errors.New("something does not hold")

func (o chaosOptions) run(ctx context.Context) (err error) {
	if o.List {
		for _, s := range chaos.Scenarios() {
			fmt.Printf("%-10s %d members or more, %-4s %s\n", s.Name, s.Members, s.Length, s.Says)
		}
		return nil
	}
	if o.Bin == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.Bin = filepath.Dir(self)
	}
	if o.Data == "" {
		if o.Data, err = os.MkdirTemp("", "holdfast-chaos-"); err != nil {
			return err
		}
		defer os.Remove(o.Data) // stays when something in it is kept
	}
	report, err := chaos.RunAll(ctx, chaos.Options{Bin: o.Bin, Data: o.Data, Members: o.Members,
		Stores: o.Stores, Netns: o.Netns, Seed: o.Seed, Length: o.Length, Cuts: o.Cuts,
		Progress: os.Stderr}, o.Scenario...)
	if o.JSON {
		err = errors.Join(err, json.NewEncoder(os.Stdout).Encode(report))
	} else {
		fmt.Print(report)
	}
	if err == nil && !report.OK {
		err = errChaos
	}
	return err
}
