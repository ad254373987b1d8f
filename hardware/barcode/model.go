package barcode

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
)

// Model is how one model of scanner, or one of its modes, is connected: what a
// configuration would otherwise have to say for each device. It is one file.
type Model struct {
	Name   string `toml:"-"`      // of the file, such as "zebra-rs232"
	Title  string `toml:"title"`  // for people
	Driver Driver `toml:"driver"` // which driver talks to it

	// Of a serial line. Parity, Flow and Handshake are none when empty.
	Baud     int    `toml:"baud"`
	DataBits int    `toml:"data_bits"`
	Parity   string `toml:"parity"` // none, even, odd
	StopBits int    `toml:"stop_bits"`
	Flow     string `toml:"flow"` // none, rtscts, xonxoff

	// Of its frames. A packet protocol knows only AIM.
	Suffix    string            `toml:"suffix"` // as ParseSuffix reads it
	Prefix    string            `toml:"prefix"`
	Handshake string            `toml:"handshake"` // none, acknak
	AIM       string            `toml:"aim"`       // as ParseAIM reads it
	CodeIDs   map[string]string `toml:"code_ids"`
	IdleGap   time.Duration     `toml:"idle_gap"`
	MinRescan time.Duration     `toml:"min_rescan"`

	// Of a keyboard.
	Layout      string   `toml:"layout"`       // of the country that it types for
	DeviceNames []string `toml:"device_names"` // one of these words is in its name

	Setup Setup `toml:"setup"`
	// Unchecked names the fields that no manual vouches for.
	Unchecked []string `toml:"unchecked"`
}

// Setup tells a field engineer how to make the scanner fit its Model.
type Setup struct {
	Manual string   `toml:"manual"` // where the steps and figures come from
	Steps  []string `toml:"steps"`
}

// Driver names who talks to a scanner.
type Driver string

// Drivers of scanners.
const (
	Serial   Driver = "serial" // frames on a serial line
	TCP      Driver = "tcp"    // frames on a network connection
	SSI      Driver = "ssi"    // packets of Zebra's Simple Serial Interface, on a serial line
	Keyboard Driver = "evdev"  // keys of a keyboard that nobody types on
)

// Words that a model may use for its line.
var (
	parities   = []string{"", "none", "even", "odd"}
	flows      = []string{"", "none", "rtscts", "xonxoff"}
	handshakes = []string{"", "none", "acknak"}
)

//go:embed models/*.toml
var modelFiles embed.FS

var shipped = sync.OnceValues(func() ([]Model, error) {
	files, err := fs.Sub(modelFiles, "models")
	if err != nil {
		return nil, err
	}
	return LoadModels(files)
})

// Models gives the table of the models that are shipped, by name.
func Models() []Model {
	all, err := shipped()
	if err != nil {
		panic(err) // a file that was built in: no test has passed since
	}
	return slices.Clone(all)
}

// FindModel returns the model of this name.
func FindModel(name string) (Model, error) {
	all := Models()
	i := slices.IndexFunc(all, func(m Model) bool { return m.Name == name })
	if i < 0 {
		names := make([]string, len(all))
		for i, m := range all {
			names[i] = m.Name
		}
		return Model{}, fmt.Errorf("scanner model %q is none of %s",
			name, strings.Join(names, ", "))
	}
	return all[i], nil
}

// LoadModels reads each .toml file of a folder as a model, and says what is
// wrong with any.
func LoadModels(files fs.FS) ([]Model, error) {
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		return nil, fmt.Errorf("list scanner models: %w", err)
	}
	var all []Model
	var wrong []error
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read scanner model: %w", err)
		}
		m, err := ParseModel(strings.TrimSuffix(path.Base(name), ".toml"), text)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		all = append(all, m)
	}
	return all, errors.Join(wrong...)
}

// ParseModel reads the file of a model.
func ParseModel(name string, text []byte) (Model, error) {
	m := Model{Name: name}
	read, err := toml.Decode(string(text), &m)
	if err != nil {
		return Model{}, fmt.Errorf("scanner model %s: %w", name, err)
	}
	if unknown := read.Undecoded(); len(unknown) > 0 {
		return Model{}, fmt.Errorf("scanner model %s: there is no field %q", name, unknown[0])
	}
	for _, field := range m.Unchecked {
		if !read.IsDefined(field) {
			return Model{}, fmt.Errorf("scanner model %s: unchecked %q is not set", name, field)
		}
	}
	if err := m.check(); err != nil {
		return Model{}, fmt.Errorf("scanner model %s: %w", name, err)
	}
	return m, nil
}

// Config is how New makes a scanner of this model.
func (m Model) Config() Config {
	suffix, _ := ParseSuffix(m.Suffix) // both were checked
	aim, _ := ParseAIM(m.AIM)
	return Config{
		Suffix: suffix, Prefix: m.Prefix, AIM: aim, CodeIDs: maps.Clone(m.CodeIDs),
		Handshake: m.Handshake == "acknak", IdleGap: m.IdleGap, MinRescan: m.MinRescan,
	}
}

// check says what a model cannot be.
func (m Model) check() error {
	if m.Title == "" {
		return errors.New("title is missing")
	}
	if m.Setup.Manual == "" || len(m.Setup.Steps) == 0 {
		return errors.New("setup needs a manual and at least one step")
	}
	if err := m.checkFrames(); err != nil {
		return err
	}
	switch m.Driver {
	case Serial, SSI:
		return m.checkLine()
	case TCP:
		return m.checkAbsent("a network connection", map[string]bool{
			"baud": m.Baud != 0, "data_bits": m.DataBits != 0, "parity": m.Parity != "",
			"stop_bits": m.StopBits != 0, "flow": m.Flow != "", "layout": m.Layout != ""})
	case Keyboard:
		if m.Layout == "" {
			return errors.New("a keyboard needs a layout")
		}
		return m.checkAbsent("a keyboard", map[string]bool{
			"baud": m.Baud != 0, "parity": m.Parity != "", "flow": m.Flow != "",
			"handshake": m.Handshake != ""})
	}
	return fmt.Errorf("driver %q is none of %s, %s, %s, %s", m.Driver, Serial, TCP, SSI, Keyboard)
}

func (m Model) checkFrames() error {
	if _, err := ParseSuffix(m.Suffix); err != nil {
		return err
	}
	if _, err := ParseAIM(m.AIM); err != nil {
		return err
	}
	if !slices.Contains(handshakes, m.Handshake) {
		return fmt.Errorf("handshake %q is neither none nor acknak", m.Handshake)
	}
	for id, aim := range m.CodeIDs {
		if got, _ := SplitAIM([]byte(aim)); id == "" || got != aim {
			return fmt.Errorf("code id %q stands for %q, which is no AIM identifier", id, aim)
		}
	}
	if m.IdleGap < 0 || m.MinRescan < 0 {
		return errors.New("idle_gap and min_rescan cannot be below zero")
	}
	return nil
}

func (m Model) checkLine() error {
	switch {
	case m.Baud <= 0:
		return errors.New("a serial line needs baud")
	case m.DataBits != 0 && m.DataBits != 7 && m.DataBits != 8:
		return fmt.Errorf("data_bits %d is neither 7 nor 8", m.DataBits)
	case !slices.Contains(parities, m.Parity):
		return fmt.Errorf("parity %q is none of none, even, odd", m.Parity)
	case m.StopBits < 0 || m.StopBits > 2:
		return fmt.Errorf("stop_bits %d is neither 1 nor 2", m.StopBits)
	case !slices.Contains(flows, m.Flow):
		return fmt.Errorf("flow %q is none of none, rtscts, xonxoff", m.Flow)
	case m.Driver == SSI && m.DataBits == 7:
		return errors.New("ssi needs 8 data bits")
	}
	frames := map[string]bool{"layout": m.Layout != ""}
	if m.Driver == SSI {
		frames["suffix"], frames["prefix"] = m.Suffix != "", m.Prefix != ""
		frames["handshake"], frames["code_ids"] = m.Handshake != "", m.CodeIDs != nil
		return m.checkAbsent("a packet protocol", frames)
	}
	return m.checkAbsent("a serial line", frames)
}

// checkAbsent names the first field that such a scanner cannot have.
func (m Model) checkAbsent(what string, set map[string]bool) error {
	for _, field := range slices.Sorted(maps.Keys(set)) {
		if set[field] {
			return fmt.Errorf("%s has no use for %s", what, field)
		}
	}
	return nil
}
