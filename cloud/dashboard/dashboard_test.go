package dashboard

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"holdfast.dev/cloud/gateway"
	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// noon is when the tests happen: a Thursday, 13:10 in Utrecht.
var noon = time.Date(2025, time.November, 20, 12, 10, 0, 0, time.UTC)

// office is a head office of a few stores, as a test sets it.
type office struct {
	fleet []gateway.FleetStore
	items []*shopv1.Item
	asked *shopv1.ListItemsRequest
	done  []*shopv1.HandleItemRequest
	next  string
}

func (o *office) Fleet(context.Context) ([]gateway.FleetStore, error) { return o.fleet, nil }

func (o *office) ListStoreStates(context.Context, *shopv1.ListStoreStatesRequest) (
	*shopv1.ListStoreStatesResponse, error) {
	out := &shopv1.ListStoreStatesResponse{}
	for _, f := range o.fleet {
		out.States = append(out.States, f.State)
	}
	return out, nil
}

func (o *office) ListItems(_ context.Context, r *shopv1.ListItemsRequest) (
	*shopv1.ListItemsResponse, error) {
	if r.GetPageSize() > 1 {
		o.asked = r
	}
	out := &shopv1.ListItemsResponse{NextPageToken: o.next}
	for _, i := range o.items {
		if i.GetProgress() != "done" {
			out.Open++
		}
		if r.GetDone() || i.GetProgress() != "done" {
			said := words.Item(words.Lang(r.GetLanguage()), i.GetKind(), "store", "Tjalk Utrecht",
				"product", i.GetProduct(), "quantity", "1\u00a0×", "order", "7K3M-2Q9A")
			i.Happened, i.Done, i.Todo = said.Happened, said.Done, said.Todo
			out.Items = append(out.Items, i)
		}
	}
	return out, nil
}

func (o *office) HandleItem(_ context.Context, r *shopv1.HandleItemRequest) (*shopv1.Item, error) {
	o.done = append(o.done, r)
	for _, i := range o.items {
		if i.GetItem() == r.GetItem() && i.GetHeadOffice() {
			i.Progress, i.Owner, i.Note = r.GetProgress(), r.GetOwner(), r.GetNote()
			return i, nil
		}
	}
	return nil, stock.Refuse(stock.WrongState, "handled in the store")
}

func stamp(before time.Duration) *timestamppb.Timestamp {
	return timestamppb.New(noon.Add(-before))
}

func newOffice() *office {
	store := func(id uint32, name, town string, connected bool) *shopv1.StoreState {
		s := &shopv1.Store{Store: id, Name: name, Town: town, Timezone: "Europe/Amsterdam",
			Connected: connected}
		if !connected {
			s.OfflineSince = stamp(8 * time.Minute)
		}
		return &shopv1.StoreState{Store: s, Epoch: "1.2", LastSeen: stamp(9 * time.Minute), Backlog: 12,
			DirectivesNext: 9, DirectivesAcked: 5}
	}
	never := store(4, "Tjalk Lübeck", "Lübeck", false)
	never.LastSeen, never.Store.OfflineSince = nil, nil
	const node = "0f3ac4d1e5b60718293a4b5c6d7e8f90"
	return &office{
		fleet: []gateway.FleetStore{
			{State: store(1, "Tjalk Utrecht", "Utrecht", true), Node: node, Open: 2},
			{State: store(2, "Tjalk Aarhus", "Aarhus", false), Node: node},
			{State: store(3, "Tjalk Kiel", "Kiel", true), Node: node, Quarantined: true, Frozen: true,
				Trouble: "STORE_FORKED"},
			{State: never},
		},
		items: []*shopv1.Item{
			{Item: "office.3.120.1", Store: 3, HeadOffice: true, Kind: "STORE_FORKED", Progress: "open",
				Seq: 120, At: stamp(time.Hour), Detail: "its history differed after record 118"},
			{Item: "store.1.40.1", Store: 1, Kind: "bumped", Progress: "taken", Owner: "Anna",
				Note: "called", Seq: 40,
				At: stamp(26 * time.Hour), Product: "Rye crispbread 250 g", Code: "7K3M2Q9A"},
			{Item: "office.1.38.1", Store: 1, HeadOffice: true, Kind: "OLD_BOX", Progress: "done",
				Owner: "Ada", Seq: 38,
				At: stamp(50 * time.Hour)},
		},
	}
}

func serve(t *testing.T, o Office) string {
	d := New(Options{Office: o, Language: words.EN, Logger: slog.New(slog.DiscardHandler)})
	d.now = func() time.Time { return noon }
	server := httptest.NewServer(d.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return server.URL
}

// reader is somebody in head office whose browser runs no scripts.
type reader struct {
	t    *testing.T
	url  string
	http *http.Client
}

func newReader(t *testing.T, o Office) *reader {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{t, serve(t, o), &http.Client{Jar: jar}}
}

func (r *reader) get(path string) (int, string) {
	r.t.Helper()
	res, err := r.http.Get(r.url + path)
	return r.read(res, err)
}

func (r *reader) post(path string, fields ...string) (int, string) {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	res, err := r.http.PostForm(r.url+path, form)
	return r.read(res, err)
}

func (r *reader) read(res *http.Response, err error) (int, string) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

func TestTheFleetShowsTroubleFirst(t *testing.T) {
	_, page := newReader(t, newOffice()).get("/")
	var order []string
	for _, m := range regexp.MustCompile(`<h2>([^<]*)</h2>`).FindAllStringSubmatch(page, -1) {
		order = append(order, m[1])
	}
	want := []string{"Tjalk Kiel", "Tjalk Lübeck", "Tjalk Aarhus", "Tjalk Utrecht"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Error(diff)
	}
	for _, says := range []string{"2 / 4", "offline since 13:02", "Records set apart",
		"Waits to be admitted",
		"Two histories of one store", "No computer yet", "never yet", "12 records", ">13:01<",
		">1.2<", "<dd>3</dd>",
		`href="/items?store=1"`, "2 open", `<span class="count">2</span>`,
		"0f3ac4d1e5b60718293a4b5c6d7e8f90", "holdfast-cloud store renew --store 3",
		"holdfast-cloud store admit --store 3 --node 0f3ac4d1", "holdfast-cloud join --store 4"} {
		if !strings.Contains(page, says) {
			t.Errorf("the page lacks %q", says)
		}
	}
}

func TestHeadOfficeHandlesItsItemsByForm(t *testing.T) {
	o := newOffice()
	r := newReader(t, o)
	_, page := r.get("/items?store=3")
	if o.asked.GetStore() != 3 || o.asked.GetDone() ||
		!strings.Contains(page, "Find out whether a copy") {
		t.Errorf("asked for %v", o.asked)
	}
	if strings.Count(page, "<form class=\"row\"") != 1 ||
		!strings.Contains(page, "The store deals with this.") ||
		!strings.Contains(page, "order 7K3M-2Q9A") || !strings.Contains(page, "Anna looks at it") {
		t.Error("items of the store and of head office are not told apart")
	}
	if status, page := r.post("/items/office.3.120.1", "progress", "taken"); status != 400 ||
		!strings.Contains(page, "Give your name") {
		t.Errorf("taken by nobody: %d", status)
	}
	for _, step := range []struct {
		path   string
		fields []string
		status int
		says   string
	}{
		{"/items/office.3.120.1", []string{"progress", "taken", "owner", "Åse Ø"}, 200,
			"Åse Ø looks at it"},
		{"/items/office.3.120.1", []string{"progress", "done", "owner", "Åse Ø", "note", "found it",
			"filter", "all"}, 200,
			"Done by Åse Ø"},
		{"/items/office.3.120.1", []string{"progress", "open", "owner", "Åse Ø"}, 200,
			`value="Åse Ø"`},
		{"/items/store.1.40.1", []string{"progress", "done", "owner", "Åse Ø"}, 409, "did not work"},
	} {
		if status, page := r.post(step.path, step.fields...); status != step.status ||
			!strings.Contains(page, step.says) {
			t.Errorf("POST %s %v: %d without %q", step.path, step.fields, status, step.says)
		}
	}
	if got := o.done[2].GetOwner(); got != "" {
		t.Errorf("an item that is open again has an owner: %q", got)
	}
}

func TestOlderItemsAreOnTheNextPage(t *testing.T) {
	o := newOffice()
	o.next = "17.office.1.2.3"
	r := newReader(t, o)
	if _, page := r.get("/items?filter=all&store=1"); !strings.Contains(page,
		`href="/items?filter=all&amp;store=1&amp;page=17.office.1.2.3"`) {
		t.Error("no way to older items")
	}
	r.get("/items?page=17.office.1.2.3")
	if o.asked.GetPageToken() != o.next {
		t.Errorf("asked for page %q", o.asked.GetPageToken())
	}
}

// keyOrHole finds a text that is missing, or a value that it was not given.
var keyOrHole = regexp.MustCompile(
	`\b(dashboard|common|items|refusal)\.[a-z_]+|\{[a-z_]+\}|<no value>|%!`)

func TestEveryPageSpeaksEveryLanguage(t *testing.T) {
	for _, lang := range words.Langs() {
		r := newReader(t, newOffice())
		empty := newReader(t, &office{})
		for path, want := range map[string]int{"/": 200, "/items": 200, "/items?filter=all": 200,
			"/items?store=x": 400, "/nowhere": 404} {
			for _, who := range []*reader{r, empty} {
				sep := "?"
				if strings.Contains(path, "?") {
					sep = "&"
				}
				status, page := who.get(path + sep + "lang=" + string(lang))
				if status != want || !strings.Contains(page, `<html lang="`+string(lang)+`"`) {
					t.Errorf("%s in %s: %d, want %d", path, lang, status, want)
				}
				if found := keyOrHole.FindString(page); found != "" {
					t.Errorf("%s in %s shows %q", path, lang, found)
				}
			}
		}
	}
}

func TestTheFleetSaysWhenTheDiskFillsUp(t *testing.T) {
	room := process.RoomEnough
	d := New(Options{Office: newOffice(), Language: words.EN, Room: func() process.Room { return room },
		Logger: slog.New(slog.DiscardHandler)})
	for _, tt := range []struct {
		room process.Room
		want string
	}{{process.RoomEnough, ""}, {process.RoomLow, "filling up"}, {process.RoomScarce, "Make room now"}} {
		room = tt.room
		for _, lang := range words.Langs() {
			w := httptest.NewRecorder()
			d.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?lang="+string(lang), nil))
			page := w.Body.String()
			if alert := strings.Contains(page, "alert-bad"); alert != (tt.want != "") ||
				keyOrHole.MatchString(page) || lang == words.EN && !strings.Contains(page, tt.want) {
				t.Errorf("%s in %s: alert %t", tt.room, lang, alert)
			}
		}
	}
}

func TestOtherSitesCannotHandleItems(t *testing.T) {
	o := newOffice()
	req, err := http.NewRequestWithContext(t.Context(), "POST", serve(t, o)+"/items/office.3.120.1",
		strings.NewReader("progress=done&owner=x"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden || len(o.done) > 0 {
		t.Errorf("from another site: %d, %v", res.StatusCode, o.done)
	}
}
