// Command holdfast-node runs one store.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"holdfast.dev/internal/process"
	"holdfast.dev/node"
)

type commands struct {
	Run     node.Options        `cmd:"" help:"Run the node of a store."`
	Enrol   node.EnrolOptions   `cmd:"" help:"Make this machine the node of a store."`
	Rebuild node.RebuildOptions `cmd:"" help:"Bring a store back whose node is lost."`
	Verify  node.VerifyOptions  `cmd:"" help:"Replay the journal and prove the books."`
	Doctor  node.DoctorOptions  `cmd:"" help:"Examine this node, its devices and its line to the cloud, and say what to do."`
	HashPin struct{}            `cmd:"" help:"Read a PIN and print the hash for the configuration."`
	Decode  decodeOptions       `cmd:"" help:"Tell what frames of a scanner say: hex, one a line."`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "holdfast-node:", process.Explain(err))
		os.Exit(1)
	}
}

func run() error {
	var c commands
	loaded, err := process.Load("holdfast-node", os.Args[1:], &c)
	if err != nil {
		return err
	}
	if loaded.Command == "decode" { // ended by a signal at once: it keeps nothing
		return decode(c.Decode, os.Stdin, os.Stdout)
	}
	ctx, stop := process.Signals(context.Background())
	defer stop()
	switch loaded.Command {
	case "enrol":
		return say(node.Enrol(ctx, c.Enrol))
	case "rebuild":
		return say(node.Rebuild(ctx, c.Rebuild, os.Stderr, c.Run.Log.Logger(os.Stderr)))
	case "doctor":
		return node.Doctor(ctx, c.Doctor, loaded.File, os.Stdout)
	case "verify":
		return say(node.Verify(ctx, c.Verify, os.Stderr))
	case "hash-pin":
		return say(hashPIN())
	}
	log := c.Run.Log.Logger(os.Stderr)
	log.Info("configuration", loaded.LogAttrs()...)
	return node.Run(ctx, c.Run, log)
}

func say(sentence string, err error) error {
	if err == nil {
		fmt.Println(sentence)
	}
	return err
}

func hashPIN() (string, error) {
	fmt.Fprint(os.Stderr, "PIN: ")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if pin := strings.TrimSpace(line); len(pin) >= 4 {
		return process.HashPIN(pin), nil
	}
	return "", fmt.Errorf("a PIN has at least four characters: %w", err)
}
