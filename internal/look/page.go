package look

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"sync"

	"holdfast.dev/stock/words"
)

// Shell is one page: what the frame around it needs to know, and its body.
// Only Title, Lang and Body are needed; a zero field leaves its part out.
type Shell struct {
	Title string // what the browser's tab says
	Lang  string // ISO 639-1 code of the reader's language
	Kiosk bool   // larger type and targets
	Name  string // the wordmark; empty means Holdfast
	Place string // small beside the wordmark: the store, or the console's cluster
	Home  string // where the wordmark leads; empty means "/"

	Nav    []Link        // at most five on a phone
	Status template.HTML // always visible, top right: link state, devices, who is signed in
	Body   template.HTML // inside <main>
	Foot   template.HTML // below everything

	Width string // class of <main>: "" for 1120 px, "wide", "narrow"
	Live  string // URL of the server-sent events that this page follows
	Scan  string // URL that the scans of a keyboard wedge are posted to
}

// Link is one entry of the navigation.
type Link struct {
	Href    string
	Label   string
	Icon    string // a name in icons.svg
	Current bool   // the reader is here
	Count   int    // how much waits there; zero shows nothing
}

//go:embed shell.html
var shellSource string

var shell = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("shell").Funcs(Funcs()).Parse(shellSource))
})

// Page answers with p. The page is rendered whole before the first byte goes
// out, so that an error of the template leaves the answer to the caller.
func Page(w http.ResponseWriter, status int, p Shell) error {
	if _, known := words.ParseLang(p.Lang); !known {
		p.Lang = string(words.EN)
	}
	if p.Name == "" {
		p.Name = "Holdfast"
	}
	if p.Home == "" {
		p.Home = "/"
	}
	var page bytes.Buffer
	if err := shell().Execute(&page, p); err != nil {
		return fmt.Errorf("render page %q: %w", p.Title, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Set("Content-Language", p.Lang)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	w.WriteHeader(status)
	if _, err := page.WriteTo(w); err != nil {
		return fmt.Errorf("write page %q: %w", p.Title, err)
	}
	return nil
}

// Fragment answers with a piece of a page, for a form with data-ajax or a scan.
func Fragment(w http.ResponseWriter, status int, piece template.HTML) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, string(piece)); err != nil {
		return fmt.Errorf("write fragment: %w", err)
	}
	return nil
}
