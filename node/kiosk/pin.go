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
	if err := p.refuse(name); err != nil {
		return shopfloor.Decider{}, err
	}
	right, err := process.CheckPIN(p.staff[i].PINHash, pin)
	if err != nil {
		return shopfloor.Decider{}, err
	}
	if !right {
		return shopfloor.Decider{}, stock.Refuse(stock.WrongPIN, "wrong PIN for %q", name).
			With("left", strconv.Itoa(p.miss(name)))
	}
	delete(p.wrong, name)
	return shopfloor.Decider{Name: name, Manager: p.staff[i].Role == roleManager}, nil
}

// recent are the wrong tries of a name that still count. It needs mu.
func (p *pins) recent(name string) []time.Time {
	now := p.now()
	return slices.DeleteFunc(p.wrong[name], func(t time.Time) bool { return now.Sub(t) >= wrongWithin })
}

// refuse refuses a name that was tried too often. It needs mu.
func (p *pins) refuse(name string) error {
	tried := p.recent(name)
	if len(tried) < wrongPINs {
		return nil
	}
	until := tried[len(tried)-wrongPINs].Add(wrongWithin)
	return stock.Refuse(stock.Locked, "%d wrong PINs for %q", len(tried), name).
		With("until", until.UTC().Format(time.RFC3339))
}

// miss counts a wrong try, and tells how many are left. It needs mu.
func (p *pins) miss(name string) (left int) {
	p.wrong[name] = append(p.recent(name), p.now())
	return wrongPINs - len(p.wrong[name])
}

// locked refuses what was tried too often.
func (p *pins) locked(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refuse(what)
}

// missed counts a wrong try, and tells how many are left. What is long past is
// forgotten, so that not every order is kept for ever.
func (p *pins) missed(what string) (left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other := range p.wrong {
		if p.wrong[other] = p.recent(other); len(p.wrong[other]) == 0 {
			delete(p.wrong, other)
		}
	}
	return p.miss(what)
}
