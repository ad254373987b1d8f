package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Scenario is a way to break things.
type Scenario struct {
	Name    string
	Says    string
	Members int // at least
	Root    bool
	Length  time.Duration
	Plan    func(r *rand.Rand, o Options) []Event
}

// Scenarios lists all scenarios.
func Scenarios() []Scenario { return slices.Clone(scenarios) }

// Named finds a scenario.
func Named(name string) (Scenario, error) {
	i := slices.IndexFunc(scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, fmt.Errorf("there is no scenario %q", name)
	}
	return scenarios[i], nil
}

var scenarios = []Scenario{
	{Name: "calm", Says: "nothing breaks", Members: 1, Length: 5 * time.Second,
		Plan: func(*rand.Rand, Options) []Event { return nil }},
	{Name: "kills", Says: "kill -9 of the cloud, of a node, and of everything", Members: 1,
		Length: 25 * time.Second, Plan: inTurn(
			some("kill", "leader", 0, 900), some("kill", "node1", 0, 900), some("kill", "everything", 0, 600))},
	{Name: "line", Says: "a store's line is cut, half open, one way only, slow, or flaps", Members: 1,
		Length: 25 * time.Second, Plan: inTurn(
			some("cut", "node1-cloud", 300, 2500), some("flap", "node1-cloud", 1000, 3000),
			some("hole", "node1-cloud", 500, 4000), some("mute", "node1-cloud", 500, 3000),
			some("deaf", "node1-cloud", 500, 3000), some("ghost", "node1-cloud", 200, 2000),
			some("slow", "node1-cloud", 500, 3000))},
	{Name: "clients", Says: "the clients' line is cut, half open, one way only, slow, or flaps", Members: 1,
		Length: 25 * time.Second, Plan: inTurn(
			some("cut", "clients-cloud", 200, 1500), some("flap", "clients-cloud", 1000, 2500),
			some("hole", "clients-cloud", 300, 3500), some("deaf", "clients-cloud", 300, 3500),
			some("slow", "clients-cloud", 500, 2000))},
	{Name: "pauses", Says: "SIGSTOP of the cloud and of a node", Members: 1, Length: 20 * time.Second,
		Plan: inTurn(some("freeze", "leader", 300, 3500), some("freeze", "node1", 300, 3500))},
}

// kind is a fault whose length is drawn by chance.
type kind struct {
	fault, who  string
	least, most time.Duration
}

func some(fault, who string, leastMS, mostMS int64) kind {
	return kind{fault, who, time.Duration(leastMS) * time.Millisecond, time.Duration(mostMS) * time.Millisecond}
}

const (
	warmUp   = 1500 * time.Millisecond // before the first fault
	coolDown = time.Second             // after the last one
	respite  = 1800 * time.Millisecond // between two, at most
)

// inTurn breaks one thing after the other: each kind once, in a random order,
// and again, until the time is over.
func inTurn(kinds ...kind) func(*rand.Rand, Options) []Event {
	return func(r *rand.Rand, o Options) (events []Event) {
		kinds, at := slices.Clone(kinds), warmUp
		for n := 0; ; n++ {
			if n%len(kinds) == 0 {
				r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
			}
			k := kinds[n%len(kinds)]
			length := k.least + time.Duration(r.Int64N(int64(k.most-k.least)+1))
			if at+length+coolDown > o.Length {
				return events
			}
			events = append(events, Event{At: at, For: length, Fault: k.fault, Who: k.who})
			at += length + respite/3 + time.Duration(r.Int64N(int64(respite)))
		}
	}
}

// goals are how soon after a fault writes must be accepted again.
var goals = map[string]time.Duration{"kill leader": 3 * time.Second, "hang leader": 6 * time.Second}

// gaps measures how long writes were not accepted after each fault.
func (p *probes) gaps(events []Event) (all []Gap) {
	for _, e := range events {
		name := e.Fault + " " + e.Who
		if took, ok := p.after(e.Began); ok {
			all = append(all, Gap{Fault: name, Took: took, Within: goals[name]})
		}
	}
	return all
}
