// Package drills loses disks, boxes and clouds of real programs and brings them
// back as an operator would: whatever people were told must still be so.
package drills

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast.dev/firmware-sim/journey"
	"holdfast.dev/firmware-sim/program"
	"holdfast.dev/internal/process"
)

// patience bounds one drill, so that a run ends also when a program hangs.
const patience = 120 * time.Second

// drill is one loss: what happens, and how all comes back. The detail says in
// numbers what was seen.
type drill struct {
	name     string
	products int // in the catalogue
	members  int // of the cloud; zero: 1
	do       func(*site, context.Context) (detail string, err error)
}

// few is a catalogue for drills in which its size says nothing.
const few = 5

// many is the size of store that must be back within a minute.
const many = 50_000

// table lists the drills.
var table = []drill{
	{"lost-disk", few, 1, (*site).lostDisk},
	{"old-disk", few, 1, (*site).restoredDisk},
	{"forked-disk", few, 1, (*site).forkedDisk},
	{"damaged-disk", few, 1, (*site).damagedDisk},
	{"new-box", few, 1, (*site).newBoxOldDisk},
	{"box-returns", few, 1, (*site).boxReturns},
	{"clone", few, 1, (*site).clone},
	{"twins", few, 1, (*site).twins},
	{"till-witness", few, 1, (*site).tillWitness},
	{"cloud-restored", few, 1, (*site).cloudRestored},
	{"cloud-frozen", few, 1, (*site).cloudFrozen},
	{"cluster-restored", few, 3, (*site).clusterRestored},
	{"majority-lost", few, 3, (*site).majorityLost},
	{"any-member", few, 3, (*site).anyMember},
	{"upgraded", few, 3, (*site).upgraded},
	{"abandoned", few, 1, (*site).abandoned},
	{"void", few, 1, (*site).void},
	{"large-store", many, 1, (*site).largeStore},
}

// Names lists the drills in their order.
func Names() []string {
	names := make([]string, len(table))
	for i, d := range table {
		names[i] = d.name
	}
	return names
}

// Options say which drills to hold, and with what.
type Options struct {
	Bin      string    // folder of holdfast-cloud and holdfast-node
	Data     string    // folder that everything is kept in
	Only     []string  // names; empty: all
	Workers  int       // drills at once
	Progress io.Writer // a line for every drill
}

// Run holds drills. Each has a cloud, boxes and ports of its own.
func Run(ctx context.Context, o Options) (journey.Report, error) {
	chosen, err := choose(o.Only)
	if err != nil {
		return journey.Report{}, err
	}
	report := journey.Report{OK: true, Steps: make([]journey.Step, len(chosen))}
	given := new(program.Ports)
	staff := process.HashPIN(bossPIN)
	var line sync.Mutex
	group := new(errgroup.Group)
	group.SetLimit(max(1, o.Workers))
	for i, d := range chosen {
		group.Go(func() error {
			s := &site{bin: o.Bin, dir: filepath.Join(o.Data, d.name), ports: given, staff: staff,
				products: d.products, several: d.members}
			done := s.hold(ctx, d)
			line.Lock()
			defer line.Unlock()
			report.Steps[i] = done
			report.OK = report.OK && done.OK
			mark := "ok  "
			if !done.OK {
				mark = "FAIL"
			}
			fmt.Fprintf(o.Progress, "%s %-16s %6d ms  %s\n", mark, done.Name, done.MS, done.Detail)
			return nil
		})
	}
	return report, group.Wait()
}

// choose finds drills by their names.
func choose(names []string) ([]drill, error) {
	if len(names) == 0 {
		return table, nil
	}
	var chosen []drill
	for _, name := range names {
		i := slices.IndexFunc(table, func(d drill) bool { return d.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no drill is called %q; there are %s", name, strings.Join(Names(), ", "))
		}
		chosen = append(chosen, table[i])
	}
	return chosen, nil
}

// hold holds one drill.
func (s *site) hold(ctx context.Context, d drill) journey.Step {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	detail, err := s.run(ctx, d)
	if err != nil {
		detail = err.Error()
	}
	took := time.Since(began).Milliseconds()
	return journey.Step{Name: d.name, OK: err == nil, MS: took, Detail: detail}
}

func (s *site) run(ctx context.Context, d drill) (detail string, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", fmt.Errorf("make the drill's folder: %w", err)
	}
	if err := s.furnish(); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(ctx); err != nil {
		return "", err
	}
	return d.do(s, ctx)
}
