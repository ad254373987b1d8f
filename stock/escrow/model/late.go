package model

// atTill is what a till knows of a record that it caused.
func (x record) atTill() record {
	if x.kind == sale {
		return record{kind: sale, n: x.n, uid: x.uid, debt: true}
	}
	return x
}

// salvageable tells whether a record of a lost box says something that the
// present one has to book. Rights of a dead incarnation are not: the present
// store applies the cloud's directives itself.
func (x record) salvageable() bool {
	switch x.kind {
	case receipt, sale, refund, refundDamaged, count, damage, writeOff, reshelve, accept, collect,
		collectByToken, release, runShort, giveAway, replace:
		return true
	}
	return false
}

// late books a fact of a former incarnation: a record of a lost box, or a
// request that a till repeats. A unit that has left the shop is booked, once by
// its uid, whatever the books say now.
func (b *books) late(x record, l law) {
	p := &b.promises[x.r]
	switch x.kind {
	case receipt:
		b.move(supplier, sellable, x.n)
		b.balance(x.n, l)
	case refund:
		b.move(returnedIn, shelving, x.n)
	case refundDamaged:
		b.move(returnedIn, damaged, x.n)
	case sale:
		b.lateSale(x, l)
	case accept:
		// The chain that would bring it again has ended.
		fresh := !p.known && x.number > b.directives[x.tau]
		if fresh && x.tau < b.timeline && l.rules.on(LateAcceptCounts) {
			b.take(x, l)
		}
	case collect, collectByToken:
		b.lateHand(x, l)
	case release:
		if n := min(x.n, p.open()); n > 0 {
			p.along(stepsOf[release], n, b)
		}
	case giveAway:
		b.give(x.r, min(x.n, p.at[reserved]))
	case runShort:
		b.lateFinding(x, min(x.n, p.open()), l)
	case replace:
		b.lateFinding(x, 0, l)
	case count:
		b.lateCount(x.n, l)
	case damage:
		b.move(sellable, damaged, x.n)
		b.balance(-x.n, l)
	case writeOff:
		n := min(x.n, b.at[damaged])
		b.move(damaged, thrown, n)
		b.move(sellable, thrown, x.n-n)
		b.balance(n-x.n, l)
	case reshelve:
		n := min(x.n, b.at[shelving])
		b.move(shelving, sellable, n)
		b.balance(n, l)
	}
}

// balance takes the effect of a late fact on the shelf back: a count since then
// has seen the shelf as the fact had left it.
func (b *books) balance(effect int8, l law) {
	if b.counted && l.rules.on(CountIsAbsolute) {
		b.differ(-effect)
	}
}

func (b *books) lateCount(n int8, l law) {
	if !b.counted || !l.rules.on(CountIsAbsolute) {
		b.differ(n)
	}
}

// lateFinding books units that were not there, n of them from a promise.
func (b *books) lateFinding(x record, n int8, l law) {
	p := &b.promises[x.r]
	if p.open() == 0 && !l.rules.on(LateByUID) {
		return
	}
	if n > 0 {
		p.along(stepsOf[runShort], n, b)
	}
	b.move(sellable, missing, x.n-n)
	b.balance(-x.n, l)
}

// lateSale books every part of a sale by itself.
func (b *books) lateSale(x record, l law) {
	if b.sales&(1<<x.uid) != 0 {
		return
	}
	bump := min(x.bump, b.promises[x.r].at[reserved])
	if bump > 0 {
		b.give(x.r, bump)
	} else if x.bump > 0 && !l.rules.on(SaleOutlivesBump) {
		return
	}
	b.sales |= 1 << x.uid
	b.move(found, sellable, x.k)
	b.balance(x.k, l)
	b.move(sellable, sold, x.n)
	b.balance(-x.n, l)
}

func (b *books) lateHand(x record, l law) {
	p := &b.promises[x.r]
	if b.hands&(1<<x.uid) != 0 {
		return
	}
	b.hands |= 1 << x.uid
	ended := x.number <= b.directives[x.tau] && l.rules.on(FinishedByNumber)
	if !p.known && x.kind == collectByToken && !ended {
		first := x
		first.kind, first.n = accept, 0
		if no := b.take(first, l); no == "" {
			p.heard = false
		}
	}
	if !l.rules.on(LateByUID) && p.final() && p.at[collected] > 0 {
		return
	}
	n := int8(0)
	if p.known {
		n = min(x.n, p.open())
	}
	if n > 0 {
		p.along(stepsOf[collect], n, b)
	}
	b.move(sellable, missing, x.n-n)
	b.balance(-x.n, l)
}
