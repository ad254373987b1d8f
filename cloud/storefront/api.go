package storefront

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// openAPI describes what a shop may call. The file covers head office too,
// which is not served here, so that part is taken out.
var openAPI = sync.OnceValues(func() ([]byte, error) { return publicAPI(shopv1.OpenAPI()) })

func serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	body, err := openAPI()
	if err != nil {
		http.Error(w, "the description cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// operation is what the page says of one call.
type operation struct {
	Method  string
	Path    string
	Summary string
}

type apiDoc struct {
	view
	Calls []operation
	Host  string
}

// apiPage tells programmers what they can call.
func apiPage(v *visit) error {
	calls, err := operations()
	if err != nil {
		return err
	}
	scheme := "http://"
	if v.r.TLS != nil {
		scheme = "https://"
	}
	return v.show(http.StatusOK, sheet{name: "api", title: v.T("api.title"), width: "narrow",
		data: apiDoc{view: v.view, Calls: calls, Host: scheme + v.r.Host}})
}

// operations lists the calls by path.
var operations = sync.OnceValues(func() ([]operation, error) {
	raw, err := openAPI()
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Summary string `json:"summary"`
			ID      string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("decode OpenAPI: %w", err)
	}
	var all []operation
	for p, calls := range doc.Paths {
		for method, call := range calls {
			o := operation{Method: strings.ToUpper(method), Path: p, Summary: call.Summary}
			if o.Summary == "" {
				_, o.Summary, _ = strings.Cut(call.ID, "_")
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b operation) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
	return all, nil
})

// api is an OpenAPI 2 document as far as it is looked into.
type api map[string]any

const publicTag = "Shop"

// publicAPI keeps the calls of the shop and what they refer to.
func publicAPI(raw []byte) ([]byte, error) {
	var doc api
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("decode OpenAPI: %w", err)
	}
	paths, _ := doc["paths"].(map[string]any)
	for p, calls := range paths {
		for method, call := range calls.(map[string]any) {
			if !tagged(call, publicTag) {
				delete(calls.(map[string]any), method)
			}
		}
		if len(calls.(map[string]any)) == 0 {
			delete(paths, p)
		}
	}
	info, _ := doc["info"].(map[string]any)
	info["title"], info["version"] = "Holdfast shop API", "v1"
	doc["tags"] = []any{map[string]any{"name": publicTag}}
	doc.prune(paths)
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode OpenAPI: %w", err)
	}
	return out, nil
}

func tagged(call any, tag string) bool {
	c, _ := call.(map[string]any)
	tags, _ := c["tags"].([]any)
	return len(tags) == 1 && tags[0] == tag
}

// prune drops the definitions that no call leads to.
func (doc api) prune(from any) {
	all, _ := doc["definitions"].(map[string]any)
	used := make(map[string]any)
	var visit func(any)
	visit = func(node any) {
		switch n := node.(type) {
		case []any:
			for _, one := range n {
				visit(one)
			}
		case map[string]any:
			if ref, ok := n["$ref"].(string); ok {
				name := path.Base(ref)
				if _, seen := used[name]; !seen {
					used[name] = all[name]
					visit(all[name])
				}
			}
			for _, one := range n {
				visit(one)
			}
		}
	}
	visit(from)
	doc["definitions"] = used
}
