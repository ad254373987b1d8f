package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast.dev/firmware-sim/drills"
)

type drillsOptions struct {
	Only    []string `help:"Hold only the drills with these names." placeholder:"NAME,…"`
	Workers int      `help:"Drills at once." default:"2"`
	Bin     string   `help:"Folder of holdfast-cloud and holdfast-node; the one of this program unless given." placeholder:"DIR"`
	Data    string   `help:"Folder that everything is kept in; a temporary one unless given." placeholder:"DIR"`
	JSON    bool     `name:"json" help:"Print the result as one JSON object."`
}

var errDrill = errors.New("a drill did not hold")

// run holds the drills. What they kept stays when one fails, for whoever looks
// why.
func (o drillsOptions) run(ctx context.Context) (err error) {
	if o.Bin == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program's folder: %w", err)
		}
		o.Bin = filepath.Dir(self)
	}
	if o.Data == "" {
		if o.Data, err = os.MkdirTemp("", "holdfast-drills-"); err != nil {
			return fmt.Errorf("make a folder for the drills: %w", err)
		}
		defer func() {
			if !errors.Is(err, errDrill) {
				err = errors.Join(err, os.RemoveAll(o.Data))
			}
		}()
	}
	report, err := drills.Run(ctx, drills.Options{Bin: o.Bin, Data: o.Data, Only: o.Only,
		Workers: o.Workers, Progress: os.Stderr})
	if err != nil {
		return err
	}
	if o.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
			return err
		}
	}
	if !report.OK {
		return fmt.Errorf("%w; logs and data are in %s", errDrill, o.Data)
	}
	return nil
}
