package gtin

import (
	"slices"
	"strings"
)

// maxElements bounds the element strings of one symbol.
const maxElements = 64

// gs separates element strings; scanners send it for FNC1.
const gs = 0x1d

// Element is one element string: an application identifier and its value.
type Element struct {
	AI    string
	Value string
}

// parseElements reads GS1 element strings: identifiers and values in a row,
// where FNC1 ends a value of open length. It checks each value, and that what
// the symbol says is not contradictory. What an AI needs beside it may stand in
// another symbol of the same label; Lacking checks that.
func parseElements(text string) ([]Element, error) {
	if text == "" {
		return nil, refuse(empty, "no element string")
	}
	d := ais()
	var all []Element
	for rest := text; rest != ""; {
		ai, err := d.find(rest)
		if err != nil {
			return nil, err
		}
		var value string
		value, rest = ai.cut(rest[len(ai.id):])
		if err := ai.validate(value); err != nil {
			return nil, err
		}
		if len(all) == maxElements {
			return nil, refuse(tooMany, "more than %d AIs", maxElements)
		}
		all = append(all, Element{ai.id, value})
	}
	return all, contradiction(all)
}

// cut cuts the value of the AI off the front of text. A value of predefined
// length needs no separator behind it, but may have one.
func (ai *identifier) cut(text string) (value, rest string) {
	value, rest, _ = strings.Cut(text, string(rune(gs)))
	if n := ai.fixed(); n != 0 && len(value) > n {
		return value[:n], text[n:]
	}
	return value, rest
}

// ElementString writes elements as a symbol carries them, with GS for FNC1
// where a value has no predefined length.
func ElementString(all []Element) string {
	var b strings.Builder
	for i, e := range all {
		b.WriteString(e.AI)
		b.WriteString(e.Value)
		ai := ais().byID[e.AI]
		if i+1 < len(all) && (ai == nil || ai.fixed() == 0) {
			b.WriteByte(gs)
		}
	}
	return b.String()
}

// Bracketed writes elements as they stand below a symbol, for people:
// "(01)07038010054471(17)270630". An opening bracket inside a value gets a
// backslash.
func Bracketed(all []Element) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString("(" + e.AI + ")")
		b.WriteString(strings.ReplaceAll(e.Value, "(", `\(`))
	}
	return b.String()
}

// ParseBracketed reads what Bracketed writes, as people type it from a label.
func ParseBracketed(text string) ([]Element, error) {
	if text == "" {
		return nil, refuse(empty, "no element string")
	}
	d := ais()
	var all []Element
	for rest := text; rest != ""; {
		id, after, ok := strings.Cut(rest[1:], ")")
		if rest[0] != '(' || !ok || len(id) < 2 || len(id) > 4 || !allDigits(id) {
			return nil, refuse(badSyntax, "no AI in brackets at %q", clip(rest))
		}
		ai, err := d.known(id)
		if err != nil {
			return nil, err
		}
		var value string
		value, rest = cutBracketed(after)
		if err := ai.validate(value); err != nil {
			return nil, err
		}
		if len(all) == maxElements {
			return nil, refuse(tooMany, "more than %d AIs", maxElements)
		}
		all = append(all, Element{id, value})
	}
	return all, contradiction(all)
}

// cutBracketed cuts a value off in front of the next opening bracket that has
// no backslash, and drops the backslashes of the others.
func cutBracketed(text string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '(':
			b.WriteByte('(')
			i++
		case text[i] == '(':
			return b.String(), text[i:]
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), ""
}

// serialised are the keys that a digital signature wants with a serial number.
var serialised = []string{"253", "255", "8003"}

// contradiction refuses element strings that exclude one another, and one AI
// with two values.
func contradiction(all []Element) error {
	for i, e := range all {
		for _, pattern := range ais().byID[e.AI].never {
			if other := findOther(all, e.AI, pattern); other != "" {
				return refuse(exclusive, "AI %s beside AI %s", e.AI, other)
			}
		}
		for _, before := range all[:i] {
			if before.AI == e.AI && before.Value != e.Value {
				return refuse(differs, "AI %s twice with two values", e.AI)
			}
		}
		if slices.Contains(serialised, e.AI) && findOther(all, e.AI, "8030") != "" &&
			len(e.Value) == ais().byID[e.AI].min {
			return refuse(lacking, "AI 8030 signs an AI %s without serial number", e.AI)
		}
	}
	return nil
}

// Lacking refuses a label whose element strings need others that it does not
// have. Give it what stands in all symbols of the label.
func Lacking(label []Element) error {
	for _, e := range label {
		ai := ais().byID[e.AI]
		if ai == nil {
			return refuse(unknownAI, "unknown AI %q", clip(e.AI))
		}
		for _, alternatives := range ai.needs {
			satisfied := slices.ContainsFunc(alternatives, func(patterns []string) bool {
				return !slices.ContainsFunc(patterns, func(pattern string) bool {
					return findOther(label, e.AI, pattern) == ""
				})
			})
			if !satisfied {
				return refuse(lacking, "AI %s needs AI %s on the same label", e.AI, demand(alternatives))
			}
		}
	}
	return nil
}

// findOther returns an AI of the label, other than this one, that the pattern
// stands for; "" if there is none.
func findOther(label []Element, id, pattern string) string {
	for _, e := range label {
		if e.AI != id && matches(pattern, e.AI) {
			return e.AI
		}
	}
	return ""
}
