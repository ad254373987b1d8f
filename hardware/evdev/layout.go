package evdev

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// Layout is what each key types in one country. It is one file.
type Layout struct {
	Name  string // of the file, such as "us"
	Title string // for people
	keys  map[uint16][levels]sign
}

// sign is one character of a key.
type sign struct {
	char rune // 0: none
	dead bool // char is an accent for the next character
}

// Levels of a key.
const (
	plain   = 0
	shifted = 1
	altGr   = 2
	levels  = 4
)

// maxCode is the last key of a keyboard that types.
const maxCode = 127

// bearer stands before an accent in a file, so that it can be seen.
const bearer = '◌'

// accents are the accents that wait for a letter, and what they are alone.
var accents = map[rune]rune{
	'\u0300': '`', '\u0301': '´', '\u0302': '^', '\u0303': '~', '\u0308': '¨', '\u0327': '¸',
}

//go:embed layouts/*.toml
var layoutFiles embed.FS

var shipped = sync.OnceValues(func() (map[string]Layout, error) {
	files, err := fs.Sub(layoutFiles, "layouts")
	if err != nil {
		return nil, err
	}
	return loadLayouts(files)
})

// Layouts names the countries whose layouts are shipped.
func Layouts() []string { return slices.Sorted(maps.Keys(table())) }

// FindLayout returns the layout of a country.
func FindLayout(name string) (Layout, error) {
	l, ok := table()[name]
	if !ok {
		return Layout{}, fmt.Errorf("keyboard layout %q is none of %s", name,
			strings.Join(Layouts(), ", "))
	}
	return l, nil
}

func table() map[string]Layout {
	all, err := shipped()
	if err != nil {
		panic(err) // a file that was built in: no test has passed since
	}
	return all
}

func usLayout() Layout { return table()["us"] }

func loadLayouts(files fs.FS) (map[string]Layout, error) {
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		return nil, fmt.Errorf("list keyboard layouts: %w", err)
	}
	all := make(map[string]Layout, len(names))
	var wrong []error
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read keyboard layout: %w", err)
		}
		l, err := ParseLayout(strings.TrimSuffix(path.Base(name), ".toml"), text)
		all[l.Name] = l
		wrong = append(wrong, err)
	}
	return all, errors.Join(wrong...)
}

// ParseLayout reads the file of a layout: for each key, by the kernel's code,
// what it types alone, with Shift, with AltGr and with both.
func ParseLayout(name string, text []byte) (Layout, error) {
	file := struct {
		Title string              `toml:"title"`
		Keys  map[string][]string `toml:"keys"`
	}{}
	read, err := toml.Decode(string(text), &file)
	if err != nil {
		return Layout{}, fmt.Errorf("keyboard layout %s: %w", name, err)
	}
	if unknown := read.Undecoded(); len(unknown) > 0 {
		return Layout{}, fmt.Errorf("keyboard layout %s: there is no field %q", name, unknown[0])
	}
	if file.Title == "" || len(file.Keys) == 0 {
		return Layout{}, fmt.Errorf("keyboard layout %s: it needs a title and keys", name)
	}
	l := Layout{Name: name, Title: file.Title, keys: make(map[uint16][levels]sign, len(file.Keys))}
	for _, code := range slices.Sorted(maps.Keys(file.Keys)) {
		n, err := strconv.ParseUint(code, 10, 16)
		if err != nil || n == 0 || n > maxCode {
			return Layout{}, fmt.Errorf("keyboard layout %s: key %q is no code from 1 to %d",
				name, code, maxCode)
		}
		if l.keys[uint16(n)], err = parseKey(file.Keys[code]); err != nil {
			return Layout{}, fmt.Errorf("keyboard layout %s: key %s: %w", name, code, err)
		}
	}
	return l, nil
}

func parseKey(texts []string) (key [levels]sign, err error) {
	if len(texts) == 0 || len(texts) > levels {
		return key, fmt.Errorf("%d characters are not 1 to %d", len(texts), levels)
	}
	for i, text := range texts {
		accent, dead := strings.CutPrefix(text, string(bearer))
		char, n := utf8.DecodeRuneInString(accent)
		switch {
		case text == "": // nothing on this level
			continue
		case n != len(accent) || char == utf8.RuneError || char < ' ':
			return key, fmt.Errorf("%q is not one character", text)
		case dead && accents[char] == 0:
			return key, fmt.Errorf("%q is no accent that can wait for a letter", text)
		}
		key[i] = sign{char, dead}
	}
	return key, nil
}
