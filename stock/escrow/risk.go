package escrow

import (
	"math"

	"holdfast.dev/stock"
)

// Loan is a promised unit that a customer at the till would get.
type Loan struct {
	Contact int64       // when the cloud was last heard of
	Online  stock.Units // what it could promise then
	Lent    stock.Units // of those, with this loan
}

// Risk is the chance, in thousandths and rounded up, that a loan breaks a
// promise: that before the line is back so many units are promised that the
// last one lent is among them.
func (z *Sizer) Risk(d Demand, at int64, l Loan) uint32 {
	if l.Lent <= 0 {
		return 0
	}
	if l.Lent > l.Online {
		return 1000
	}
	var promised mixture
	for i, left := range z.Cuts.outlook(max(0, at-l.Contact)) {
		promised[i] = part{z.web(d, l.Contact, at+left), outlook[i].weight}
	}
	return uint32(min(1000, math.Ceil(1000*promised.Tail(l.Online-l.Lent+1))))
}
