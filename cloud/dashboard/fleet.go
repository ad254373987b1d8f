package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"holdfast.dev/cloud/gateway"
	"holdfast.dev/internal/look"
	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock/words"
)

// fleetPage is how all stores stand.
type fleetPage struct {
	view
	AsOf      string
	Connected int
	Trouble   int
	Waiting   int
	Disk      string // how full it is; empty: there is room
	Stores    []storeRow
}

// storeRow is one store, in words.
type storeRow struct {
	ID       uint32
	Name     string
	Town     string
	Link     template.HTML
	Heard    string
	Backlog  uint64
	Unacked  uint64 // directives that the store has not confirmed
	Epoch    string
	Node     string // that it waits to be admitted with
	Open     int
	Troubles []string
	Cures    []string // what to do about them, in the order of Troubles

	rank int
}

// fleet shows the stores, those in trouble first.
func fleet(v *visit) error {
	stores, err := v.d.o.Office.Fleet(v.r.Context())
	if err != nil {
		return err
	}
	open, err := v.open()
	if err != nil {
		return err
	}
	p := fleetPage{view: v.view, AsOf: words.Time(v.Lang, v.Now.UTC()), Waiting: open}
	if room := v.d.o.Room; room != nil && room() != process.RoomEnough {
		p.Disk = v.T("fleet.disk_" + room().String())
	}
	for _, s := range stores {
		row := v.storeRow(s)
		if s.State.GetStore().GetConnected() {
			p.Connected++
		}
		if len(row.Troubles) > 0 {
			p.Trouble++
		}
		p.Stores = append(p.Stores, row)
	}
	slices.SortStableFunc(p.Stores, func(a, b storeRow) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return v.show(http.StatusOK, sheet{name: "fleet", title: v.T("fleet.title"), open: open, data: p})
}

// open counts what needs a person.
func (v *visit) open() (int, error) {
	list, err := v.d.o.Office.ListItems(v.r.Context(), &shopv1.ListItemsRequest{PageSize: 1})
	return int(list.GetOpen()), err
}

// Ranks of stores in the list.
const (
	inTrouble = 1 + iota
	offline
	allWell
)

func (v view) storeRow(f gateway.FleetStore) storeRow {
	s, store := f.State, f.State.GetStore()
	row := storeRow{ID: store.GetStore(), Name: store.GetName(), Town: store.GetTown(),
		Backlog: s.GetBacklog(), Epoch: s.GetEpoch(), Open: f.Open, rank: allWell}
	if next, acked := s.GetDirectivesNext(), s.GetDirectivesAcked(); next > acked {
		row.Unacked = next - acked - 1
	}
	since := ""
	if t := store.GetOfflineSince(); t.IsValid() {
		since = v.since(t.AsTime(), store.GetTimezone())
	}
	row.Link = look.LinkState(v.Lang, store.GetConnected(), 0, since)
	if heard := s.GetLastSeen(); heard.IsValid() {
		row.Heard = v.When(heard.AsTime(), store.GetTimezone())
	}
	switch {
	case f.Node == "":
		row.trouble(v.T("fleet.joinless"), v.T("fleet.cure_joinless", "command", operate("join", row.ID)))
	case !store.GetConnected():
		row.rank = offline
	}
	if f.Frozen {
		row.Node = f.Node
		row.trouble(v.T("fleet.frozen"), v.T("fleet.cure_frozen", "command",
			operate("store admit", row.ID)+" --node "+f.Node))
	}
	switch {
	case f.Renewing:
		row.trouble(v.T("fleet.renewing"), v.T("fleet.cure_renewing"))
	case f.Quarantined:
		row.trouble(v.T("fleet.quarantined"), v.T("fleet.cure_quarantined", "command",
			operate("store renew", row.ID)))
	}
	if f.Trouble != "" && f.Trouble != codeQuarantine {
		row.trouble(words.Item(v.Lang, f.Trouble).Title, "")
	}
	if len(row.Troubles) > 0 {
		row.rank = inTrouble
	}
	return row
}

func (r *storeRow) trouble(what, cure string) {
	r.Troubles = append(r.Troubles, what)
	if cure != "" {
		r.Cures = append(r.Cures, cure)
	}
}

// operate is what an operator types about a store.
func operate(command string, store uint32) string {
	return fmt.Sprintf("holdfast-cloud %s --store %d", command, store)
}

// codeQuarantine is the note of what a row says by itself.
const codeQuarantine = "QUARANTINE"

// since is When with a time of day for what has just begun.
func (v view) since(t time.Time, zone string) string {
	const fresh = time.Minute
	if v.Now.Sub(t) >= fresh {
		return v.When(t, zone)
	}
	return v.When(t.Add(-fresh), zone)
}
