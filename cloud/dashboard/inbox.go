package dashboard

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/token"
	"holdfast.dev/stock/words"
)

// maxCards bounds how many items one page shows.
const maxCards = 20

// Filters of items.
const (
	filterOpen = "open"
	filterAll  = "all"
)

// inboxPage is one list of items.
type inboxPage struct {
	view
	Filter  string
	Filters []string
	Store   uint32 // whose items; 0: every store's
	Stores  []*shopv1.Store
	Name    string // of the reader, as given before
	Cards   []card
	Older   string // token of the next page
}

// card is an item, with its title and its store.
type card struct {
	*shopv1.Item
	Title string
	Place string
	When  string
}

// Href is the page's address with another filter, from the newest item on.
func (p inboxPage) Href(filter string) string {
	q := url.Values{"filter": {filter}}
	if p.Store != 0 {
		q.Set("store", strconv.FormatUint(uint64(p.Store), 10))
	}
	return "/items?" + q.Encode()
}

// Next is the address of older items.
func (p inboxPage) Next() string { return p.Href(p.Filter) + "&page=" + url.QueryEscape(p.Older) }

// Group writes a pickup code for people.
func (p inboxPage) Group(code string) string { return token.GroupCode(code) }

// inbox shows what needs a person, the newest first.
func inbox(v *visit) error {
	p := inboxPage{view: v.view, Filter: filterOpen, Filters: []string{filterOpen, filterAll},
		Name: v.cookie(nameCookie)}
	if v.r.FormValue("filter") == filterAll {
		p.Filter = filterAll
	}
	if text := v.r.FormValue("store"); text != "" {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return stock.Refuse(stock.BadRequest, "store %q", text).With("what", "store")
		}
		p.Store = uint32(n)
	}
	states, err := v.d.o.Office.ListStoreStates(v.r.Context(), &shopv1.ListStoreStatesRequest{})
	if err != nil {
		return err
	}
	byID := make(map[uint32]*shopv1.Store)
	for _, s := range states.GetStates() {
		p.Stores = append(p.Stores, s.GetStore())
		byID[s.GetStore().GetStore()] = s.GetStore()
	}
	list, err := v.d.o.Office.ListItems(v.r.Context(), &shopv1.ListItemsRequest{Store: p.Store,
		Done: p.Filter == filterAll, PageSize: maxCards, PageToken: v.r.FormValue("page"),
		Language: string(v.Lang)})
	if err != nil {
		return err
	}
	p.Older = list.GetNextPageToken()
	for _, i := range list.GetItems() {
		s, at := byID[i.GetStore()], time.Time{}
		if i.GetAt().IsValid() {
			at = i.GetAt().AsTime()
		}
		p.Cards = append(p.Cards, card{Item: i, Title: words.Item(v.Lang, i.GetKind()).Title,
			Place: s.GetName(), When: v.When(at, s.GetTimezone())})
	}
	open := int(list.GetOpen())
	if p.Store != 0 {
		if open, err = v.open(); err != nil {
			return err
		}
	}
	return v.show(http.StatusOK, sheet{name: "inbox", title: v.T("inbox.title"), open: open, data: p})
}

// handle notes what the reader does about an item of head office.
func handle(v *visit) error {
	owner := strings.TrimSpace(v.r.FormValue("owner"))
	if owner == "" {
		v.tell(http.StatusBadRequest, problem{view: v.view, Sentence: v.T("problem.nobody"),
			Back: "/items"})
		return nil
	}
	v.remember(nameCookie, owner)
	r := &shopv1.HandleItemRequest{Item: v.r.PathValue("item"), Progress: v.r.FormValue("progress"),
		Owner: owner, Note: strings.TrimSpace(v.r.FormValue("note"))}
	if r.GetProgress() == "open" {
		r.Owner = ""
	}
	if _, err := v.d.o.Office.HandleItem(v.r.Context(), r); err != nil {
		return err
	}
	q := url.Values{"filter": {v.r.FormValue("filter")}}
	if store := v.r.FormValue("store"); store != "" && store != "0" {
		q.Set("store", store)
	}
	http.Redirect(v.w, v.r, "/items?"+q.Encode(), http.StatusSeeOther)
	return nil
}
