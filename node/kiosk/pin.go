package kiosk

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"holdfast.dev/internal/process"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock"
)

const (
	wrongPINs   = 5                // wrong ones that lock a name
	wrongWithin = 10 * time.Minute // counted back from now, and how long the lock lasts
)

// roleManager is the role that may decide what the policy leaves to a manager.
const roleManager = "manager"

// pins checks who somebody is. A name that was tried too often is locked; the
// count starts over with the process, which staff cannot restart.
type pins struct {
	staff []Staff
	now   func() time.Time

	mu    sync.Mutex // one check at a time: each takes memory and a CPU
	wrong map[string][]time.Time
}

func newPINs(staff []Staff) *pins {
	return &pins{staff: staff, now: time.Now, wrong: make(map[string][]time.Time)}
}

// check returns who the name and PIN belong to, or a refusal.
func (p *pins) check(name, pin string) (shopfloor.Decider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.staff, func(s Staff) bool { return s.Name == name })
	if i < 0 {
		return shopfloor.Decider{}, stock.Refuse(stock.WrongPIN, "nobody is called %q", name)
	}
	now := p.now()
	tried := slices.DeleteFunc(p.wrong[name], func(t time.Time) bool { return now.Sub(t) >= wrongWithin })
	if len(tried) >= wrongPINs {
		until := tried[len(tried)-wrongPINs].Add(wrongWithin)
		return shopfloor.Decider{}, stock.Refuse(stock.Locked, "%d wrong PINs for %q", len(tried), name).
			With("until", until.UTC().Format(time.RFC3339))
	}
	right, err := process.CheckPIN(p.staff[i].PINHash, pin)
	if err != nil {
		return shopfloor.Decider{}, err
	}
	if !right {
		p.wrong[name] = append(tried, now)
		return shopfloor.Decider{}, stock.Refuse(stock.WrongPIN, "wrong PIN for %q", name).
			With("left", strconv.Itoa(wrongPINs-len(p.wrong[name])))
	}
	delete(p.wrong, name)
	return shopfloor.Decider{Name: name, Manager: p.staff[i].Role == roleManager}, nil
}
