// Package journey is the acceptance test of the whole system: a story in named
// steps, told to real programs through their public interfaces and devices.
package journey

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"holdfast.dev/firmware-sim/demo"
)

// stepPatience bounds one step, so that a journey ends also when a program hangs.
const stepPatience = 45 * time.Second

// Step is what became of one step.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	MS     int64  `json:"ms"`
	Detail string `json:"detail"`
}

// Report is what became of a journey.
type Report struct {
	OK    bool   `json:"ok"`
	Steps []Step `json:"steps"`
}

// Options say where the journey goes.
type Options struct {
	Room     *demo.Room // furnished, nothing started; the caller closes it
	Progress io.Writer  // a line for every step
}

// step is one chapter: what must have held before, and what to do. The detail
// says in numbers what was seen.
type step struct {
	name  string
	needs []string
	do    func(*run, context.Context) (detail string, err error)
}

// steps are the chapters in their order.
var steps = []step{
	{"import", nil, (*run).importCatalogue},
	{"enrol", []string{"import"}, (*run).enrol},
	{"receive", []string{"enrol"}, (*run).receive},
	{"online", []string{"receive"}, (*run).online},
	{"sell", []string{"receive"}, (*run).sell},
	{"reserve", []string{"online"}, (*run).reserve},
	{"pick", []string{"reserve"}, (*run).pick},
	{"collect", []string{"pick"}, (*run).collect},
	{"cut", []string{"online"}, (*run).cut},
	{"unheard", []string{"cut"}, (*run).unheard},
	{"last-unit", []string{"cut"}, (*run).lastUnit},
	{"race", []string{"online"}, (*run).race},
	{"plug", []string{"cut"}, (*run).plug},
	{leaderStep, []string{"plug"}, (*run).leader},
	{"kill", []string{"receive"}, (*run).kill},
}

// leaderStep is taken when the cloud has several members.
const leaderStep = "leader"

// Run goes through all steps. A step that needs one that failed is not run.
func Run(ctx context.Context, o Options) Report {
	r := newRun(o.Room)
	report := Report{OK: true}
	for _, s := range steps {
		if s.name == leaderStep && !several(o.Room) {
			continue
		}
		done := Step{Name: s.name}
		if missing := s.missing(report.Steps); len(missing) > 0 {
			done.Detail = "not run: needs " + strings.Join(missing, ", ")
		} else {
			done = r.take(ctx, s)
		}
		report.Steps = append(report.Steps, done)
		report.OK = report.OK && done.OK
		mark := "ok  "
		if !done.OK {
			mark = "FAIL"
		}
		fmt.Fprintf(o.Progress, "%s %-10s %6d ms  %s\n", mark, done.Name, done.MS, done.Detail)
	}
	return report
}

// missing lists the steps that this one needs and that did not hold.
func (s step) missing(before []Step) (names []string) {
	for _, name := range s.needs {
		held := slices.ContainsFunc(before, func(b Step) bool { return b.Name == name && b.OK })
		if !held {
			names = append(names, name)
		}
	}
	return names
}

func (r *run) take(ctx context.Context, s step) Step {
	ctx, cancel := context.WithTimeout(ctx, stepPatience)
	defer cancel()
	began := time.Now()
	detail, err := s.do(r, ctx)
	done := Step{Name: s.name, OK: err == nil, MS: time.Since(began).Milliseconds(), Detail: detail}
	if err != nil {
		done.Detail = err.Error()
	}
	return done
}
