package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Scenario is a way to break things.
type Scenario struct {
	Name    string
	Says    string
	Members int  // at least
	Short   bool // a bit of everything, not run with all others
	Length  time.Duration
	Plan    func(r *rand.Rand, o Options) []Event
	disk    string // kind of the disk that onDisk programs get
	onDisk  []string
	between bool   // nothing is broken before all members are back
	whole   script // all that happens, if it is more than a schedule
	keepLog int    // entries that members keep for others; zero: as they like
	seen    string // in the logs of programs: else the scenario has not tested what it is for
}

// script is a scenario that is more than a schedule; it checks by itself.
type script func(ctx context.Context, w *world, r *Result, length time.Duration, say teller) error

// disks names the disks of programs that have their own.
func (s Scenario) disks(o Options) map[string]string {
	all := make(map[string]string)
	for _, name := range s.onDisk {
		if name != "members" {
			all[name] = s.disk
			continue
		}
		for i := range o.Members {
			all[fmt.Sprintf("cloud-%d", i)] = s.disk
		}
	}
	return all
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
	{Name: "calm", Says: "nothing breaks", Members: 1, Length: 5 * time.Second, Plan: inTurn()},
	{Name: "kills", Says: "kill -9 of the leader, of a node, and of everything at once", Members: 1,
		Length: 25 * time.Second, Plan: inTurn(some("kill", "leader", 0, 900),
			some("kill", "node1", 0, 900), some("kill", "members", 0, 900),
			some("kill", "everything", 0, 600))},
	{Name: "line", Says: "a store's line is cut, half open, one way only, slow, or flaps", Members: 1,
		Length: 40 * time.Second, Plan: inTurn(some("cut", "node1-cloud", 300, 2500),
			some("flap", "node1-cloud", 1000, 3000), some("hole", "node1-cloud", 500, 4000),
			some("mute", "node1-cloud", 500, 3000), some("deaf", "node1-cloud", 500, 3000),
			some("ghost", "node1-cloud", 200, 2000), some("slow", "node1-cloud", 500, 3000))},
	{Name: "clients", Says: "the clients' lines are cut, half open, one way only, slow, or flap",
		Members: 1, Length: 30 * time.Second, Plan: inTurn(some("cut", "clients-cloud", 200, 1500),
			some("flap", "clients-cloud", 1000, 2500), some("hole", "clients-member0", 300, 3500),
			some("deaf", "clients-cloud", 300, 3500), some("slow", "clients-cloud", 500, 2000))},
	{Name: "pauses", Says: "SIGSTOP of the leader and of a node", Members: 1, Length: 30 * time.Second,
		Plan: inTurn(some("freeze", "leader", 300, 5000), some("freeze", "node1", 300, 5000))},
	{Name: "full", Says: "the disk of a node, or of the leader, is full for a while", Members: 1,
		Length: 40 * time.Second, disk: onMemory, onDisk: []string{"node-1", "members"},
		seen: "no space left on device",
		Plan: inTurn(some("full", "node1", 500, 4000), some("full", "leader", 500, 4000))},
	{Name: "power", Says: "power cuts: the leader's disk, a follower's, all disks at once", Members: 1,
		Length: 40 * time.Second, disk: onExt4, onDisk: []string{"members"},
		Plan: inTurn(some("power", "leader", 0, 400), some("power", "members", 0, 400))},
	{Name: "hung", Says: "the leader's disk does not answer", Members: 1, Length: 50 * time.Second,
		disk: onExt4, onDisk: []string{"members"}, between: true,
		Plan: inTurn(some("hang", "leader", 6000, 8000))},

	{Name: "leaders", Says: "the leader is killed, again and again", Members: 3,
		Length: 60 * time.Second, between: true, Plan: inTurn(some("kill", "leader", 500, 3500))},
	{Name: "splits", Says: "the leader, or a minority with it, is cut off, both ways or one; lines flap",
		Members: 3, Length: 75 * time.Second, Plan: inTurn(some("hole", "leader-rest", 500, 5000),
			some("mute", "leader-rest", 500, 5000), some("deaf", "leader-rest", 500, 5000),
			some("cut", "minority-rest", 500, 4000), some("flap", "leader-rest", 1000, 4000),
			some("hole", "leader-another", 500, 4000), some("mute", "follower-rest", 500, 4000),
			some("hole", "followers-rest", 500, 4000), some("ghost", "leader-another", 500, 3000))},
	{Name: "followers", Says: "followers are killed, frozen and slow", Members: 3,
		Length: 40 * time.Second,
		Plan: inTurn(some("kill", "follower", 500, 4000), some("freeze", "follower", 500, 5000),
			some("slow", "follower-rest", 1000, 5000), some("drag", "follower", 1000, 5000))},
	{Name: "filled", Says: "the disk of the leader, a follower, or all is full for a while",
		Members: 3, Length: 60 * time.Second, disk: onMemory, onDisk: []string{"members"}, between: true,
		seen: "no space left on device",
		Plan: inTurn(some("full", "leader", 500, 5000), some("full", "follower", 500, 5000),
			some("full", "members", 500, 3000))},
	{Name: "behind", Says: "a member was away so long that it is sent the database, under load",
		Members: 3, Length: 90 * time.Second, between: true, keepLog: 250, seen: "database received",
		Plan: inTurn(some("kill", "follower", 10000, 14000), some("freeze", "follower", 10000, 14000),
			some("hole", "follower-rest", 10000, 14000))},
	{Name: "removed", Says: "the leader, alive or killed before, and a follower are put out", Members: 3,
		Length: 130 * time.Second, between: true, Plan: removals},
	{Name: "rolling", Says: "every member is restarted in order, under load", Members: 3,
		Length: 40 * time.Second, Plan: rolling},
	{Name: "rejoin", Says: "a member loses its disk, is put out, and joins anew under load", Members: 3,
		Length: 60 * time.Second, Plan: rejoining},
	{Name: "yesterday", Says: "the cloud is lost and restored from a backup; the stores know more",
		Members: 1, Length: 15 * time.Second, Plan: inTurn(), whole: yesterday},
	{Name: "short", Says: "a bit of everything", Members: 1, Short: true, Length: 40 * time.Second,
		Plan: bitOfAll},
}

// kind is a fault whose length is drawn by chance.
type kind struct {
	fault, who  string
	least, most time.Duration
}

func some(fault, who string, leastMS, mostMS int64) kind {
	const ms = int64(time.Millisecond)
	return kind{fault, who, time.Duration(leastMS * ms), time.Duration(mostMS * ms)}
}

func (k kind) length(r *rand.Rand) time.Duration {
	return k.least + time.Duration(r.Int64N(int64(k.most-k.least)+1))
}

const (
	warmUp   = 1500 * time.Millisecond // before the first fault
	coolDown = time.Second             // after the last one
	respite  = 2500 * time.Millisecond // between two, at most
)

// inTurn breaks one thing after the other: each kind once, in a random order,
// and again, until the time is over.
func inTurn(kinds ...kind) func(*rand.Rand, Options) []Event {
	return func(r *rand.Rand, o Options) (events []Event) {
		kinds, at := slices.Clone(kinds), warmUp
		for n := 0; len(kinds) > 0; n++ {
			if n%len(kinds) == 0 {
				r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
			}
			k := kinds[n%len(kinds)]
			length := k.length(r)
			if at+length+coolDown > o.Length {
				return events
			}
			events = append(events, Event{At: at, For: length, Fault: k.fault, Who: k.who})
			at += length + respite/3 + time.Duration(r.Int64N(int64(respite)))
		}
		return nil
	}
}

// rejoining lets the others fail while a member is new.
func rejoining(r *rand.Rand, _ Options) []Event {
	lost := kind{least: time.Second, most: 3 * time.Second}
	return []Event{{At: 2 * time.Second, For: lost.length(r), Fault: "wipe", Who: "follower"},
		{At: 9 * time.Second, For: time.Second, Fault: "kill", Who: "leader"},
		{At: 16 * time.Second, For: time.Second, Fault: "kill", Who: "members"}}
}

// removals leaves each new member the time to get its vote.
func removals(r *rand.Rand, _ Options) (events []Event) {
	at := warmUp
	for _, k := range []kind{some("remove", "leader", 1000, 4000), some("replace", "leader", 1000, 4000),
		some("remove", "follower", 1000, 4000)} {
		events = append(events, Event{At: at, For: k.length(r), Fault: k.fault, Who: k.who})
		at += 40 * time.Second
	}
	return events
}

// rolling restarts one member after the other, twice.
func rolling(r *rand.Rand, o Options) (events []Event) {
	at := warmUp
	for n := 0; at+3*time.Second < o.Length; n++ {
		away := kind{most: time.Second}
		events = append(events, Event{At: at, For: away.length(r), Fault: "restart",
			Who: memberName(n % o.Members)})
		at += 2500*time.Millisecond + time.Duration(r.Int64N(int64(time.Second)))
	}
	return events
}

// bitOfAll is for every commit: what breaks most, in little time.
func bitOfAll(r *rand.Rand, o Options) []Event {
	kinds := []kind{some("kill", "leader", 100, 1500), some("kill", "node1", 100, 800),
		some("kill", "everything", 0, 300), some("flap", "node1-cloud", 500, 1500),
		some("hole", "node1-cloud", 500, 2000), some("freeze", "leader", 500, 2500)}
	if o.Members > 1 {
		kinds = append(kinds, some("hole", "leader-rest", 1000, 3000),
			some("mute", "leader-rest", 1000, 3000), some("deaf", "leader-rest", 1000, 2500),
			some("flap", "leader-another", 500, 2000),
			some("kill", "follower", 100, 1000))
	}
	return inTurn(kinds...)(r, o)
}

// goals are how soon after a fault writes must be accepted again, in a cloud of
// several members.
var goals = map[string]time.Duration{"kill leader": 3 * time.Second, "hang leader": 6 * time.Second}

// gaps measures how long writes were not accepted after each fault, until the
// next one.
func (p *probes) gaps(events []Event) (all []Gap) {
	for i, e := range events {
		until := p.end()
		if i+1 < len(events) {
			until = events[i+1].Began
		}
		name := e.Fault + " " + e.Who
		if until > e.Began {
			all = append(all, Gap{Fault: name, Took: p.silence(e.Began, until), Within: goals[name]})
		}
	}
	return all
}
