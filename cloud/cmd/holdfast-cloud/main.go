// Command holdfast-cloud runs the cloud of a retailer, and tells it things.
package main

import (
	"context"
	"fmt"
	"os"

	"holdfast.dev/cloud"
	"holdfast.dev/internal/process"
)

type commands struct {
	Run    cloud.Options       `cmd:"" help:"Run the cloud."`
	Import cloud.ImportOptions `cmd:"" help:"Add and change products from a CSV file."`
	Store  struct {
		Put cloud.StoreOptions `cmd:"" help:"Create or change a store."`
	} `cmd:"" help:"Stores."`
	Join cloud.JoinOptions `cmd:"" help:"Make a one-time join string for a store's node."`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "holdfast-cloud:", process.Explain(err))
		os.Exit(1)
	}
}

func run() error {
	var c commands
	loaded, err := process.Load("holdfast-cloud", os.Args[1:], &c)
	if err != nil {
		return err
	}
	ctx, stop := process.Signals(context.Background())
	defer stop()
	switch loaded.Command {
	case "import":
		return cloud.Import(ctx, c.Import, os.Stdout, os.Stderr)
	case "store put":
		return say(cloud.PutStore(ctx, c.Store.Put))
	case "join":
		return say(cloud.Join(ctx, c.Join))
	}
	log := c.Run.Log.Logger(os.Stderr)
	log.Info("configuration", loaded.LogAttrs()...)
	return cloud.Run(ctx, c.Run, log)
}

func say(sentence string, err error) error {
	if err == nil {
		fmt.Println(sentence)
	}
	return err
}
