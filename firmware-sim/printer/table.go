package printer

import (
	"fmt"
	"strings"
)

// Lead bytes of commands.
const (
	esc = 0x1b
	fs  = 0x1c
	gs  = 0x1d
	dle = 0x10
	lf  = 0x0a
)

// command is one row of a language's table.
type command struct {
	code   string                       // its first bytes
	name   string                       // as manuals write it
	does   string                       // in a few words
	size   int                          // bytes in all; 0: length tells
	length func(cmd []byte) int         // bytes in all, or 0 if more must be seen first
	do     func(m *machine, cmd []byte) // nil: read and ignored
}

// language is what a printer understands.
type language struct {
	name     string
	rows     []command
	index    map[string]*command
	begins   map[string]bool // what a longer code begins with
	realTime func(m *machine)
	status   func(m *machine) // tells the automatic status if it is on and changed
	reset    func(m *machine) // what else ESC @ sets
}

func newLanguage(name string, tables ...[]command) *language {
	l := &language{name: name, index: make(map[string]*command), begins: make(map[string]bool)}
	for _, rows := range tables {
		l.rows = append(l.rows, rows...)
	}
	for i := range l.rows {
		code := l.rows[i].code
		l.index[code] = &l.rows[i]
		for n := 1; n < len(code); n++ {
			l.begins[code[:n]] = true
		}
	}
	return l
}

// find gives the row of the command that cmd begins. It is nil while more bytes
// must be seen (known), and when no manual names the code (not known).
func (l *language) find(cmd []byte) (row *command, known bool) {
	for n := 1; n <= len(cmd); n++ {
		part := string(cmd[:n])
		if r, ok := l.index[part]; ok {
			row = r
		}
		if !l.begins[part] {
			return row, row != nil
		}
	}
	return nil, true // a longer code may follow
}

// frame says how many bytes the command has that cmd begins, or 0 if more of it
// must be seen first. Known is false for a code that no manual names; the bytes
// of the code are skipped.
func (l *language) frame(cmd []byte) (length int, known bool) {
	if cmd[0] >= ' ' {
		return 1, true
	}
	row, known := l.find(cmd)
	switch {
	case row == nil && known:
		return 0, true
	case row == nil && len(cmd) == 1: // a control code without meaning
		return 1, true
	case row == nil:
		return len(cmd), false
	case row.length != nil:
		return row.length(cmd), true
	}
	return row.size, true
}

// Languages of Options.
const (
	ESCPOS   = "escpos"
	StarPRNT = "starprnt"
	StarLine = "star-line"
)

func languageOf(name string) (*language, error) {
	switch name {
	case "", ESCPOS:
		return escposLanguage, nil
	case StarPRNT, StarLine:
		return starLanguage, nil
	}
	return nil, fmt.Errorf("printer language %q is none of %q", name,
		[]string{ESCPOS, StarPRNT, StarLine})
}

// CommandsText is the list of commands as a table in Markdown.
func CommandsText() string {
	var b strings.Builder
	b.WriteString("# What the simulated printer understands\n\nWritten by its test from the tables of the code. " +
		"A command that is *ignored* is read to its\nend, so that nothing behind it is lost, and has no " +
		"effect. What stands here in neither\nlist is skipped by the bytes of its code and counted.\n")
	for _, l := range []*language{escposLanguage, starLanguage} {
		fmt.Fprintf(&b, "\n## %s\n\n| bytes | command | does |\n|---|---|---|\n", l.name)
		for _, r := range l.rows {
			does := r.does
			if r.do == nil {
				does = "*ignored:* " + does
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", hexBytes([]byte(r.code)), r.name, does)
		}
	}
	return b.String()
}
