package escpos

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/BurntSushi/toml"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/receipt/session"
)

// Fence says how a printer proves that it has printed.
type Fence string

// Fences, the best first.
const (
	ByID     Fence = "process-id" // answers GS ( H after all printing before it
	BySensor Fence = "sensor"     // answers GS r in turn with the text; weaker
	None     Fence = "none"       // a job ends in Sent
)

// Drawer says which level of the drawer's switch means open. It depends on the
// drawer, not on the printer: close and open it once, and look.
type Drawer string

// Levels of an open drawer.
const (
	OpenHigh Drawer = "high"
	OpenLow  Drawer = "low"
	NoSwitch Drawer = "none"
)

func (d Drawer) open(pin bool) bool {
	return d == OpenHigh && pin || d == OpenLow && !pin
}

// Table is a character code table of ESC t.
type Table struct {
	Number byte // n of ESC t
	Page   *receipt.Page
}

// Profile says what a model can do.
type Profile struct {
	Name        string
	Note        string
	Columns     int     // of font A
	Dots        int     // of those columns
	DPI         int     // dots per inch
	Pages       []Table // best first
	BackChannel bool    // answers DLE EOT; without it a job ends in Sent
	Fence       Fence   // needs BackChannel
	Drawer      Drawer
	NoCutter    bool
	Timing      session.Timing
}

func (p Profile) charset() receipt.Charset {
	charset := make(receipt.Charset, len(p.Pages))
	for i, t := range p.Pages {
		charset[i] = t.Page
	}
	return charset
}

//go:embed profiles
var profileFiles embed.FS

// Profiles are the models that were thought of; look them up by Name. The first
// is the usual one.
var Profiles = mustLoad(profileFiles)

// usual is the profile of a printer of which nothing is said.
const usual = "epson"

func mustLoad(files fs.FS) []Profile {
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
		p, err := ParseProfile(string(text))
		if err != nil {
			panic(fmt.Errorf("%s: %w", name, err))
		}
		if p.Name == usual {
			all = append([]Profile{p}, all...)
			continue
		}
		all = append(all, p)
	}
	return all
}

// profileText is a profile as it stands in its file.
type profileText struct {
	Name    string      `toml:"name"`
	Note    string      `toml:"note"`
	Columns int         `toml:"columns"`
	Dots    int         `toml:"dots"`
	DPI     int         `toml:"dpi"`
	Status  bool        `toml:"status"`
	Fence   Fence       `toml:"fence"`
	Drawer  Drawer      `toml:"drawer"`
	Cutter  bool        `toml:"cutter"`
	Pages   []tableText `toml:"page"`
}

type tableText struct {
	Number int    `toml:"number"`
	Name   string `toml:"name"`
	Upper  string `toml:"upper"` // 128 characters of a table that is the maker's own
}

// ParseProfile reads the text of a profile file.
func ParseProfile(text string) (Profile, error) {
	var t profileText
	meta, err := toml.Decode(text, &t)
	if err != nil {
		return Profile{}, fmt.Errorf("printer profile: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Profile{}, fmt.Errorf("printer profile: key %v is not known", unknown[0])
	}
	p := Profile{Name: t.Name, Note: t.Note, Columns: t.Columns, Dots: t.Dots, DPI: t.DPI,
		BackChannel: t.Status, Fence: t.Fence, Drawer: t.Drawer, NoCutter: !t.Cutter}
	for _, page := range t.Pages {
		table, err := page.table()
		if err != nil {
			return Profile{}, fmt.Errorf("printer profile %s: %w", t.Name, err)
		}
		p.Pages = append(p.Pages, table)
	}
	if err := p.check(); err != nil {
		return Profile{}, fmt.Errorf("printer profile %s: %w", t.Name, err)
	}
	return p, nil
}

func (t tableText) table() (Table, error) {
	if t.Number < 0 || t.Number > 255 {
		return Table{}, fmt.Errorf("page number %d: want 0 to 255", t.Number)
	}
	page, err := receipt.StandardPage(t.Name)
	if t.Upper != "" {
		page, err = receipt.OwnPage(t.Name, strings.ReplaceAll(t.Upper, "\n", ""))
	}
	return Table{Number: byte(t.Number), Page: page}, err
}

func (p Profile) check() error {
	switch {
	case p.Name == "":
		return errors.New("has no name")
	case p.Columns < 24 || p.Columns > 64 || p.Dots < 8*p.Columns || p.Dots > 1024:
		return fmt.Errorf("%d columns on %d dots", p.Columns, p.Dots)
	case len(p.Pages) == 0:
		return errors.New("has no code page")
	case p.Fence != ByID && p.Fence != BySensor && p.Fence != None:
		return fmt.Errorf("fence %q is none of %q", p.Fence, []Fence{ByID, BySensor, None})
	case p.Fence != None && !p.BackChannel:
		return errors.New("a fence needs status")
	case p.Drawer != OpenHigh && p.Drawer != OpenLow && p.Drawer != NoSwitch:
		return fmt.Errorf("drawer %q is none of %q", p.Drawer, []Drawer{OpenHigh, OpenLow, NoSwitch})
	}
	return nil
}
