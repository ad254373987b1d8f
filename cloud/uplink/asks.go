package uplink

import (
	"encoding/binary"
	"slices"

	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
)

// Need is what a cart wants of a SKU in all, not only what its pool lacks.
type Need struct {
	SKU   stock.SKU
	Units stock.Units
}

// Ask is one cart that waits for its store to grant units.
type Ask struct {
	needs   []Need
	begun   bool             // a look is under way that reads its pools
	granted map[uint32]int64 // by SKU: G when it was done
	err     error
}

// Asks sums what the carts at one store wait for, so that two of them never
// wait for the same unit: a cart is served when its store's pools cover it and
// every cart that came before it. It is a pure rule, like Session.
//
// A unit is not set aside for the cart that waited for it: between being told
// and holding, another cart may be faster.
type Asks struct {
	waiting  []*Ask
	requests uint64
	asked    map[stock.SKU]request // the newest request of each SKU somebody waits for
}

type request struct {
	number uint64
	target int64
	limit  int64 // the store's no: G will not go beyond this
	denied bool
}

// Add lets a cart wait.
func (a *Asks) Add(needs []Need) *Ask {
	ask := &Ask{needs: needs}
	a.waiting = append(a.waiting, ask)
	return ask
}

// Drop forgets a cart that does not wait any more.
func (a *Asks) Drop(ask *Ask) {
	a.waiting = slices.DeleteFunc(a.waiting, func(w *Ask) bool { return w == ask })
	a.forget()
}

// Begin lists the SKUs whose pools the next Round needs, in order. What is
// added after it waits for the Round after that.
func (a *Asks) Begin() []stock.SKU {
	for _, ask := range a.waiting {
		ask.begun = true
	}
	return a.skus()
}

func (a *Asks) skus() []stock.SKU {
	var skus []stock.SKU
	for _, ask := range a.waiting {
		for _, n := range ask.needs {
			if ask.begun {
				skus = append(skus, n.SKU)
			}
		}
	}
	slices.Sort(skus)
	return slices.Compact(skus)
}

// Answer takes what the store said. What it says to an older request than the
// newest one does not count: it was asked for less.
func (a *Asks) Answer(got []*uplinkv1.Got) {
	for _, g := range got {
		r, ok := a.asked[stock.SKU(g.GetSku())]
		if !ok || len(g.GetRequest()) != 8 || binary.BigEndian.Uint64(g.GetRequest()) != r.number {
			continue
		}
		if g.GetTotal() < r.target {
			r.denied, r.limit = true, g.GetTotal()
			a.asked[stock.SKU(g.GetSku())] = r
		}
	}
}

// Round looks at the pools as they are now. It returns what to ask the store
// for, and the carts that need not wait any longer.
func (a *Asks) Round(pools map[stock.SKU]escrow.Pool, t stock.Timeline) ([]*uplinkv1.Want, []*Ask) {
	sum := make(map[stock.SKU]stock.Units) // wanted by the carts that came first, and this one
	var done, rest []*Ask
	for _, ask := range a.waiting {
		if !ask.begun {
			rest = append(rest, ask)
			continue
		}
		for _, n := range ask.needs {
			sum[n.SKU] += n.Units
		}
		if a.settle(ask, sum, pools) {
			done = append(done, ask)
		} else {
			rest = append(rest, ask)
		}
		if ask.err != nil {
			for _, n := range ask.needs { // it will not take what it wanted
				sum[n.SKU] -= n.Units
			}
		}
	}
	a.waiting = rest
	a.forget()
	return a.wants(sum, pools, t), done
}

// settle tells whether a cart need not wait any longer: the pools cover it and
// all before it, or they never will.
func (a *Asks) settle(
	ask *Ask, sum map[stock.SKU]stock.Units, pools map[stock.SKU]escrow.Pool,
) bool {
	covered := true
	for _, n := range ask.needs {
		p := pools[n.SKU]
		if sum[n.SKU] <= p.Free() {
			continue
		}
		covered = false
		r := a.asked[n.SKU]
		underWay := max(0, stock.Units(r.limit)-p.Granted)
		if r.denied && underWay == 0 { // only then the refusal says all that is available
			ask.err = stock.Refuse(stock.Short, "the store does not grant more of SKU %d", n.SKU).
				With("available", p.Free())
			return true
		}
	}
	if !covered {
		return false
	}
	ask.granted = make(map[uint32]int64, len(ask.needs))
	for _, n := range ask.needs {
		ask.granted[uint32(n.SKU)] = int64(pools[n.SKU].Granted)
	}
	return true
}

// Fail ends the waiting of all.
func (a *Asks) Fail(err error) []*Ask {
	failed := a.waiting
	for _, ask := range failed {
		ask.err = err
	}
	a.waiting = nil
	a.forget()
	return failed
}

// wants asks for the sum of what is wanted, once, and again when it has grown.
func (a *Asks) wants(
	sum map[stock.SKU]stock.Units, pools map[stock.SKU]escrow.Pool, t stock.Timeline,
) []*uplinkv1.Want {
	var wants []*uplinkv1.Want
	for _, sku := range a.skus() {
		p := pools[sku]
		short := sum[sku] - p.Free()
		target := int64(p.Granted + short)
		if short <= 0 || target <= a.asked[sku].target {
			continue
		}
		a.requests++
		if a.asked == nil {
			a.asked = make(map[stock.SKU]request)
		}
		a.asked[sku] = request{number: a.requests, target: target}
		wants = append(wants, &uplinkv1.Want{Sku: uint32(sku), Target: target, Timeline: uint32(t),
			Request: binary.BigEndian.AppendUint64(nil, a.requests)})
	}
	return wants
}

// forget drops the requests of SKUs that nobody waits for.
func (a *Asks) forget() {
	still := make(map[stock.SKU]bool)
	for _, sku := range a.skus() {
		still[sku] = true
	}
	for sku := range a.asked {
		if !still[sku] {
			delete(a.asked, sku)
		}
	}
}
