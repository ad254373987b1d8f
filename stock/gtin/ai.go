package gtin

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed ais.txt
var aisText string

// identifier is what the table says of one application identifier.
type identifier struct {
	id       string
	title    string
	parts    []component
	min, max int          // characters of the value
	needs    [][][]string // every demand: one of its alternatives, with all its patterns
	never    []string     // patterns of identifiers that exclude this one
	param    bool         // may be a parameter of a Digital Link
	paths    [][]string   // a key of Digital Links: sequences of qualifiers; nil if it is none
}

// component is one part of the value of an AI.
type component struct {
	set      *charset
	min, max int
	optional bool
	checks   []check
}

// dictionary is the table of application identifiers.
type dictionary struct {
	byID    map[string]*identifier
	lengths [100]int // of an identifier, by its first two digits; 0 if there is none
}

var ais = sync.OnceValue(func() *dictionary {
	d := &dictionary{byID: map[string]*identifier{}}
	for _, row := range tableRows(aisText, 6) {
		from, last, isRange := strings.Cut(row[0], "-")
		if !isRange {
			last = from
		}
		first, err := strconv.Atoi(from)
		end, err2 := strconv.Atoi(last)
		ai, err3 := parseIdentifier(row)
		if err != nil || err2 != nil || err3 != nil {
			panic(fmt.Sprintf("ais.txt: %s: %v %v %v", row[0], err, err2, err3))
		}
		for n := first; n <= end; n++ {
			each := ai
			each.id = fmt.Sprintf("%0*d", len(from), n)
			d.byID[each.id] = &each
			d.lengths[two(each.id)] = len(each.id)
		}
	}
	return d
})

func parseIdentifier(row []string) (identifier, error) {
	ai := identifier{title: strings.TrimPrefix(row[5], "-")}
	for _, word := range strings.Fields(row[1]) {
		c, err := parseComponent(word)
		if err != nil {
			return ai, err
		}
		if !c.optional {
			ai.min += c.min
		}
		ai.max += c.max
		ai.parts = append(ai.parts, c)
	}
	for _, demand := range cells(row[2], "&") {
		var alternatives [][]string
		for _, alternative := range strings.Split(demand, ",") {
			alternatives = append(alternatives, strings.Split(alternative, "+"))
		}
		ai.needs = append(ai.needs, alternatives)
	}
	ai.never = cells(row[3], ",")
	switch where, qualifiers, _ := strings.Cut(row[4], " "); where {
	case "-":
	case "parameter":
		ai.param = true
	case "key":
		ai.param = true
		for sequence := range strings.SplitSeq(qualifiers, "|") {
			ai.paths = append(ai.paths, cells(sequence, ","))
		}
	default:
		return ai, fmt.Errorf("place in a link %q", row[4])
	}
	return ai, nil
}

// cells splits a cell of the table; "-" and nothing are no cells.
func cells(cell, separator string) []string {
	if cell == "" || cell == "-" {
		return nil
	}
	return strings.Split(cell, separator)
}

func parseComponent(word string) (component, error) {
	words := strings.Split(word, ",")
	spec := strings.Trim(words[0], "[]")
	c := component{optional: spec != words[0], set: charsets()[spec[0]]}
	size, open := strings.CutPrefix(spec[1:], "..")
	n, err := strconv.Atoi(size)
	if err != nil || c.set == nil {
		return c, fmt.Errorf("component %q", word)
	}
	c.min, c.max = n, n
	if open {
		c.min = 1
	}
	for _, name := range words[1:] {
		check, ok := checks[name]
		if !ok {
			return c, fmt.Errorf("no check %q", name)
		}
		c.checks = append(c.checks, check)
	}
	return c, nil
}

// Title gives the short title of an application identifier, as it stands on
// labels: "USE BY or EXPIRY"; "" for an unknown one.
func Title(id string) string {
	if ai := ais().byID[id]; ai != nil {
		return ai.title
	}
	return ""
}

// find returns the identifier at the start of text; the first two digits say
// how long it is.
func (d *dictionary) find(text string) (*identifier, error) {
	if len(text) >= 2 && allDigits(text[:2]) {
		if n := d.lengths[two(text)]; n != 0 && n <= len(text) {
			if ai := d.byID[text[:n]]; ai != nil {
				return ai, nil
			}
		}
	}
	return nil, refuse(unknownAI, "unknown AI at %q", clip(text))
}

// known returns an identifier that stands alone.
func (d *dictionary) known(id string) (*identifier, error) {
	if ai := d.byID[id]; ai != nil {
		return ai, nil
	}
	return nil, refuse(unknownAI, "unknown AI %q", clip(id))
}

// fixed returns how long the value of an AI is when its first two digits
// predefine that, so that no separator is needed behind it; 0 if they do not.
func (ai *identifier) fixed() int {
	switch pair := ai.id[:2]; {
	case pair == "00":
		return 18
	case pair <= "03":
		return 14
	case "11" <= pair && pair <= "19":
		return 6
	case pair == "20":
		return 2
	case "31" <= pair && pair <= "36":
		return 6
	case pair == "41":
		return 13
	}
	return 0
}

// validate says what is wrong with the value of an AI.
func (ai *identifier) validate(value string) error {
	switch {
	case value == "":
		return refuse(empty, "AI %s without a value", ai.id)
	case len(value) < ai.min || len(value) > ai.max:
		return refuse(badLength, "AI %s with %d characters", ai.id, len(value))
	}
	for _, c := range ai.parts {
		if c.optional && value == "" {
			continue
		}
		part := value[:min(c.max, len(value))]
		value = value[len(part):]
		if len(part) < c.min {
			return refuse(badLength, "AI %s is cut off", ai.id)
		}
		if at := c.set.other(part); at >= 0 {
			return refuse(badCharacter, "AI %s: character %q", ai.id, part[at])
		}
		for _, check := range c.checks {
			switch wrong := check(part); wrong {
			case "":
			case badCheck, badPair:
				return wrongCheck(wrong, part)
			default:
				return refuse(wrong, "AI %s: content %q", ai.id, part)
			}
		}
	}
	if value != "" {
		return refuse(badLength, "AI %s is too long", ai.id)
	}
	return nil
}

// matches tells whether an identifier is one that a pattern stands for: n in it
// is any digit.
func matches(pattern, id string) bool {
	prefix := strings.TrimRight(pattern, "n")
	return len(id) == len(pattern) && strings.HasPrefix(id, prefix)
}

// demand writes one demand of the table for people: "01 or 8006".
func demand(alternatives [][]string) string {
	words := make([]string, 0, len(alternatives))
	for _, patterns := range alternatives {
		words = append(words, strings.Join(slices.Clone(patterns), " and "))
	}
	return strings.Join(words, " or ")
}
