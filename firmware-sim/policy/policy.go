// Package policy measures what the ways to share a store's stock with its
// shoppers cost while the line is cut, each on the same customers and shoppers.
package policy

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"holdfast.dev/internal/process"
)

// Options say how much to play and how to tell it.
type Options struct {
	Seeds int    `help:"How many stores to play for each workload." default:"20"`
	JSON  bool   `help:"Print one JSON object instead of a table."`
	Quick bool   `help:"Play three small stores for each workload."`
	Plot  string `help:"Write a plot in SVG as well." placeholder:"FILE"`

	Out      io.Writer `kong:"-"`
	Progress io.Writer `kong:"-"` // nil: silent
}

const (
	maxSeeds      = 1000
	quickSeeds    = 3
	fullProducts  = 2000
	quickProducts = 400
)

// cutLengths are how long the line is cut, in order.
var cutLengths = []int64{10 * minute, 2 * hour, 8 * hour, 3 * day}

// game is everything that is played once.
type game struct {
	seeds, products int
	played          [][]outcome // by workload and seed
}

// outcome is what became of one store, whatever the policy.
type outcome struct {
	moves   []int64   // of each split, in the days that are measured
	sold    int64     // in those days
	tallies [][]tally // by length of the cut and policy; then the two references
}

// Run plays and prints. A goal that is missed is no error.
func Run(ctx context.Context, o Options) error {
	g := game{seeds: o.Seeds, products: fullProducts}
	if o.Quick {
		g.seeds, g.products = quickSeeds, quickProducts
	}
	if g.seeds < 2 || g.seeds > maxSeeds {
		return fmt.Errorf("--seeds is %d, not from 2 to %d", g.seeds, maxSeeds)
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if err := g.play(ctx, o.Progress); err != nil {
		return err
	}
	report := g.report()
	if o.Plot != "" {
		if err := os.WriteFile(filepath.Clean(o.Plot), plot(report), 0o644); err != nil {
			return fmt.Errorf("write the plot: %w", err)
		}
	}
	if o.JSON {
		return report.printJSON(o.Out)
	}
	return report.print(o.Out)
}

// play goes through all stores, as many at a time as there are processors.
func (g *game) play(ctx context.Context, told io.Writer) error {
	bar := process.NewProgress(told, "stores played", int64(len(workloads)*g.seeds))
	defer bar.Close()
	g.played = make([][]outcome, len(workloads))
	type job struct{ workload, seed int }
	jobs := make(chan job)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range jobs {
				g.played[j.workload][j.seed] = g.store(j.workload, j.seed)
				bar.Add(1)
			}
		})
	}
	for w := range workloads {
		g.played[w] = make([]outcome, g.seeds)
		for s := 0; s < g.seeds && ctx.Err() == nil; s++ {
			jobs <- job{w, s}
		}
	}
	close(jobs)
	workers.Wait()
	return ctx.Err()
}

// store plays one store: its learning, and every cut under every policy.
func (g *game) store(w, seed int) outcome {
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	p := newPast(makeWorld(workloads[w], g.products, r), workloads[w].lean)
	p.learn()
	o := outcome{sold: p.sold}
	for _, s := range p.splits {
		o.moves = append(o.moves, s.moves)
	}
	for _, length := range cutLengths {
		var tallies []tally
		for _, r := range rules {
			tallies = append(tallies, p.play(r, length))
		}
		o.tallies = append(o.tallies, append(tallies, p.informed(length), p.oracle(length)))
	}
	return o
}
