package look

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"sync"

	"holdfast.dev/stock/words"
)

// Funcs is what every template may call:
//
//	icon "printer" ["icon-big"]          an icon of the sprite, hidden from screen readers
//	category "Cheese" ["small"|"big"]    the picture of a product category
//	categoryName "Cheese" "nl"           its name; an unknown category keeps its own
//	asset "look.css"                     a URL of Handler
//	gtin .GTIN, code .Code               numbers in groups, in the mono face
//	money "nl" 1299 "EUR", number "nl" 9 as package words writes them
//	t "nl" "kiosk.pick.left" "n" 3       a text of package words
//	linkState, device                    see the functions LinkState and Device
//	dict "a" 1 "b" 2                     several values for one sub-template
func Funcs() template.FuncMap {
	return template.FuncMap{
		"icon":         icon,
		"category":     category,
		"categoryName": func(category string, lang any) string { return CategoryName(category, fmt.Sprint(lang)) },
		"asset":        Asset,
		"gtin":         GTIN,
		"code":         code,
		"money":        func(lang any, minor int64, currency string) string { return words.Money(said(lang), minor, currency) },
		"number":       func(lang any, n int64) string { return words.Number(said(lang), n) },
		"t":            func(lang any, key string, args ...any) string { return words.T(said(lang), key, args...) },
		"said":         shellText,
		"linkState": func(lang any, connected bool, left int, since string) template.HTML {
			return LinkState(said(lang), connected, left, since)
		},
		"device": Device,
		"dict":   dict,
	}
}

// LinkState shows whether the line to the cloud is up: online, catching up with
// so many records left, or offline since a time that is already in words.
func LinkState(lang words.Lang, connected bool, left int, since string) template.HTML {
	state, text := "online", words.T(lang, "common.link.online")
	switch {
	case !connected && since == "":
		state, text = "offline", words.T(lang, "common.link.offline")
	case !connected:
		state, text = "offline", words.T(lang, "common.link.offline", "since", since)
	case left > 0:
		state, text = "catching-up", words.T(lang, "common.link.catching_up", "n", left)
	}
	return template.HTML(`<span class="link-state" data-state="` + state + `">` +
		template.HTMLEscapeString(text) + `</span>`)
}

// Device shows one device in the status slot. State is "ok", "warn" or "bad", or
// "who" for the person who is signed in. Small screens show only the icon of
// what is ok; its label stays for screen readers.
func Device(iconName, label, state string) template.HTML {
	return template.HTML(`<span class="device" data-state="`+template.HTMLEscapeString(state)+`">`) +
		icon(iconName) +
		template.HTML(`<span class="label">`+template.HTMLEscapeString(label)+`</span></span>`)
}

// GTIN writes the digits in the groups that stand below the bars of a symbol.
// Anything else is written as it is.
func GTIN(gtin any) template.HTML {
	digits := fmt.Sprint(gtin)
	if len(digits) == 14 && digits[0] == '0' {
		digits = digits[1:]
	}
	groups := map[int][]int{8: {4, 4}, 12: {1, 5, 5, 1}, 13: {1, 6, 6}, 14: {1, 1, 6, 6}}[len(digits)]
	return grouped("gtin", digits, groups)
}

// code writes a code that people read aloud, in fours.
func code(text any) template.HTML {
	s := fmt.Sprint(text)
	groups := make([]int, 0, len(s)/4+1)
	for rest := len(s); rest > 0; rest -= 4 {
		groups = append(groups, min(4, rest))
	}
	if strings.ContainsAny(s, " -") {
		groups = nil
	}
	return grouped("code", s, groups)
}

func grouped(class, text string, groups []int) template.HTML {
	var parts []string
	for rest := text; len(groups) > 0; groups = groups[1:] {
		parts, rest = append(parts, rest[:groups[0]]), rest[groups[0]:]
	}
	if parts == nil {
		parts = []string{text}
	}
	return template.HTML(`<span class="` + class + `">` +
		template.HTMLEscapeString(strings.Join(parts, " ")) + `</span>`)
}

// iconNames are the ids in icons.svg.
var iconNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	symbol := regexp.MustCompile(`<symbol id="([^"]+)"`)
	for _, match := range symbol.FindAllSubmatch(assets()["icons.svg"].body, -1) {
		names[string(match[1])] = true
	}
	return names
})

// icon panics for a name that is not in the sprite, as Asset does; a template
// turns that into its error.
func icon(name string, class ...string) template.HTML {
	if !iconNames()[name] {
		panic("look has no icon " + name)
	}
	classes := strings.Join(append([]string{"icon"}, class...), " ")
	return template.HTML(`<svg class="` + template.HTMLEscapeString(classes) + `" aria-hidden="true"><use href="` +
		Asset("icons.svg") + "#" + name + `"/></svg>`)
}

func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d values are not pairs", len(pairs))
	}
	d := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		d[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return d, nil
}

// said reads a language that a template holds as a string or as words.Lang.
func said(lang any) words.Lang { return words.Lang(fmt.Sprint(lang)) }

// shellTexts are the few words of the frame itself.
var shellTexts = map[string]map[words.Lang]string{
	"skip": {words.NL: "Naar de inhoud", words.DA: "Gå til indholdet",
		words.DE: "Zum Inhalt", words.EN: "Skip to content"},
	"menu": {words.NL: "Menu", words.DA: "Menu", words.DE: "Menü", words.EN: "Menu"},
	"lost": {
		words.NL: "Deze pagina loopt even achter. We proberen het opnieuw.",
		words.DA: "Siden er lidt bagud. Vi prøver igen.",
		words.DE: "Diese Seite ist gerade nicht aktuell. Wir versuchen es erneut.",
		words.EN: "This page is a little behind. Trying again.",
	},
	"no answer": {
		words.NL: "Nog geen antwoord. Druk gerust nog eens: het telt maar één keer.",
		words.DA: "Intet svar endnu. Tryk bare igen: det tæller kun én gang.",
		words.DE: "Noch keine Antwort. Drücken Sie ruhig noch einmal: Es zählt nur einmal.",
		words.EN: "No answer yet. Press again: it counts only once.",
	},
}

func shellText(lang, key string) string { return shellTexts[key][words.Lang(lang)] }
