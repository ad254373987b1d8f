package chaos

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"holdfast.dev/firmware-sim/chaos/history"
)

const (
	// insistFor is how long a client asks again for what it got no answer to.
	insistFor = 25 * time.Second
	// busyPause is how long it waits after an answer that says to come back.
	busyPause = 100 * time.Millisecond
	// accepting one in so many answers that nothing was done, without asking
	// again, lets the check prove that nothing was.
	acceptBusy = 4
	maxKnown   = 400 // reservations that readers look at
)

// fact is something that a store was told to record.
type fact struct {
	Store   uint32          `json:"store"`
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Outcome history.Outcome `json:"outcome"`
	Tries   int             `json:"tries"`
}

// promise is a reservation that a client was told of.
type promise struct {
	ID    string         `json:"id"`
	Store uint32         `json:"store"`
	Units map[string]int `json:"units"` // by GTIN
	Told  time.Duration  `json:"told"`  // when a client heard of it first
}

// shelf is two products of the silent store, and all that was asked of them.
type shelf struct {
	store    uint32
	name     string
	products [2]product
	free     history.Units // at first
	ops      []history.PoolOp
}

// records are what clients asked and heard.
type records struct {
	start time.Time

	mu       sync.Mutex
	lives    map[string][]history.LifeOp // guarded by mu, by reservation
	facts    []fact                      // guarded by mu
	promises map[string]promise          // guarded by mu
	answers  map[string]string           // guarded by mu: reservation by request
	known    []string                    // guarded by mu: the newest reservations
	counts   map[string]map[string]int   // guarded by mu: outcomes by kind
	wrong    []string                    // guarded by mu: what cannot be
}

func newRecords() *records {
	return &records{start: time.Now(), lives: make(map[string][]history.LifeOp),
		promises: make(map[string]promise), answers: make(map[string]string),
		counts: make(map[string]map[string]int)}
}

func (r *records) now() time.Duration { return time.Since(r.start) }

// count needs mu.
func (r *records) count(kind string, o history.Outcome) {
	if r.counts[kind] == nil {
		r.counts[kind] = make(map[string]int)
	}
	word := "refused"
	if o == history.OK || o == history.Unknown {
		word = string(o)
	}
	r.counts[kind][word]++
}

func (r *records) pool(s *shelf, op history.PoolOp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.ops = append(s.ops, op)
	r.count(string(op.Verb), op.Outcome)
}

func (r *records) life(id string, op history.LifeOp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lives[id] = append(r.lives[id], op)
	if op.Verb != history.Promise {
		r.count(string(op.Verb), op.Outcome)
	}
}

func (r *records) fact(f fact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts = append(r.facts, f)
	r.count(f.Kind, f.Outcome)
}

// promised notes which reservation a request led to; it is the same each time.
func (r *records) promised(request string, p promise) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.answers[request]; ok && before != p.ID {
		r.wrong = append(r.wrong, "request "+request+" led to "+before+" and to "+p.ID)
	}
	r.answers[request] = p.ID
	if _, ok := r.promises[p.ID]; ok {
		return
	}
	r.promises[p.ID] = p
	r.known = append(r.known, p.ID)
	if len(r.known) > maxKnown {
		r.known = slices.Delete(r.known, 0, maxKnown/2)
	}
}

// anyKnown is one of the newest reservations, or nothing.
func (r *records) anyKnown(by *rand.Rand) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) == 0 {
		return "", false
	}
	return r.known[by.IntN(len(r.known))], true
}

func (r *records) outcomes() map[string]map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]map[string]int)
	for kind, n := range r.counts {
		out[kind] = maps.Clone(n)
	}
	return out
}

// ask is one try of a request.
type ask func(ctx context.Context) error

// insisted is how a request went that was made until it was answered.
type insisted struct {
	outcome    history.Outcome
	nothing    bool          // it was turned away, and not one try can have had an effect
	unsure     bool          // some try before the last one got no answer
	first      time.Duration // when the first try began
	last       time.Duration // when the last try began
	end        time.Duration
	tries      int
	refusal    error
	lastMember int
}

// untouched are the answers that say that nothing was done.
func untouched(code string) bool {
	switch code {
	case "BUSY", "OFFLINE", "RATE_LIMITED", "NO_ROOM":
		return true
	}
	return false
}

// insist makes a request with one id until it is answered, as a good client
// does: at any member, with pauses.
func (r *records) insist(ctx context.Context, by *rand.Rand, members int,
	try func(ctx context.Context, member int) error) insisted {
	out := insisted{first: r.now(), outcome: history.Unknown}
	until := time.Now().Add(insistFor)
	for {
		out.last, out.lastMember = r.now(), by.IntN(members)
		out.tries++
		err := try(ctx, out.lastMember)
		out.end = r.now()
		code := codeOf(err)
		switch {
		case err == nil:
			out.outcome = history.OK
			return out
		case untouched(code) && by.IntN(acceptBusy) == 0 && !out.unsure:
			out.nothing, out.outcome = true, history.Outcome(code)
			return out
		case code != "" && !untouched(code):
			out.outcome, out.refusal = history.Outcome(code), err
			return out
		case errors.Is(err, errUnknown):
			out.unsure = true
		}
		if ctx.Err() != nil || time.Now().After(until) {
			out.nothing = !out.unsure
			return out
		}
		select {
		case <-time.After(busyPause/2 + time.Duration(by.Int64N(int64(busyPause)))):
		case <-ctx.Done():
		}
	}
}

// poolOps are what the tries of one request say to a shelf: one operation that
// had its effect, or a refusal and perhaps tries before it that may have theirs.
func (i insisted) poolOps(client int, op history.PoolOp) []history.PoolOp {
	op.Span = history.Span{Client: client, Member: i.lastMember, Start: i.first, End: i.end}
	op.Outcome = i.outcome
	switch {
	case i.nothing:
		return nil
	case i.outcome == history.OK, i.outcome == history.Unknown:
		return []history.PoolOp{op}
	}
	told := op
	told.Start = i.last
	if !i.unsure {
		return []history.PoolOp{told}
	}
	op.Outcome = history.Unknown
	return []history.PoolOp{op, told}
}
