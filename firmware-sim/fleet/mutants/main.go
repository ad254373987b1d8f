// Command mutants shows that the simulator finds mistakes: it builds it with
// each of the patches beside this file, a line or two wrong in each, and counts
// the seeds until an invariant is violated.
//
//	go run ./firmware-sim/fleet/mutants [--seeds 20000] [--only NAME] [--write]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"holdfast.dev/firmware-sim/fleet"
)

const (
	folder       = "firmware-sim/fleet/mutants"
	page         = "firmware-sim/fleet/MUTANTS.md"
	gcPercent    = 1600 // a world is small, and makes much garbage
	enoughMemory = 640 << 20
	outputOfFail = 2000
)

// needed are the folders that the simulator is built from.
var needed = []string{"stock", "proto", "internal", "node/shopfloor", "node/uplink",
	"cloud/headoffice", "cloud/uplink", "firmware-sim/fleet"}

func main() {
	seeds := flag.Uint64("seeds", 20_000, "seeds that a mutant is tried with")
	only := flag.String("only", "", "the mutants whose names contain this")
	write := flag.Bool("write", false, "write the result to "+page)
	hunt := flag.Bool("hunt", false, "run seeds until one fails, as the mutant that this is")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *hunt {
		err = huntSeeds(ctx, *seeds)
	} else {
		err = killAll(ctx, *only, *seeds, *write)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// found is what a hunt prints.
type found struct {
	Seeds     uint64 // until the first failure, it included; 0: none failed
	Invariant string
	What      string
}

// huntSeeds runs seeds until one fails.
func huntSeeds(ctx context.Context, seeds uint64) error {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(enoughMemory)
	report, err := fleet.Swarm(ctx, fleet.SwarmOptions{From: 1, To: seeds, Failures: 1})
	if err != nil {
		return err
	}
	var f found
	if len(report.Failed) > 0 {
		first := report.Failed[0]
		f = found{Seeds: first.Seed, Invariant: first.Violation.Invariant, What: first.Violation.What}
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// killed is what became of a mutant.
type killed struct {
	name, about string
	found
}

// killAll builds and hunts every mutant. The program must be started in the
// root of the project.
func killAll(ctx context.Context, only string, seeds uint64, write bool) error {
	patches, err := filepath.Glob(filepath.Join(folder, "*"+only+"*.patch"))
	if err != nil || len(patches) == 0 {
		return errors.Join(err, fmt.Errorf("no mutants in %s; start in the root of the project", folder))
	}
	work, err := os.MkdirTemp("", "holdfast-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	survivors, all := 0, make([]killed, 0, len(patches))
	for _, patch := range patches {
		begun := time.Now()
		k := killed{name: strings.TrimSuffix(filepath.Base(patch), ".patch")}
		if k.about, err = aboutMutant(patch); err == nil {
			k.found, err = kill(ctx, work, patch, seeds)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		if k.Seeds == 0 {
			survivors++
		}
		all = append(all, k)
		fmt.Printf("%s (%s)\n", k.line(seeds), time.Since(begun).Round(time.Second))
	}
	if write {
		err = os.WriteFile(page, []byte(table(all, seeds)), 0o644)
	}
	if survivors > 0 {
		return errors.Join(err, fmt.Errorf("%d of %d mutants survived", survivors, len(patches)))
	}
	fmt.Printf("all %d mutants killed\n", len(patches))
	return err
}

// aboutMutant is the first line of a patch, which says what is wrong in it.
func aboutMutant(patch string) (string, error) {
	text, err := os.ReadFile(patch)
	about, _, _ := strings.Cut(string(text), "\n")
	return about, err
}

func (k killed) line(seeds uint64) string {
	if k.Seeds == 0 {
		return fmt.Sprintf("%-36s SURVIVED %d seeds", k.name, seeds)
	}
	what, _, _ := strings.Cut(k.What, "\n")
	return fmt.Sprintf("%-36s killed by seed %-5d %-10s %.100s", k.name, k.Seeds, k.Invariant, what)
}

// table is the page that shows which mutants were killed.
func table(all []killed, seeds uint64) string {
	var b strings.Builder
	b.WriteString("# Mutants\n\nEach is the product with one mistake that a careful developer could make. " +
		"`make mutants` builds\nevery one, runs seeds from 1 on until the simulator notices, and writes this " +
		"page.\n\n| mutant | what is wrong | seeds until noticed | invariant |\n|---|---|---:|---|\n")
	for _, k := range all {
		name, count, inv := strings.ReplaceAll(k.name, "-", " "), fmt.Sprint(k.Seeds), k.Invariant
		if k.Seeds == 0 {
			count, inv = fmt.Sprintf("over %d", seeds), "none: it survived"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, k.about, count, inv)
	}
	return b.String()
}

// kill builds one mutant in a copy of the tree, and hunts it.
func kill(ctx context.Context, work, patch string, seeds uint64) (f found, err error) {
	tree := filepath.Join(work, "tree")
	if err := os.RemoveAll(tree); err != nil {
		return f, err
	}
	for _, dir := range needed {
		if err := copyTree(tree, dir); err != nil {
			return f, err
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join(tree, file), file); err != nil {
			return f, err
		}
	}
	absolute, err := filepath.Abs(patch)
	if err != nil {
		return f, err
	}
	binary := filepath.Join(work, "mutant")
	if _, err := run(ctx, tree, "git", "apply", "-C1", absolute); err != nil {
		return f, err
	}
	if _, err := run(ctx, tree, "go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "./"+folder); err != nil {
		return f, err
	}
	out, err := run(ctx, tree, binary, "--hunt", fmt.Sprintf("--seeds=%d", seeds))
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(out, &f)
}

func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// A repository around the temporary directory is none of git's business.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	out, err := cmd.Output()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		return nil, fmt.Errorf("%s: %w: %.*s", name, err, outputOfFail, exit.Stderr)
	}
	return out, err
}

// copyTree copies the sources of a folder, without tests.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"testdata", "quorum", "postgres"}, d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return copyFile(filepath.Join(to, path), path)
	})
}

func copyFile(to, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
