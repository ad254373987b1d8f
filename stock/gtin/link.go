package gtin

import (
	"slices"
	"strings"
)

// Characters that a URI may have: unreserved, reserved and the percent sign.
const (
	unreserved = letters + set10 + "-._~"
	uriSet     = unreserved + ":/?#[]@!$&'()*+,;=%"
	domainSet  = letters + set10 + "-.:[]"
)

// Stem is the address that Link writes in front unless told another.
const Stem = "https://id.gs1.org"

// LinkReader says what a Digital Link may look like beyond the standard. The
// zero value is the standard.
type LinkReader struct {
	// ShortGTIN takes numbers of 8, 12 and 13 digits for AI 01 in the path too,
	// as links did before the standard wanted 14. As a parameter they are always
	// taken.
	ShortGTIN bool
}

// cutScheme cuts a scheme of a Digital Link off. In mixed case it is none.
func cutScheme(text string) (rest string, ok bool) {
	for _, scheme := range []string{"https://", "http://", "HTTPS://", "HTTP://"} {
		if rest, ok := strings.CutPrefix(text, scheme); ok {
			return rest, true
		}
	}
	return text, false
}

// ParseLink reads a GS1 Digital Link URI as the element strings in it: those of
// the path, then those of the query. The address is only text here.
func (l LinkReader) ParseLink(uri string) ([]Element, error) {
	rest, ok := cutScheme(uri)
	switch {
	case !ok:
		return nil, refuse(linkNoKey, "no web address")
	case hasOther(rest, uriSet):
		return nil, refuse(linkCharacter, "a character that no URI has")
	}
	domain, path, _ := strings.Cut(rest, "/")
	switch {
	case domain == "":
		return nil, refuse(linkNoKey, "a web address without domain")
	case hasOther(domain, domainSet):
		return nil, refuse(linkCharacter, "domain %q", clip(domain))
	}
	path, _, _ = strings.Cut(path, "#")
	path, query, _ := strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	at := keyAt(segments)
	if at < 0 {
		return nil, refuse(linkNoKey, "a web address without a GS1 key")
	}
	p := linkParser{shortGTIN: l.ShortGTIN, path: segments[at:]}
	if err := p.readPath(); err != nil {
		return nil, err
	}
	if err := p.readQuery(query); err != nil {
		return nil, err
	}
	for i, e := range p.all {
		if err := ais().byID[e.AI].validate(e.Value); err != nil {
			return nil, err
		}
		if i >= len(p.used)+1 {
			if err := p.allowed(i); err != nil {
				return nil, err
			}
		}
	}
	return p.all, contradiction(p.all)
}

// keyAt finds the rightmost pair of segments that is a key and its value, going
// back over pairs of other AIs; -1 if there is none.
func keyAt(segments []string) int {
	for at := len(segments) - 2; at >= 0; at -= 2 {
		ai := ais().byID[segments[at]]
		if ai == nil {
			return -1
		}
		if ai.paths != nil {
			return at
		}
	}
	return -1
}

// linkParser collects the element strings of one link.
type linkParser struct {
	shortGTIN bool
	path      []string // from the key on
	used      []string // AIs behind the key in the path
	skipped   int      // parameters that are for others
	all       []Element
}

// readPath adds the key and its qualifiers.
func (p *linkParser) readPath() error {
	for i := 0; i+1 < len(p.path); i += 2 {
		if i > 0 {
			p.used = append(p.used, p.path[i])
		}
		if err := p.add(p.path[i], p.path[i+1], false); err != nil {
			return err
		}
	}
	if !isPath(p.path[0], p.used) {
		return refuse(linkQualifier, "qualifiers %s of AI %s", strings.Join(p.used, ","), p.path[0])
	}
	return nil
}

// isPath tells whether the qualifiers may follow the key in this order.
func isPath(key string, qualifiers []string) bool {
	return slices.ContainsFunc(ais().byID[key].paths, func(sequence []string) bool {
		left := qualifiers
		for _, id := range sequence {
			if len(left) > 0 && left[0] == id {
				left = left[1:]
			}
		}
		return len(left) == 0
	})
}

// readQuery adds the parameters that are AIs. Names are for others to use, and
// so is what has no value at all.
func (p *linkParser) readQuery(query string) error {
	for parameter := range strings.SplitSeq(query, "&") {
		id, value, ok := strings.Cut(parameter, "=")
		if parameter == "" {
			continue
		}
		if !ok || !allDigits(id) {
			if p.skipped++; p.skipped+len(p.all) > maxElements {
				return refuse(tooMany, "more than %d parameters", maxElements)
			}
			continue
		}
		if err := p.add(id, value, true); err != nil {
			return err
		}
	}
	return nil
}

// add decodes a value of the link.
func (p *linkParser) add(id, value string, inQuery bool) error {
	if _, err := ais().known(id); err != nil {
		return err
	}
	if value == "" {
		return refuse(empty, "AI %s without a value", id)
	}
	value, ok := unescape(value, inQuery)
	if !ok {
		return refuse(linkCharacter, "AI %s: a zero byte", id)
	}
	if n := len(value); id == "01" && (inQuery || p.shortGTIN) && (n == 8 || n == 12 || n == 13) {
		value = strings.Repeat("0", 14-n) + value
	}
	if len(p.all)+p.skipped == maxElements {
		return refuse(tooMany, "more than %d AIs", maxElements)
	}
	p.all = append(p.all, Element{id, value})
	return nil
}

// allowed tells whether an AI of the query may stand there: once, as a
// parameter, and not where the path has a place for it.
func (p *linkParser) allowed(at int) error {
	id := p.all[at].AI
	for _, before := range p.all[:at] {
		if before.AI == id {
			return refuse(linkTwice, "AI %s twice", id)
		}
	}
	if !ais().byID[id].param {
		return refuse(linkParameter, "AI %s as a parameter", id)
	}
	for i := range len(p.used) + 1 {
		if isPath(p.path[0], slices.Insert(slices.Clone(p.used), i, id)) {
			return refuse(linkParameter, "AI %s belongs in the path", id)
		}
	}
	return nil
}

// Link writes element strings as a GS1 Digital Link URI: the first key among
// them, its qualifiers in their order, the rest as parameters with those of
// predefined length in front. An empty stem is Stem.
func Link(stem string, all []Element) (string, error) {
	if stem == "" {
		stem = Stem
	}
	d := ais()
	var key *identifier
	for _, e := range all {
		ai, err := d.known(e.AI)
		if err == nil {
			err = ai.validate(e.Value)
		}
		if err != nil {
			return "", err
		}
		if key == nil && ai.paths != nil {
			key = ai
		}
	}
	if key == nil {
		return "", refuse(linkNoKey, "no key of a Digital Link")
	}
	path := append([]string{key.id}, key.qualifiers(all)...)
	if err := linkable(all, path); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(stem, "/"))
	for _, id := range path {
		if value, ok := valueOf(all, id); ok {
			b.WriteString("/" + id + "/" + escape(value, false))
		}
	}
	return b.String() + linkQuery(all, path), nil
}

// qualifiers picks the sequence that takes the most elements into the path;
// first those that leave nothing that a link cannot carry.
func (ai *identifier) qualifiers(all []Element) (best []string) {
	most := -1
	for _, sequence := range ai.paths {
		count := 0
		for _, id := range sequence {
			if _, ok := valueOf(all, id); ok {
				count++
			}
		}
		if linkable(all, append([]string{ai.id}, sequence...)) == nil {
			count += maxElements
		}
		if count > most {
			best, most = sequence, count
		}
	}
	return best
}

// linkable refuses elements that are neither in the path nor may be parameters.
func linkable(all []Element, path []string) error {
	for _, e := range all {
		if !slices.Contains(path, e.AI) && !ais().byID[e.AI].param {
			return refuse(linkParameter, "AI %s as a parameter", e.AI)
		}
	}
	return nil
}

// linkQuery writes what is not in the path, each AI once.
func linkQuery(all []Element, path []string) string {
	var b strings.Builder
	written := slices.Clone(path)
	for _, fixed := range []bool{true, false} {
		for _, e := range all {
			if slices.Contains(written, e.AI) || (ais().byID[e.AI].fixed() != 0) != fixed {
				continue
			}
			b.WriteByte("?&"[min(b.Len(), 1)])
			b.WriteString(e.AI + "=" + escape(e.Value, true))
			written = append(written, e.AI)
		}
	}
	return b.String()
}

func valueOf(all []Element, id string) (string, bool) {
	for _, e := range all {
		if e.AI == id {
			return e.Value, true
		}
	}
	return "", false
}

// unescape undoes percent encoding and leaves a lone percent sign as it is. A
// plus sign is a space in a query only. A zero byte is refused.
func unescape(s string, inQuery bool) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			c = byte(hex(s[i+1])<<4 | hex(s[i+2]))
			i += 2
			if c == 0 {
				return "", false
			}
		case c == '+' && inQuery:
			c = ' '
		}
		b = append(b, c)
	}
	return string(b), true
}

// escape encodes all but the characters that never need it. A space is a plus
// sign in a query.
func escape(s string, inQuery bool) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case strings.IndexByte(unreserved, c) >= 0:
			b = append(b, c)
		case c == ' ' && inQuery:
			b = append(b, '+')
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// hex gives the value of a digit of base sixteen; -1 if it is none.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func hasOther(s, set string) bool {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(set, s[i]) < 0 {
			return true
		}
	}
	return false
}
