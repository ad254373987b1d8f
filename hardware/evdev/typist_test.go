package evdev

import (
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

func TestABadLayoutIsRefusedInASentence(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"no TOML":  {"title", "keyboard layout x: "},
		"no title": {"[keys]\n30 = [\"a\"]", "it needs a title and keys"},
		"no keys":  {"title = \"T\"", "it needs a title and keys"},
		"another field": {"title = \"T\"\ncountry = 1\n[keys]\n30 = [\"a\"]",
			`there is no field "country"`},
		"a key by its name": {"title = \"T\"\n[keys]\na = [\"a\"]",
			`key "a" is no code from 1 to 127`},
		"a key too far": {"title = \"T\"\n[keys]\n128 = [\"a\"]", `key "128" is no code`},
		"two characters": {"title = \"T\"\n[keys]\n30 = [\"ab\"]",
			`key 30: "ab" is not one character`},
		"a control": {"title = \"T\"\n[keys]\n30 = [\"\\u0007\"]",
			"is not one character"},
		"no character": {"title = \"T\"\n[keys]\n30 = []", "0 characters are not 1 to 4"},
		"five levels": {"title = \"T\"\n[keys]\n30 = [\"a\", \"b\", \"c\", \"d\", \"e\"]",
			"5 characters"},
		"a letter that waits": {"title = \"T\"\n[keys]\n30 = [\"◌a\"]", "is no accent"},
		"a bearer alone":      {"title = \"T\"\n[keys]\n30 = [\"◌\"]", "is not one character"},
	} {
		_, err := ParseLayout("x", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
	_, err := loadLayouts(fstest.MapFS{"a.toml": {Data: []byte("x")},
		"b.toml": {Data: []byte("y")}})
	if err == nil || !strings.Contains(err.Error(), "layout a:") ||
		!strings.Contains(err.Error(), "layout b:") {
		t.Errorf("a folder of bad layouts = %v, want both named", err)
	}
}

func TestTheShippedLayoutsTypeAllOfASCII(t *testing.T) {
	for _, name := range Layouts() {
		l, err := FindLayout(name)
		if err != nil || l.Title == "" || l.Name != name {
			t.Fatalf("layout %s = %+v, %v", name, l, err)
		}
		found := map[rune]bool{}
		for _, signs := range l.keys {
			for _, s := range signs {
				if s.dead {
					s.char = accents[s.char]
				}
				found[s.char] = true
			}
		}
		for c := ' '; c <= '~'; c++ {
			if !found[c] {
				t.Errorf("no key of %s types %q", name, c)
			}
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("\x01\x00\x1e\x00\x01\x00\x00\x00"), "us")
	f.Add([]byte("\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "de")
	f.Fuzz(func(t *testing.T, short []byte, country string) {
		layout, err := FindLayout(country)
		if err != nil {
			layout = usLayout()
		}
		none := func(uint16) bool { return false }
		ty := typist{layout: layout}
		ty.forget(none)
		for len(short) >= 8 { // the time of day says nothing
			event := append(make([]byte, 16), short[:8]...)
			short = short[8:]
			if ty.take(decode(event)) {
				ty.forget(none)
			}
			if len(ty.alt) > maxAltDigits {
				t.Fatalf("%d digits wait", len(ty.alt))
			}
		}
		if out := ty.typed(); !utf8.Valid(out) || len(out) > len(short)*utf8.UTFMax+1<<20 {
			t.Errorf("typed %q", out)
		}
		// Whatever came before, all keys let go, an Enter and a symbol are a symbol.
		ty.take(event{typeSync, syncReport, 0})
		for code := range uint16(maxCode) {
			ty.take(event{typeKey, code, keyUp})
		}
		ty.caps = false
		ty.take(event{typeKey, keyEnter, keyDown})
		ty.typed()
		ty.take(event{typeKey, 3, keyDown})
		ty.take(event{typeKey, keyEnter, keyDown})
		if out := string(ty.typed()); out != "2\r" {
			t.Errorf("a digit and Enter type %q", out)
		}
	})
}

func FuzzLayout(f *testing.F) {
	f.Add("title = \"T\"\n[keys]\n30 = [\"a\", \"◌\u0301\"]")
	f.Add("title = \"T\"\nkeys = {0 = []}")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLayout("fuzz", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "keyboard layout fuzz: ") {
				t.Errorf("%q does not say which layout", err)
			}
			return
		}
		for code, signs := range l.keys {
			for _, s := range signs {
				if code == 0 || code > maxCode || s.dead && accents[s.char] == 0 {
					t.Errorf("accepted key %d with %+v", code, s)
				}
			}
		}
	})
}
