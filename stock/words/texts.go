package words

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

//go:embed texts/*.toml
var files embed.FS

// sentence is one text in every language.
type sentence map[Lang]message

// texts returns all texts by key. A text with a mistake is left out, so that it
// shows as its key and costs no page; the tests of this package refuse it.
var texts = sync.OnceValue(func() map[string]sentence {
	all, _ := load()
	return all
})

// T returns the text with this key. Its values follow as pairs of a name and a
// value, as in T(lang, "kiosk.pick.left", "n", 3). The result is plain text: a
// page escapes it. An unknown key is returned as it is.
//
// The text of [scan] hint in texts/kiosk.toml has the key "kiosk.scan.hint".
func T(lang Lang, key string, args ...any) string {
	s, ok := texts()[key]
	if !ok {
		return key
	}
	said, _ := s.in(lang).say(lang, pairs(args))
	return said
}

// Has tells whether there is a text with this key, for tests of pages.
func Has(key string) bool {
	_, ok := texts()[key]
	return ok
}

func (s sentence) in(lang Lang) message {
	if m, ok := s[lang]; ok {
		return m
	}
	return s[EN]
}

func pairs(args []any) map[string]string {
	values := make(map[string]string, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		values[fmt.Sprint(args[i])] = fmt.Sprint(args[i+1])
	}
	return values
}

// load reads every file and returns what is sound, with all that is not.
func load() (map[string]sentence, error) {
	all := make(map[string]sentence)
	entries, err := files.ReadDir("texts")
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	var mistakes []error
	for _, entry := range entries {
		var table map[string]any
		name := path.Join("texts", entry.Name())
		if _, err := toml.DecodeFS(files, name, &table); err != nil {
			mistakes = append(mistakes, fmt.Errorf("read %s: %w", name, err))
			continue
		}
		area := strings.TrimSuffix(entry.Name(), ".toml")
		mistakes = append(mistakes, collect(all, area, table)...)
	}
	return all, errors.Join(mistakes...)
}

// collect walks a table down to the texts, which are tables of strings.
func collect(all map[string]sentence, key string, table map[string]any) []error {
	var mistakes []error
	raw := make(map[Lang]string)
	for name, value := range table {
		switch value := value.(type) {
		case string:
			raw[Lang(name)] = value
		case map[string]any:
			mistakes = append(mistakes, collect(all, key+"."+name, value)...)
		default:
			mistakes = append(mistakes, fmt.Errorf("text %s.%s is no string", key, name))
		}
	}
	if len(raw) == 0 {
		return mistakes
	}
	s, err := compile(raw)
	if err != nil {
		return append(mistakes, fmt.Errorf("text %s: %w", key, err))
	}
	all[key] = s
	return mistakes
}

// compile demands every language, no other, and the same values in each.
func compile(raw map[Lang]string) (sentence, error) {
	s := make(sentence, len(raw))
	for lang, text := range raw {
		if _, ok := ParseLang(string(lang)); !ok {
			return nil, fmt.Errorf("%q is no language", lang)
		}
		if text == "" || strings.TrimSpace(text) != text {
			return nil, fmt.Errorf("%s is empty or has spaces around it", lang)
		}
		m, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", lang, err)
		}
		s[lang] = m
	}
	for _, lang := range Langs() {
		m, ok := s[lang]
		if !ok {
			return nil, fmt.Errorf("%s is missing", lang)
		}
		if got, want := distinct(m), distinct(s[NL]); !slices.Equal(got, want) {
			return nil, fmt.Errorf("%s uses %q where %s uses %q", lang, got, NL, want)
		}
	}
	return s, nil
}

func distinct(m message) []string {
	names := m.names()
	slices.Sort(names)
	return slices.Compact(names)
}
