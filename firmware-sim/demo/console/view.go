package console

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/internal/look"
	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

//go:embed console.html console.css
var files embed.FS

const (
	langCookie = "lang"
	beatEvery  = 10 * time.Second
	shownLog   = 14
)

var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("console").Funcs(look.Funcs()).Funcs(template.FuncMap{
		"when":  func(lang words.Lang, t, now time.Time) string { return words.When(lang, t, now) },
		"long":  func(n int32) int64 { return int64(n) },
		"door":  doorName,
		"grams": func(lang words.Lang, n int) string { return words.Quantity(lang, stock.Units(n), "g") },
	}).ParseFS(files, "console.html"))
})

// view is what the templates see.
type view struct {
	Lang     words.Lang
	Now      time.Time
	Seen     *snapshot
	At       place
	Places   []place
	Query    string
	Products []*shopv1.Product
	Head     *demo.Head
	Entries  []demo.Entry
	Modes    []storev1.Mode
}

// shelves are the labels of the shelves that orders wait on.
var shelves = []string{"SHELF-A1", "SHELF-A2", "SHELF-B1"}

// Shelves lists them for the templates, with the compartments of a store that
// has a locker.
func (v *view) Shelves() []string {
	all := slices.Clone(shelves)
	if x := v.Here().Extras; x != nil {
		for _, d := range x.Doors[:min(len(x.Doors), shownDoors)] {
			all = append(all, "SHELF-"+doorName(d))
		}
	}
	return all
}

// shownDoors is how many compartments stand among the labels to scan.
const shownDoors = 3

// Name is the watched product's name.
func (v *view) Name() string {
	if v.Seen.Names == nil {
		return v.Seen.Product
	}
	return v.Seen.Names[v.Lang]
}

// T is a sentence of the console.
func (v *view) T(key string, args ...any) string { return words.T(v.Lang, "console."+key, args...) }

// Said is the sentence of a log entry; a station in it is named in words.
func (v *view) Said(e demo.Entry) string {
	args := append([]any{}, e.Args...)
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "station" {
			args[i+1] = v.T("station." + fmt.Sprint(args[i+1]))
		}
	}
	return words.T(v.Lang, e.Key, args...)
}

// Where names the store of a log entry.
func (v *view) Where(e demo.Entry) string {
	for _, s := range v.Seen.Stores {
		if s.ID == e.Store {
			return s.Town
		}
	}
	return v.T("cloud.name")
}

// Here is the store whose station scans.
func (v *view) Here() storeNow {
	for _, s := range v.Seen.Stores {
		if s.Store == v.At.Store {
			return s
		}
	}
	return storeNow{}
}

// Role is the last part of the key of the words for how a member stands.
func (m memberNow) Role() string {
	switch s := m.Standing; {
	case !m.Program.Running:
		return "down"
	case s.ID == "" || s.Problem != "":
		return "silent"
	case s.Leader:
		return "leads"
	case !s.Voter:
		return "new"
	}
	return "follows"
}

// Mode is what a scan at a station of a store means now; unspecified while its
// node is away.
func (v *view) Mode(s storeNow, station string) storev1.Mode { return s.Stations[station].GetMode() }

// ModeWord is the last part of the keys of a mode's words.
func (v *view) ModeWord(m storev1.Mode) string {
	return strings.ToLower(strings.TrimPrefix(m.String(), "MODE_"))
}

// Link shows how a store is linked, as the store itself says.
func (v *view) Link(s storeNow) template.HTML {
	link := s.Info.GetLink()
	if s.Info == nil {
		return look.LinkState(v.Lang, false, 0, "")
	}
	left := 0
	if link.GetState() == "catching_up" {
		left = int(max(1, link.GetBacklog()))
	}
	return look.LinkState(v.Lang, link.GetState() != "offline", left, words.When(v.Lang, link.GetSince().AsTime(), v.Now))
}

// State is the word for how an order stands.
func (v *view) State(r *shopv1.Reservation) string {
	return v.T("order." + strings.ToLower(r.GetState().String()))
}

// Langs lists the languages that the console speaks.
func (v *view) Langs() []words.Lang { return words.Langs() }

// AnyReceipt tells whether some printer has printed.
func (v *view) AnyReceipt() bool {
	return slices.ContainsFunc(v.Seen.Stores, func(s storeNow) bool { return len(s.Receipts) > 0 })
}

// scannerNow is one scanner and whether its cable is in.
type scannerNow struct {
	At place
	In bool
}

// Scanners lists the scanners of a store.
func (v *view) Scanners(s storeNow) []scannerNow {
	var all []scannerNow
	for _, station := range demo.Stations() {
		all = append(all, scannerNow{place{s.Store, station}, s.Store.ScannerPlugged(station)})
	}
	return all
}

func (c *Console) view(r *http.Request) *view {
	seen, _ := c.latest()
	if seen == nil {
		c.look(r.Context())
		seen, _ = c.latest()
	}
	v := &view{Lang: language(r), Now: time.Now(), Seen: seen, At: c.placeOf(r.URL.Query().Get("at")),
		Query: strings.TrimSpace(r.URL.Query().Get("q")), Head: c.room.Head, Entries: c.room.Log.Last(shownLog),
		Modes: []storev1.Mode{storev1.Mode_MODE_SELL, storev1.Mode_MODE_RECEIVE, storev1.Mode_MODE_PICK,
			storev1.Mode_MODE_COLLECT, storev1.Mode_MODE_STOCK, storev1.Mode_MODE_RESHELVE}}
	for _, s := range c.room.Stores {
		for _, station := range demo.Stations() {
			v.Places = append(v.Places, place{s, station})
		}
	}
	return v
}

func language(r *http.Request) words.Lang {
	if cookie, err := r.Cookie(langCookie); err == nil {
		if lang, ok := words.ParseLang(cookie.Value); ok {
			return lang
		}
	}
	return words.Match(r.Header.Get("Accept-Language"), words.EN)
}

// servePage serves the whole console.
func (c *Console) servePage(w http.ResponseWriter, r *http.Request) {
	if lang, ok := words.ParseLang(r.URL.Query().Get("lang")); ok {
		http.SetCookie(w, &http.Cookie{Name: langCookie, Value: string(lang), Path: "/", MaxAge: 365 * 24 * 60 * 60,
			HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/?at="+c.placeOf(r.URL.Query().Get("at")).String(), http.StatusSeeOther)
		return
	}
	v := c.view(r)
	v.Products = c.shelf(r.Context(), v.Lang, v.Query)
	shell := look.Shell{Title: v.T("title"), Lang: string(v.Lang), Place: v.T("title"), Width: "wide",
		Live: "/events?at=" + v.At.String()}
	for name, to := range map[string]*template.HTML{"body": &shell.Body, "status": &shell.Status, "foot": &shell.Foot} {
		part, err := render(name, v)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		*to = template.HTML(part)
	}
	_ = look.Page(w, http.StatusOK, shell) // the browser went away
}

func render(name string, data any) (string, error) {
	var b bytes.Buffer
	if err := pages().ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return b.String(), nil
}

// pieces are the parts of the page that change by themselves, by their ids.
func pieces(v *view) (map[string]string, error) {
	all := make(map[string]string)
	for id, name := range map[string]string{"cloud": "cloud", "watched": "watched", "at": "at", "orders": "orders",
		"receipts": "receipts", "devices": "devices", "log": "log"} {
		part, err := render(name, v)
		if err != nil {
			return nil, err
		}
		all[id] = part
	}
	for _, s := range v.Seen.Stores {
		for _, name := range []string{"store", "machines"} {
			part, err := render(name, map[string]any{"V": v, "S": s})
			if err != nil {
				return nil, err
			}
			all[fmt.Sprintf("%s-%d", name, s.ID)] = part
		}
	}
	return all, nil
}

// serveEvents pushes every part of the page that has changed.
func (c *Console) serveEvents(w http.ResponseWriter, r *http.Request) {
	stream, ctx, err := process.OpenStream(w, r)
	if err != nil {
		return // the browser went away
	}
	c.count(1)
	defer c.count(-1)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	shown := make(map[string]string)
	for {
		_, news := c.latest()
		if err := c.push(stream, r, shown); err != nil {
			return // the same
		}
		select {
		case <-news:
		case <-beat.C:
			err = stream.Send("", "beat", "")
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *Console) count(n int) {
	c.mu.Lock()
	c.viewers += n
	c.mu.Unlock()
	c.poke()
}

func (c *Console) push(stream *process.Stream, r *http.Request, shown map[string]string) error {
	all, err := pieces(c.view(r))
	if err != nil {
		return err
	}
	for id, html := range all {
		if shown[id] == html {
			continue
		}
		shown[id] = html
		data, err := json.Marshal(map[string]string{"id": id, "html": html})
		if err != nil {
			return err
		}
		if err := stream.Send("", "html", string(data)); err != nil {
			return err
		}
	}
	return nil
}

// serveReceipt serves the picture or the text of a piece of paper.
func (c *Console) serveReceipt(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("store"), 10, 32)
	s, ok := c.room.Store(uint32(id))
	name, kind, _ := strings.Cut(r.PathValue("file"), ".")
	number, bad := strconv.Atoi(name)
	if err != nil || !ok || bad != nil {
		http.NotFound(w, r)
		return
	}
	for _, receipt := range s.Printer.Receipts() {
		if receipt.Number != number {
			continue
		}
		w.Header().Set("Cache-Control", "no-cache")
		if kind == "txt" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write([]byte(receipt.Text)) // the browser went away
			return
		}
		http.ServeFile(w, r, filepath.Clean(receipt.PNG))
		return
	}
	http.NotFound(w, r)
}

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	style, err := files.ReadFile("console.css")
	if err != nil {
		panic(fmt.Errorf("read embedded console.css: %w", err))
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(style) // the browser went away
}
