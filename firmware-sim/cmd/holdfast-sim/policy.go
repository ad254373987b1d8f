package main

import (
	"context"
	"os"

	"holdfast.dev/firmware-sim/policy"
)

type policyOptions struct{ policy.Options }

// run plays the policies; the table goes to standard output.
func (o policyOptions) run(ctx context.Context) error {
	o.Out, o.Progress = os.Stdout, os.Stderr
	return policy.Run(ctx, o.Options)
}
