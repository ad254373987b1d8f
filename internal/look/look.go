// Package look is the one appearance of kiosk, storefront and console: the
// stylesheet, font, icons and scripts, the frame around every page, and the
// pictures of product categories. LOOK.md tells page authors how to use it.
package look

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed static
var static embed.FS

// prefix is where Handler expects to be mounted.
const prefix = "/look/"

// asset is one file as it is served.
type asset struct {
	url     string // with its hash, so that it may be cached for ever
	kind    string // content type
	body    []byte
	gzipped []byte // nil where it would not be smaller
}

// assets holds every file twice: under its name and under its hashed URL.
var assets = sync.OnceValue(loadAssets)

// contentTypes lists every kind of file in static; another kind is a mistake.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".txt":   "text/plain; charset=utf-8",
	".woff2": "font/woff2",
}

// Handler serves the files of Asset below /look/. A hashed URL may be cached
// for ever; the bare name always answers with the present version.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		a, ok := assets()[strings.TrimPrefix(r.URL.Path, prefix)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		a.serve(w, r)
	})
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Path == a.url {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	tag := `"` + a.url + `"`
	h.Set("ETag", tag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.body
	if a.gzipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.gzipped
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the browser went away; there is nobody to tell
	}
}

// Asset gives the URL of a file, with its hash: Asset("look.css") is like
// "/look/look.3f9a1c20.css". It panics for a file that does not exist, because
// only a template can ask for one.
func Asset(name string) string {
	a, ok := assets()[name]
	if !ok {
		panic("look has no asset " + name)
	}
	return a.url
}

// loadAssets reads files in an order in which every file comes after those it
// names, so that the hash of a file changes with anything below it.
func loadAssets() map[string]*asset {
	all := map[string]*asset{}
	rewritten := map[string]string{} // how a file is named in another -> hashed URL
	for _, name := range loadOrder() {
		body, err := static.ReadFile("static/" + name)
		if err != nil {
			panic(fmt.Errorf("read embedded %s: %w", name, err))
		}
		ext := path.Ext(name)
		if ext == ".css" || ext == ".js" {
			for from, to := range rewritten {
				body = bytes.ReplaceAll(body, []byte(from), []byte(to))
			}
		}
		a := newAsset(name, body)
		all[name] = a
		all[strings.TrimPrefix(a.url, prefix)] = a
		switch ext {
		case ".woff2":
			rewritten["url("+name+")"] = "url(" + a.url + ")"
		case ".js":
			rewritten[`"./`+name+`"`] = `"` + a.url + `"`
		}
	}
	return all
}

// loadOrder lists the files below static: fonts and pictures, then scripts with
// the imported before the importing, then the stylesheet.
func loadOrder() []string {
	rank := map[string]int{"sound.js": 1, "live.js": 2, "fields.js": 3, "scan.js": 3, "look.css": 4}
	var names []string
	err := fs.WalkDir(static, "static", func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(file, "static/"))
		}
		return err
	})
	if err != nil {
		panic(fmt.Errorf("list embedded files: %w", err))
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank[a] - rank[b] })
	return names
}

func newAsset(name string, body []byte) *asset {
	ext := path.Ext(name)
	kind, known := contentTypes[ext]
	if !known {
		panic("no content type for " + name)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:4])
	a := &asset{url: prefix + strings.TrimSuffix(name, ext) + "." + hash + ext, kind: kind, body: body}
	var small bytes.Buffer
	zip := gzip.NewWriter(&small)
	_, _ = zip.Write(body) // a bytes.Buffer takes everything
	_ = zip.Close()
	if small.Len() < len(body)*9/10 {
		a.gzipped = small.Bytes()
	}
	return a
}

// policy allows nothing but our own files: no inline script or style, no other
// origin. A page that needs more sets its own Content-Security-Policy.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// SecurityHeaders sets the policy under which the pages run, and its
// neighbours, before next answers.
func SecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(self), geolocation=(self), microphone=(), payment=()")
		next.ServeHTTP(w, r)
	})
}
