package fleet

import (
	"fmt"
	"strings"

	"holdfast.dev/stock/ledger"
)

// describe says what a record did, for people.
func describe(s *seenRecord) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", bodyName(fmt.Sprintf("%T", s.rec.GetBody())))
	if len(s.rec.GetUid()) == 16 {
		fmt.Fprintf(&b, " %x", s.rec.GetUid()[:4])
	}
	for _, r := range s.res {
		fmt.Fprintf(&b, " order %x %s", r.ID[:4], r.State())
	}
	if everyRow(s.rec) {
		return b.String()
	}
	for _, a := range s.rows {
		n := a.Balances
		fmt.Fprintf(&b, "; sku %d: own %d online %d reserved %d behind %d (G %d R %d A %d)", a.SKU,
			n[ledger.Sellable], n[ledger.Online], n[ledger.Reserved],
			n[ledger.Picked]+n[ledger.Staged]+n[ledger.ToShelve],
			a.Rights.Granted, a.Rights.Returned, a.Rights.Assigned)
	}
	return b.String()
}

// describeCommand says what a command did, for people.
func describeCommand(s *seenCommand) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", bodyName(fmt.Sprintf("%T", s.c.GetBody())))
	for _, v := range s.stores {
		fmt.Fprintf(&b, "; store %d: record %d, directive %d, session %d", v.st.id,
			v.cloud.applied.Seq, v.cloud.directives.Seq, v.cloud.session)
	}
	for _, r := range s.rows {
		fmt.Fprintf(&b, "; store %d sku %d: pool %d held %d (G %d R %d A %d)", r.cell.st.id, r.cell.sku,
			r.quota.Free(), r.quota.Held, r.quota.Granted, r.quota.Returned, r.quota.Assigned)
	}
	return b.String()
}

// bodyName makes "sale" of "*recordv1.Record_Sale".
func bodyName(of string) string {
	if i := strings.LastIndexByte(of, '_'); i >= 0 {
		of = of[i+1:]
	}
	return strings.ToLower(of)
}
