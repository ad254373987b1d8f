package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/journey"
)

// storesOfJourney is how many stores the story is about.
const storesOfJourney = 3

// once goes through the acceptance journey. Its data and ports are its own.
func (o demoOptions) once(ctx context.Context) (err error) {
	room, err := o.room()
	if err != nil {
		return err
	}
	room.FreePorts, room.Stores = true, storesOfJourney
	if room.Data == "" {
		if room.Data, err = os.MkdirTemp("", "holdfast-journey-"); err != nil {
			return fmt.Errorf("make a folder for the journey: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(room.Data)) }()
	}
	r, err := demo.New(room)
	if err != nil {
		return err
	}
	report := journey.Run(ctx, journey.Options{Room: r, Progress: os.Stderr})
	closed := r.Close()
	if o.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
			return err
		}
	}
	if !report.OK {
		return errors.Join(errors.New("the journey did not hold"), closed)
	}
	return closed
}
