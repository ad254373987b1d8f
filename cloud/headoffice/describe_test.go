package headoffice_test

import (
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// describe says a result in a line.
func describe(r *recordv1.Result) string {
	switch v := r.GetBody().(type) {
	case *recordv1.Result_Reservation:
		return v.Reservation.GetState() + " " + reserveText(v.Reservation.GetReserve())
	case *recordv1.Result_Hold:
		return fmt.Sprintf("held %s until %d", nameOf(v.Hold.GetHold()), v.Hold.GetDeadline())
	case *recordv1.Result_Session:
		s := v.Session
		text := fmt.Sprintf("session %d epoch %s mode %d records from %d directives from %d",
			s.GetSession(), epochText(s.GetEpoch()), s.GetMode(), s.GetResumeFrom(), s.GetDirectivesFrom())
		if s.GetSalvageFrom() > 0 {
			text += fmt.Sprintf(" salvage from %d", s.GetSalvageFrom())
		}
		return text
	case *recordv1.Result_Batch:
		b := v.Batch
		return fmt.Sprintf("applied %d skipped %d resume %d touched %v",
			b.GetApplied(), b.GetSkipped(), b.GetResumeFrom(), b.GetTouched())
	case *recordv1.Result_Enrol:
		return fmt.Sprintf("enrolled epoch %s store %q", epochText(v.Enrol.GetEpoch()),
			v.Enrol.GetStore().GetName())
	case *recordv1.Result_Import:
		return fmt.Sprintf("added %d changed %d same %d version %d", v.Import.GetAdded(),
			v.Import.GetChanged(), v.Import.GetSame(), v.Import.GetVersion())
	case *recordv1.Result_Quota:
		return fmt.Sprintf("returned %d, %d in all", v.Quota.GetUnits(), v.Quota.GetReturnedTotal())
	case *recordv1.Result_Count:
		return fmt.Sprintf("%d rows", v.Count.GetRows())
	}
	return "done"
}

func epochText(e *recordv1.Epoch) string {
	return fmt.Sprintf("%d.%d", e.GetTimeline(), e.GetCounter())
}

func nameOf(b []byte) string {
	name := strings.TrimRight(string(b), "\x00")
	for _, c := range name {
		if c < ' ' || c > '~' {
			return hex.EncodeToString(b)
		}
	}
	return name
}

func reserveText(r *recordv1.Reserve) string {
	text := fmt.Sprintf("%s directive %d until %d %s", nameOf(r.GetReservation()), r.GetDirective(),
		r.GetPickupUntil(), r.GetBasis())
	for _, l := range r.GetLines() {
		text += fmt.Sprintf(" %d:%dx%s(%s)", l.GetLine(), l.GetUnits(), l.GetName(), l.GetGtin())
	}
	if r.GetContact() != "" {
		text += " for " + r.GetContact()
	}
	return text
}

// show prints what the cloud has: "show store 1", "quota 1", "promise $r", …
func (s *script) show(text string) string {
	what, rest, _ := strings.Cut(text, " ")
	var out []string
	s.view(func(tx *journal.Tx) (err error) {
		switch what {
		case "store":
			out, err = showStore(tx, stock.StoreID(s.number(rest)))
		case "quota":
			out, err = showQuota(tx, stock.StoreID(s.number(rest)))
		case "directives":
			out, err = showDirectives(tx, stock.StoreID(s.number(rest)))
		case "promises":
			out, err = showPromises(tx, stock.StoreID(s.number(rest)))
		case "anomalies":
			out, err = showAnomalies(tx)
		case "search":
			out, err = showSearch(tx, rest)
		case "changed":
			out, err = showChanged(tx, uint64(s.number(rest)))
		case "invariants":
			out, err = showInvariants(tx)
		default:
			s.t.Fatalf("show %q", text)
		}
		return err
	})
	return strings.Join(out, "\n")
}

func showStore(tx *journal.Tx, id stock.StoreID) ([]string, error) {
	st, err := headoffice.FindStore(tx, id)
	if err != nil {
		return []string{refusal(err)}, nil
	}
	return []string{fmt.Sprintf("%q epoch %s node %q session %d connected %t applied %d directive %d acked %d quarantined %t",
		st.Info.GetName(), st.Epoch, nameOf(st.NodeID), st.Session, st.Connected, st.Applied.Seq,
		st.Directives.Seq, st.Acked, st.Quarantined)}, nil
}

func showQuota(tx *journal.Tx, id stock.StoreID) ([]string, error) {
	rows, err := headoffice.BookRows(tx, id, 0, 100)
	var out []string
	for _, r := range rows {
		b := r.Mirror.Balances
		out = append(out,
			fmt.Sprintf("sku %d: G %d R %d A %d held %d free %d | sellable %d online %d reserved %d suspense %d",
				r.SKU, r.Pool.Granted, r.Pool.Returned, r.Pool.Assigned, r.Pool.Held, r.Pool.Free(),
				b[ledger.Sellable], b[ledger.Online], b[ledger.Reserved], b[ledger.Suspense]))
	}
	return out, err
}

// showDirectives prints the orders of the store's present timeline.
func showDirectives(tx *journal.Tx, id stock.StoreID) ([]string, error) {
	st, err := headoffice.FindStore(tx, id)
	if err != nil {
		return []string{refusal(err)}, nil
	}
	raw, _, err := headoffice.DirectivesAfter(tx, headoffice.Cursor{Store: id, Timeline: st.Timeline}, 100)
	var out []string
	for _, data := range raw {
		var d recordv1.Directive
		if err := proto.Unmarshal(data, &d); err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%d %s", d.GetSeq(), directiveText(&d)))
	}
	return out, err
}

func directiveText(d *recordv1.Directive) string {
	switch v := d.GetBody().(type) {
	case *recordv1.Directive_Reserve:
		return "reserve " + nameOf(v.Reserve.GetReservation())
	case *recordv1.Directive_Cancel:
		return fmt.Sprintf("cancel %s of directive %d, %d lines: %s", nameOf(v.Cancel.GetReservation()),
			v.Cancel.GetDirective(), len(v.Cancel.GetLines()), v.Cancel.GetReason())
	case *recordv1.Directive_Return:
		return fmt.Sprintf("return %d of sku %d, %d in all", v.Return.GetUnits(), v.Return.GetSku(),
			v.Return.GetReturnedTotal())
	case *recordv1.Directive_Policy:
		return fmt.Sprintf("policy hold %d floor %d", v.Policy.GetPolicy().GetHoldMs(),
			v.Policy.GetPolicy().GetFloorUnits())
	case *recordv1.Directive_Keys:
		return fmt.Sprintf("keys %d", v.Keys.GetVersion())
	case *recordv1.Directive_Checkpoint:
		return "write the books down"
	case *recordv1.Directive_Void:
		return fmt.Sprintf("void of directive %d, %s", v.Void.GetDirective(),
			nameOf(v.Void.GetReservation()))
	case *recordv1.Directive_SalvageFacts:
		return fmt.Sprintf("salvage of epoch %s, %d facts", epochText(v.SalvageFacts.GetEpoch()),
			len(v.SalvageFacts.GetRecords()))
	}
	return fmt.Sprintf("%T", d.GetBody())
}

func showPromises(tx *journal.Tx, id stock.StoreID) ([]string, error) {
	all, err := headoffice.Promises(tx, headoffice.List{Store: id, Limit: 100})
	if err != nil {
		return nil, err
	}
	open, err := headoffice.Promises(tx, headoffice.List{Store: id, OpenOnly: true, Limit: 100})
	isOpen := map[[16]byte]bool{}
	for _, p := range open {
		isOpen[p.ID] = true
	}
	var out []string
	for _, p := range all {
		out = append(out, fmt.Sprintf("%s %s open %t cancel %d until %d finished %d", nameOf(p.ID[:]),
			p.State,
			isOpen[p.ID], p.CancelAt, p.PickupUntil(), p.FinishedAt()))
	}
	return out, err
}

func showAnomalies(tx *journal.Tx) ([]string, error) {
	all, err := headoffice.Anomalies(tx, headoffice.Anomaly{}, 100)
	var out []string
	for _, a := range all {
		out = append(out, fmt.Sprintf("store %d record %d %s: %s", a.Store, a.Seq, a.Code, a.What))
	}
	return out, err
}

func showSearch(tx *journal.Tx, text string) ([]string, error) {
	found, err := headoffice.SearchProducts(tx, headoffice.Search{Text: text, Limit: 10})
	var out []string
	for _, p := range found {
		out = append(out, fmt.Sprintf("%d %s", p.GetSku(), p.GetName()))
	}
	return out, err
}

func showChanged(tx *journal.Tx, after uint64) ([]string, error) {
	upto, err := headoffice.CatalogueVersion(tx)
	if err != nil {
		return nil, err
	}
	n, err := headoffice.CountProducts(tx, after)
	if err != nil {
		return nil, err
	}
	out := []string{fmt.Sprintf("%d products, version %d", n, upto)}
	all, err := headoffice.ChangedProducts(tx, headoffice.Changes{After: after, Upto: upto, Limit: 10})
	for _, p := range all {
		out = append(out, fmt.Sprintf("%d %s version %d", p.GetSku(), p.GetName(), p.GetVersion()))
	}
	return out, err
}

func showInvariants(tx *journal.Tx) ([]string, error) {
	all, err := headoffice.CheckInvariants(tx)
	var out []string
	for _, r := range all {
		out = append(out, fmt.Sprintf("%s: %d checked %q", r.Name, r.Checked, r.Violations))
	}
	return out, err
}
