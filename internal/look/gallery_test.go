//go:build browser

package look

import (
	"bytes"
	"flag"
	"fmt"
	"html/template"
	"net/http"
	"testing"

	"holdfast.dev/stock/words"
)

var shots = flag.String("shots", "", "folder that the gallery's pictures are written to")

type galleryProduct struct {
	Name, Brand, Package, Category, Pill, Stock string
	Price                                       int64
}

// gallery serves a page with every part of the look, as pages will use it.
func gallery(t *testing.T) http.Handler {
	t.Helper()
	pages := template.Must(template.New("").Funcs(Funcs()).ParseFiles("testdata/gallery.html"))
	data := map[string]any{
		"Products": []galleryProduct{
			{"Rye crispbread", "Kornhjem", "250 g", "Bread and pastry", "pill-ok", "3 here", 189},
			{"Havarti block", "Oosterlee", "400 g", "Cheese", "pill-ok", "12 here", 539},
			{"Elstar apples", "Tjalk", "1 kg", "Fruit and vegetables", "pill-warn", "last one", 249},
			{"Smoked salmon", "Nordrev", "100 g", "Fish", "pill-bad", "sold out", 479},
			{"Espresso beans", "Kaffekaj", "500 g", "Coffee and tea", "pill-ok", "5 here", 1099},
			{"Sea salt crisps", "Knisperkram", "175 g", "Snacks and sweets", "pill-ok", "20+", 169},
			{"Clumping cat litter", "Snuf & Mjav", "10 l", "Pets", "pill-ok", "4 here", 749},
			{"Vanilla ice cream", "Poolwinkel", "900 ml", "Frozen", "pill-ok", "9 here", 429},
		},
		"Categories": []string{"Fruit and vegetables", "Bread and pastry", "Dairy and eggs", "Cheese", "Fish", "Frozen", "Drinks"},
		"All": []string{"produce", "bread", "dairy", "cheese", "meat", "fish", "meals", "frozen", "pantry", "breakfast",
			"snacks", "drinks", "coffee", "alcohol", "household", "care", "baby", "pets", "home", "?"},
		"Keys": []int{1, 2, 3, 4, 5, 6, 7, 8, 9},
	}
	mux := http.NewServeMux()
	mux.Handle("/look/", Handler())
	for _, name := range []string{"shop", "pick", "parts"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			if err := pages.ExecuteTemplate(&body, name, data); err != nil {
				t.Error(err)
			}
			p := Shell{Title: name, Lang: "en", Body: template.HTML(body.String())}
			p.Kiosk = r.FormValue("kiosk") != ""
			p.Place = "Utrecht"
			p.Nav = galleryNav(name)
			p.Status = LinkState(words.EN, name != "pick", 0, "14:02") + Device("printer", "Printer", "ok") +
				Device("scan-barcode", "Scanner", "ok") + Device("user", "Noor", "who")
			if name == "shop" {
				p.Status = LinkState(words.EN, true, 0, "")
			}
			if err := Page(w, http.StatusOK, p); err != nil {
				t.Error(err)
			}
		})
	}
	return SecurityHeaders(mux)
}

func html(s string) template.HTML { return template.HTML(s) }

func galleryNav(name string) []Link {
	if name == "shop" {
		return []Link{{Href: "/shop", Label: "Shop", Icon: "store", Current: true},
			{Href: "/x", Label: "Stores", Icon: "map-pin"}, {Href: "/x", Label: "Basket", Icon: "shopping-basket", Count: 2},
			{Href: "/x", Label: "Pickups", Icon: "package"}}
	}
	return []Link{{Href: "/parts", Label: "Counter", Icon: "house", Current: name == "parts"},
		{Href: "/pick", Label: "Pick", Icon: "clipboard-list", Count: 3, Current: name == "pick"},
		{Href: "/x", Label: "Hand over", Icon: "package-check"}, {Href: "/x", Label: "Stock", Icon: "archive"},
		{Href: "/x", Label: "More", Icon: "menu"}}
}

// view is one way of looking at the gallery.
type view struct {
	page          string
	width, height int
	kiosk, dark   bool
}

func views() []view {
	var all []view
	for _, page := range []string{"shop", "pick", "parts"} {
		for _, dark := range []bool{false, true} {
			all = append(all, view{page, 390, 844, false, dark}, view{page, 1280, 800, page != "shop", dark})
		}
	}
	return all
}

func (v view) name() string {
	name := fmt.Sprintf("%s-%d", v.page, v.width)
	if v.dark {
		name += "-dark"
	}
	return name
}

func (v view) path() string {
	if v.kiosk {
		return "/" + v.page + "?kiosk=1"
	}
	return "/" + v.page
}
