package storefront

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed static
var staticFiles embed.FS

// staticFile is a file with the hash of its content in its name, so that a
// browser may keep it for ever.
type staticFile struct {
	url  string
	body []byte
}

var statics = sync.OnceValue(func() map[string]staticFile {
	all := make(map[string]staticFile)
	for _, name := range []string{"storefront.css", "storefront.js"} {
		body, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			panic(fmt.Errorf("read embedded %s: %w", name, err))
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		url := "/shop/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:4]) + ext
		all[name] = staticFile{url, body}
	}
	return all
})

// staticURL gives the address of a file, for templates.
func staticURL(name string) (string, error) {
	f, ok := statics()[name]
	if !ok {
		return "", fmt.Errorf("no static file %s", name)
	}
	return f.url, nil
}

func serveStatic(w http.ResponseWriter, r *http.Request) {
	for name, f := range statics() {
		if f.url == r.URL.Path {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.body))
			return
		}
	}
	http.NotFound(w, r)
}

func serveRobots(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("User-agent: *\nDisallow: /cart\nDisallow: /pickups\n")) // a reader that left needs none
}
