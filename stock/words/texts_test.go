package words

import (
	"path"
	"strings"
	"testing"
)

// TestEveryTextIsWholeInEveryLanguage covers all files in texts: each text has
// every language, uses the same values in each, and can be parsed.
func TestEveryTextIsWholeInEveryLanguage(t *testing.T) {
	all, err := load()
	if err != nil {
		t.Error(err)
	}
	if len(all) == 0 {
		t.Error("no texts")
	}
	entries, err := files.ReadDir("texts")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		area := strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
		if strings.Trim(area, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("%s: an area is named in lower-case letters", e.Name())
		}
	}
}

func TestTextWithoutALanguageOrWithOtherValuesIsAMistake(t *testing.T) {
	whole := func(change func(map[Lang]string)) map[Lang]string {
		raw := map[Lang]string{NL: "{n} stuks", DA: "{n} stk.", DE: "{n} Stück", EN: "{n} pieces"}
		change(raw)
		return raw
	}
	tests := []struct {
		name   string
		change func(map[Lang]string)
		want   string // part of the mistake; empty: none
	}{
		{"whole", func(map[Lang]string) {}, ""},
		{"danish missing", func(r map[Lang]string) { delete(r, DA) }, "da is missing"},
		{"swedish", func(r map[Lang]string) { r["sv"] = "{n}" }, "no language"},
		{"other value", func(r map[Lang]string) { r[DE] = "{count} Stück" }, "de uses"},
		{"value missing", func(r map[Lang]string) { r[EN] = "pieces" }, "en uses"},
		{"empty", func(r map[Lang]string) { r[EN] = "" }, "empty"},
		{"space around", func(r map[Lang]string) { r[EN] = " {n} pieces" }, "spaces"},
		{"brace open", func(r map[Lang]string) { r[NL] = "{n stuks" }, "no }"},
		{"brace closed", func(r map[Lang]string) { r[NL] = "n} stuks" }, "unopened"},
		{"bracket open", func(r map[Lang]string) { r[NL] = "[{n} stuks" }, "no ]"},
		{"nothing optional", func(r map[Lang]string) { r[NL] = "[stuks] {n}" }, "can be missing"},
		{"one form", func(r map[Lang]string) { r[NL] = "{n|stuks}" }, "1 forms"},
		{"bad name", func(r map[Lang]string) { r[NL] = "{N} stuks" }, "no name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := compile(whole(tt.change))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("compile: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("compile: %v, want a mistake with %q", err, tt.want)
			}
		})
	}
}

func TestTextFillsInValuesAndNumbers(t *testing.T) {
	tests := []struct {
		text string
		args []any
		want string
	}{
		{"Scan a product", nil, "Scan a product"},
		{"{name} is here", []any{"name", "Ada"}, "Ada is here"},
		{"{name} is here", []any{"name", "{n} [x]"}, "{n} [x] is here"},
		{"{name} is here", nil, "{name} is here"},
		{"{n|1 unit|# units}", []any{"n", 1}, "1 unit"},
		{"{n|1 unit|# units}", []any{"n", 0}, "0 units"},
		{"{n|1 unit|# units}", []any{"n", 12345}, "12,345 units"},
		{"{n|1 unit|# units}", []any{"n", "350 g"}, "350 g units"},
		{"{n|none|one|#} left", []any{"n", 0}, "none left"},
		{"{n|none|one|#} left", []any{"n", 1}, "one left"},
		{"{n|none|one|#} left", []any{"n", 2}, "2 left"},
		{"Set aside[ for {name}].", []any{"name", "Ada"}, "Set aside for Ada."},
		{"Set aside[ for {name}].", nil, "Set aside."},
		{"Set aside[ for {name}| for you].", nil, "Set aside for you."},
		{"[{a} and {b}|{a}[ alone, at {c}]]", []any{"a", "x"}, "x"},
		{"a | b", nil, "a | b"},
		{"{name}", []any{"name"}, "{name}"},
	}
	for _, tt := range tests {
		m, err := parse(tt.text)
		if err != nil {
			t.Errorf("parse %q: %v", tt.text, err)
			continue
		}
		if got, _ := m.say(EN, pairs(tt.args)); got != tt.want {
			t.Errorf("%q with %v = %q, want %q", tt.text, tt.args, got, tt.want)
		}
	}
}

func TestKeyNamesTheTextInItsFile(t *testing.T) {
	if got, want := T(DA, "common.span.hours", "n", 2), "2 timer"; got != want {
		t.Errorf("T = %q, want %q", got, want)
	}
	if got, want := T("", "common.span.hours", "n", 1), "1 hour"; got != want {
		t.Errorf("T in no language = %q, want %q", got, want)
	}
	if got, want := T(DA, "common.no_such"), "common.no_such"; got != want {
		t.Errorf("T of an unknown key = %q, want %q", got, want)
	}
	for key := range texts() {
		if !Has(key) {
			t.Errorf("Has(%q) is false", key)
		}
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add("{n|none|one|#} left[ of {product}|]")
	f.Add("[[{a}]]{")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parse(text)
		if err != nil {
			return
		}
		m.say(DE, map[string]string{"n": "1", "a": "x"})
	})
}
