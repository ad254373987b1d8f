package gtin

import (
	"slices"
	"strings"

	"holdfast.dev/stock"
)

// qualifiers lists the primary keys of a Digital Link and, for each, the AIs
// that may follow it in the path, in this order; "|" parts alternatives.
var qualifiers = map[string]string{
	"00": "", "01": "22,10,21|235", "253": "", "255": "", "401": "", "402": "",
	"414": "254", "417": "", "8004": "", "8017": "8019", "8018": "8019",
}

// onlyInPath lists AIs that are no query parameters of any Digital Link.
const onlyInPath = " 03 21 22 235 254 8019 8200 "

// Characters that a URI may have: unreserved, reserved and the percent sign.
const (
	letters   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	uriSet    = letters + set10 + "-._~:/?#[]@!$&'()*+,;=%"
	domainSet = letters + set10 + "-.:[]"
)

// link reads a GS1 Digital Link URI as the element strings in it. The address
// is only text here.
func link(text string) (Symbol, error) {
	uri, _, _ := strings.Cut(text, "#")
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || scheme != strings.ToLower(scheme) && scheme != strings.ToUpper(scheme) {
		return Symbol{}, unsupported("link", "no web address")
	}
	if hasOther(rest, uriSet) {
		return Symbol{}, stock.Refuse(stock.Unreadable, "a character that no URI has")
	}
	rest, query, _ := strings.Cut(rest, "?")
	domain, path, _ := strings.Cut(rest, "/")
	if domain == "" || hasOther(domain, domainSet) {
		return Symbol{}, stock.Refuse(stock.Unreadable, "domain %q", clip(domain))
	}
	segments := strings.Split(path, "/")
	at := len(segments) - 2
	for ; at >= 0; at -= 2 { // the rightmost key counts
		if _, ok := qualifiers[segments[at]]; ok {
			break
		}
	}
	if at < 0 {
		return Symbol{}, unsupported("link", "a web address without a GS1 key")
	}
	s := Symbol{Text: text}
	used, err := s.addPath(segments[at:])
	if err != nil {
		return Symbol{}, err
	}
	if err := s.addQuery(query, segments[at], used); err != nil {
		return Symbol{}, err
	}
	s.interpret()
	return s, nil
}

// addPath adds the key and its qualifiers, and returns which these are.
func (s *Symbol) addPath(segments []string) (used []string, err error) {
	for i := 0; i+1 < len(segments); i += 2 {
		if i > 0 {
			used = append(used, segments[i])
		}
		if err := s.addDecoded(segments[i], segments[i+1], false); err != nil {
			return nil, err
		}
	}
	for sequence := range strings.SplitSeq(qualifiers[segments[0]], "|") {
		if inOrder(used, strings.Split(sequence, ",")) {
			return used, nil
		}
	}
	return nil, stock.Refuse(stock.Unreadable, "qualifiers %s of AI %s",
		strings.Join(used, ","), segments[0])
}

// inOrder tells whether used leaves out some of sequence and adds nothing.
func inOrder(used, sequence []string) bool {
	for _, id := range sequence {
		if len(used) > 0 && used[0] == id {
			used = used[1:]
		}
	}
	return len(used) == 0
}

// addQuery adds the parameters that are AIs. Names are for others to use.
func (s *Symbol) addQuery(query, key string, used []string) error {
	for parameter := range strings.FieldsFuncSeq(query, isParameterEnd) {
		id, value, _ := strings.Cut(parameter, "=")
		if !allDigits(id) {
			continue
		}
		if strings.Contains(onlyInPath, " "+id+" ") || fits(id, key, used) {
			return stock.Refuse(stock.Unreadable, "AI %s belongs in the path", id)
		}
		if err := s.addDecoded(id, value, true); err != nil {
			return err
		}
	}
	return nil
}

// fits tells whether the AI could have stood in the path beside those used.
func fits(id, key string, used []string) bool {
	for sequence := range strings.SplitSeq(qualifiers[key], "|") {
		ids := strings.Split(sequence, ",")
		if slices.Contains(ids, id) && inOrder(used, ids) {
			return true
		}
	}
	return false
}

func isParameterEnd(c rune) bool { return c == '&' || c == ';' }

// addDecoded adds a value from a URI. None may be empty or come twice.
func (s *Symbol) addDecoded(id, value string, inQuery bool) error {
	if _, ok := s.AI(id); ok {
		return stock.Refuse(stock.Unreadable, "AI %s twice", id)
	}
	value = unescape(value, inQuery)
	if value == "" {
		return stock.Refuse(stock.Unreadable, "AI %s without a value", id)
	}
	return s.add(id, value)
}

// unescape undoes percent encoding and leaves a lone percent sign as it is.
// A plus sign is a space in a query only.
func unescape(s string, inQuery bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			c = byte(hex(s[i+1])<<4 | hex(s[i+2]))
			i += 2
		case c == '+' && inQuery:
			c = ' '
		}
		b.WriteByte(c)
	}
	return b.String()
}

func hex(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }

func hasOther(s, set string) bool {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(set, s[i]) < 0 {
			return true
		}
	}
	return false
}
