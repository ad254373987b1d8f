package words

import (
	"fmt"
	"strconv"
	"strings"
)

// message is a parsed text.
type message []part

// part is one of: literal text, a value, a plural, an optional passage.
type part struct {
	literal  string
	name     string   // of the value or the number
	forms    []string // by number: one, other; or zero, one, other
	optional message  // dropped as a whole when a value in it is missing
	instead  message  // said then
}

// parse reads a text as the package comment describes it.
func parse(text string) (message, error) {
	m, rest, err := parseUntil(text, "")
	if err != nil {
		return nil, fmt.Errorf("text %q: %w", text, err)
	}
	if rest != "" {
		return nil, fmt.Errorf("text %q: unopened %q", text, rest[:1])
	}
	return m, nil
}

// parseUntil reads up to one of the stop characters and returns the rest from there.
func parseUntil(text, stop string) (m message, rest string, err error) {
	for text != "" {
		i := strings.IndexAny(text, "[]{}"+stop)
		if i < 0 {
			return append(m, part{literal: text}), "", nil
		}
		if i > 0 {
			m = append(m, part{literal: text[:i]})
			text = text[i:]
		}
		if text[0] != '{' && text[0] != '[' {
			return m, text, nil
		}
		var p part
		if text[0] == '{' {
			p, text, err = parseValue(text[1:])
		} else {
			p, text, err = parseOptional(text[1:])
		}
		if err != nil {
			return nil, "", err
		}
		m = append(m, p)
	}
	return m, "", nil
}

func parseValue(text string) (part, string, error) {
	inside, rest, closed := strings.Cut(text, "}")
	if !closed {
		return part{}, "", fmt.Errorf("no } after {%s", text)
	}
	fields := strings.Split(inside, "|")
	p := part{name: fields[0], forms: fields[1:]}
	if p.name == "" || strings.Trim(p.name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return part{}, "", fmt.Errorf("%q is no name", p.name)
	}
	if n := len(p.forms); n == 1 || n > 3 {
		return part{}, "", fmt.Errorf("{%s} has %d forms, wants 2 or 3", p.name, n)
	}
	return p, rest, nil
}

func parseOptional(text string) (part, string, error) {
	var p part
	var err error
	if p.optional, text, err = parseUntil(text, "|"); err != nil {
		return part{}, "", err
	}
	if strings.HasPrefix(text, "|") {
		if p.instead, text, err = parseUntil(text[1:], ""); err != nil {
			return part{}, "", err
		}
	}
	if !strings.HasPrefix(text, "]") {
		return part{}, "", fmt.Errorf("no ] after [")
	}
	if len(p.optional.names()) == 0 {
		return part{}, "", fmt.Errorf("nothing in [] can be missing")
	}
	return p, text[1:], nil
}

// say fills in the values. A value that is missing outside brackets stays
// visible as {name}, and complete is false.
func (m message) say(lang Lang, values map[string]string) (said string, complete bool) {
	var b strings.Builder
	complete = true
	for _, p := range m {
		switch value, given := values[p.name]; {
		case p.optional != nil:
			said, ok := p.optional.say(lang, values)
			if !ok {
				said, ok = p.instead.say(lang, values)
			}
			b.WriteString(said)
			complete = complete && ok
		case p.name == "":
			b.WriteString(p.literal)
		case !given:
			b.WriteString("{" + p.name + "}")
			complete = false
		default:
			b.WriteString(p.value(lang, value))
		}
	}
	return b.String(), complete
}

// value words one value. Something that is no whole number, such as "350 g",
// takes the last form.
func (p part) value(lang Lang, value string) string {
	if len(p.forms) == 0 {
		return value
	}
	form := p.forms[len(p.forms)-1]
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		value = Number(lang, n)
		switch {
		case n == 0 && len(p.forms) == 3:
			form = p.forms[0]
		case n == 1:
			form = p.forms[len(p.forms)-2]
		}
	}
	return strings.ReplaceAll(form, "#", value)
}

// names lists the values that m uses, in order, with repeats.
func (m message) names() []string {
	var all []string
	for _, p := range m {
		if p.name != "" {
			all = append(all, p.name)
		}
		all = append(all, p.optional.names()...)
		all = append(all, p.instead.names()...)
	}
	return all
}
