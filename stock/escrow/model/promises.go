package model

// promised books what makes a promise known to the store, or takes it back.
func (b *books) promised(x record, l law) string {
	p := &b.promises[x.r]
	switch x.kind {
	case accept:
		if p.known && (l.rules.on(KnownTakesNothing) || p.final()) {
			p.heard = true
			return ""
		}
		return b.take(x, l)
	case collectByToken:
		if p.known {
			return "known reservation"
		}
		if no := b.take(x, l); no != "" {
			return no
		}
		p.heard = false
		b.hands |= 1 << x.uid
		if x.n == 0 {
			return ""
		}
		return p.along(stepsOf[collect], x.n, b)
	}
	return b.voided(x, l)
}

// take binds a promise's units: from online, and, where online does not cover
// them, from the store's own, as debt.
func (b *books) take(x record, l law) string {
	p, bare := &b.promises[x.r], x.k
	if b.drained && x.tau < b.timeline {
		return b.takeDrained(x)
	}
	if x.kind == accept {
		bare = x.q - min(x.q, max(0, b.online[x.tau]))
	}
	if bare > 0 && !l.rules.on(PromiseIsKept) {
		return "online does not cover the promise"
	}
	if bare < 0 || bare > x.q {
		return "more units uncovered than promised"
	}
	if b.online[x.tau] < x.q-bare {
		return "online does not cover the promise"
	}
	b.online[x.tau] -= x.q - bare
	b.assigned[x.tau] += x.q - bare
	b.at[sellable] -= bare
	p.learn(x)
	p.bare += bare
	p.at[reserved] += x.q
	return ""
}

func (p *promise) learn(x record) {
	p.known, p.heard, p.taken = true, true, true
	p.number, p.tau = x.number, x.tau
}

// takeDrained binds a promise whose rights were taken back: from the store's own
// units, if there are enough, else it runs short at once.
func (b *books) takeDrained(x record) string {
	p := &b.promises[x.r]
	p.learn(x)
	if b.at[sellable] < x.q {
		p.at[short] += x.q
		return ""
	}
	b.at[sellable] -= x.q
	p.at[reserved] += x.q
	return ""
}

// voided takes back a promise that the store could not apply: what is open of it
// is given up. The older form took its units again, whatever had become of it.
func (b *books) voided(x record, l law) string {
	p := &b.promises[x.r]
	if p.known && l.rules.on(VoidByState) {
		if p.open() > 0 {
			return p.along(stepsOf[release], p.open(), b)
		}
		return ""
	}
	if b.online[x.tau] < x.q {
		return "online does not cover the void"
	}
	b.online[x.tau] -= x.q
	b.assigned[x.tau] += x.q
	b.at[sellable] += x.q
	if !p.known {
		p.learn(x)
		p.at[short] += x.q
	}
	return ""
}

// way says from which parts a step takes units, first to last, where they go,
// and what that is outside of the promise.
type way struct {
	from []part
	to   part
}

var stepsOf = map[kind]way{
	pick:     {[]part{reserved}, picked},
	unpick:   {[]part{picked}, reserved},
	stage:    {[]part{picked}, staged},
	unstage:  {[]part{staged}, picked},
	collect:  {[]part{staged, picked, reserved}, collected},
	release:  {[]part{reserved, picked, staged}, released},
	runShort: {[]part{reserved, picked, staged}, short},
}

// shelfOnly is the older form of runShort.
var shelfOnly = way{[]part{reserved}, short}

// step books what happens to a promise that the store knows.
func (b *books) step(x record, l law) string {
	p := &b.promises[x.r]
	switch {
	case !p.known:
		return "unknown reservation"
	case p.final():
		return "it has ended"
	}
	switch x.kind {
	case giveAway:
		return b.give(x.r, x.n)
	case replace:
		return b.replaced(x, l)
	case collect:
		b.hands |= 1 << x.uid
	case runShort:
		if !l.rules.on(FindingsAnywhere) {
			return p.along(shelfOnly, x.n, b)
		}
	}
	return p.along(stepsOf[x.kind], x.n, b)
}

// replaced keeps a promise with other units: those that cannot be found are
// missing, wherever they stood.
func (b *books) replaced(x record, l law) string {
	p := &b.promises[x.r]
	most := p.at[reserved]
	if l.rules.on(FindingsAnywhere) {
		most = p.open()
	}
	switch {
	case x.n <= 0 || x.n > most:
		return "too few units reserved"
	case b.at[sellable] < x.n:
		return "too few units"
	}
	for _, from := range []part{reserved, picked, staged} {
		n := min(x.n, p.at[from])
		p.at[from] -= n
		p.at[reserved] += n
		x.n -= n
		b.move(sellable, missing, n)
	}
	return ""
}

// along takes n units of a promise along a way.
func (p *promise) along(w way, n int8, b *books) string {
	if n <= 0 {
		return "no units"
	}
	for _, from := range w.from {
		k := min(n, p.at[from])
		p.at[from] -= k
		p.at[w.to] += k
		b.leave(from, w.to, k)
		n -= k
	}
	if n > 0 {
		return "too few units left"
	}
	return ""
}

// leave books units that are no longer bound.
func (b *books) leave(from, to part, n int8) {
	switch {
	case to == collected:
		b.at[collectedOut] += n
	case to == short:
		b.at[missing] += n
	case to == released && from == reserved:
		b.at[sellable] += n
	case to == released:
		b.at[shelving] += n // taken from the shelf: somebody has to bring it back
	}
}
