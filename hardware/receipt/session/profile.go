package session

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"holdfast.dev/hardware/receipt"
)

// Fence says how a printer proves that it has printed; each language has its own.
type Fence string

// None is for printers that never say so: a job ends in Sent.
const None Fence = "none"

// Switch says which level of a drawer's switch means open. It depends on the
// drawer, not on the printer: close and open it once, and look.
type Switch string

// Levels of an open drawer.
const (
	OpenHigh Switch = "high"
	OpenLow  Switch = "low"
	NoSwitch Switch = "none"
)

// Open tells whether a level of the switch means that the drawer is open.
func (d Switch) Open(pin bool) bool {
	return d == OpenHigh && pin || d == OpenLow && !pin
}

// Table is one of a printer's character code tables.
type Table struct {
	Number byte // by which a command selects it
	Page   *receipt.Page
}

// Profile says what a model of printer can do.
type Profile struct {
	Name        string
	Note        string
	Language    string  // for makers that have several
	Columns     int     // of the large font
	Dots        int     // of those columns
	DPI         int     // dots per inch
	Pages       []Table // best first
	BackChannel bool    // says how it is; without it a job ends in Sent
	Fence       Fence   // needs BackChannel
	Drawer      Switch
	NoCutter    bool
	Timing      Timing
}

// Charset is the pages without their numbers.
func (p Profile) Charset() receipt.Charset {
	charset := make(receipt.Charset, len(p.Pages))
	for i, t := range p.Pages {
		charset[i] = t.Page
	}
	return charset
}

// Paper is what the model offers a receipt.
func (p Profile) Paper() receipt.Paper {
	return receipt.Paper{Columns: p.Columns, Dots: p.Dots, Charset: p.Charset()}
}

// Known is what a driver's profiles may name.
type Known struct {
	Usual     string // the profile of a printer of which nothing is said
	Languages []string
	Fences    []Fence
}

// MustLoad reads the profiles that a driver embeds below "profiles". The usual
// one comes first.
func MustLoad(files fs.FS, known Known) []Profile {
	names, err := fs.Glob(files, "profiles/*.toml")
	if err != nil {
		panic(err)
	}
	var all []Profile
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		p, err := ParseProfile(string(text), known)
		if err != nil {
			panic(fmt.Errorf("%s: %w", name, err))
		}
		if p.Name == known.Usual {
			all = append([]Profile{p}, all...)
			continue
		}
		all = append(all, p)
	}
	return all
}

// profileText is a profile as it stands in its file.
type profileText struct {
	Name     string      `toml:"name"`
	Note     string      `toml:"note"`
	Language string      `toml:"language"`
	Columns  int         `toml:"columns"`
	Dots     int         `toml:"dots"`
	DPI      int         `toml:"dpi"`
	Status   bool        `toml:"status"`
	Fence    Fence       `toml:"fence"`
	Drawer   Switch      `toml:"drawer"`
	Cutter   bool        `toml:"cutter"`
	Pages    []tableText `toml:"page"`
}

type tableText struct {
	Number uint8  `toml:"number"`
	Name   string `toml:"name"`
	Upper  string `toml:"upper"` // 128 characters of a table that is the maker's own
}

// ParseProfile reads the text of a profile file.
func ParseProfile(text string, known Known) (Profile, error) {
	var t profileText
	meta, err := toml.Decode(text, &t)
	if err != nil {
		return Profile{}, fmt.Errorf("printer profile: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Profile{}, fmt.Errorf("printer profile: key %v is not known", unknown[0])
	}
	p := Profile{Name: t.Name, Note: t.Note, Language: t.Language, Columns: t.Columns, Dots: t.Dots,
		DPI:         t.DPI,
		BackChannel: t.Status, Fence: t.Fence, Drawer: t.Drawer, NoCutter: !t.Cutter}
	for _, page := range t.Pages {
		table, err := page.table()
		if err != nil {
			return Profile{}, fmt.Errorf("printer profile %s: %w", t.Name, err)
		}
		p.Pages = append(p.Pages, table)
	}
	if err := p.check(known); err != nil {
		return Profile{}, fmt.Errorf("printer profile %s: %w", t.Name, err)
	}
	return p, nil
}

func (t tableText) table() (Table, error) {
	page, err := receipt.StandardPage(t.Name)
	if t.Upper != "" {
		page, err = receipt.OwnPage(t.Name, strings.ReplaceAll(t.Upper, "\n", ""))
	}
	return Table{Number: t.Number, Page: page}, err
}

const (
	fewestColumns, mostColumns = 24, 64
	leastCell                  = 8    // dots
	mostDots                   = 1024 // 128 mm
)

func (p Profile) check(known Known) error {
	switch {
	case p.Name == "":
		return errors.New("has no name")
	case len(known.Languages) > 0 && !slices.Contains(known.Languages, p.Language):
		return fmt.Errorf("language %q is none of %q", p.Language, known.Languages)
	case p.Columns < fewestColumns || p.Columns > mostColumns || p.Dots < leastCell*p.Columns ||
		p.Dots > mostDots:
		return fmt.Errorf("%d columns on %d dots", p.Columns, p.Dots)
	case len(p.Pages) == 0:
		return errors.New("has no code page")
	case p.Fence != None && !slices.Contains(known.Fences, p.Fence):
		return fmt.Errorf("fence %q is none of %q", p.Fence, append(known.Fences, None))
	case p.Fence != None && !p.BackChannel:
		return errors.New("a fence needs status")
	case p.Drawer != OpenHigh && p.Drawer != OpenLow && p.Drawer != NoSwitch:
		return fmt.Errorf("drawer %q is none of %q", p.Drawer,
			[]Switch{OpenHigh, OpenLow, NoSwitch})
	}
	return nil
}
