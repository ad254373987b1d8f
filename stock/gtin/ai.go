package gtin

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// ais is the table of application identifiers: identifier or range, layout,
// title. A layout is made of components: N digits, X characters of set 82, Y of
// set 39; n or ..n of them; [optional]; checks after commas. Source: GS1 General
// Specifications and GS1 Barcode Syntax Dictionary, release 2026-01-27.
var ais = []struct{ id, layout, title string }{
	{"00", "N18,csum", "SSCC"},
	{"01", "N14,csum", "GTIN"},
	{"02", "N14,csum", "CONTENT"},
	{"03", "N14,csum", "MTO GTIN"},
	{"10", "X..20", "BATCH/LOT"},
	{"11", "N6,day0", "PROD DATE"},
	{"12", "N6,day0", "DUE DATE"},
	{"13", "N6,day0", "PACK DATE"},
	{"15", "N6,day0", "BEST BEFORE"},
	{"16", "N6,day0", "SELL BY"},
	{"17", "N6,day0", "USE BY"},
	{"20", "N2", "VARIANT"},
	{"21", "X..20", "SERIAL"},
	{"22", "X..20", "CPV"},
	{"235", "X..28", "TPX"},
	{"240", "X..30", "ADDITIONAL ID"},
	{"241", "X..30", "CUST. PART No."},
	{"242", "N..6", "MTO VARIANT"},
	{"243", "X..20", "PCN"},
	{"250", "X..30", "SECONDARY SERIAL"},
	{"251", "X..30", "REF. TO SOURCE"},
	{"253", "N13,csum [X..17]", "GDTI"},
	{"254", "X..20", "GLN EXTENSION"},
	{"255", "N13,csum [N..12]", "GCN"},
	{"30", "N..8", "VAR. COUNT"},
	{"3100-3105", "N6", "NET WEIGHT (kg)"},
	{"3110-3115", "N6", "LENGTH (m)"},
	{"3120-3125", "N6", "WIDTH (m)"},
	{"3130-3135", "N6", "HEIGHT (m)"},
	{"3140-3145", "N6", "AREA (m²)"},
	{"3150-3155", "N6", "NET VOLUME (l)"},
	{"3160-3165", "N6", "NET VOLUME (m³)"},
	{"3200-3205", "N6", "NET WEIGHT (lb)"},
	{"3300-3305", "N6", "GROSS WEIGHT (kg)"},
	{"37", "N..8", "COUNT"},
	{"3900-3909", "N..15", "AMOUNT"},
	{"3910-3919", "N3 N..15", "AMOUNT"},
	{"3920-3929", "N..15", "PRICE"},
	{"3930-3939", "N3 N..15", "PRICE"},
	{"3940-3943", "N4", "PRCNT OFF"},
	{"3950-3955", "N6", "PRICE/UoM"},
	{"400", "X..30", "ORDER NUMBER"},
	{"401", "X..30", "GINC"},
	{"402", "N17,csum", "GSIN"},
	{"403", "X..30", "ROUTE"},
	{"410", "N13,csum", "SHIP TO LOC"},
	{"411", "N13,csum", "BILL TO"},
	{"412", "N13,csum", "PURCHASE FROM"},
	{"413", "N13,csum", "SHIP FOR LOC"},
	{"414", "N13,csum", "LOC No."},
	{"415", "N13,csum", "PAY TO"},
	{"416", "N13,csum", "PROD/SERV LOC"},
	{"417", "N13,csum", "PARTY"},
	{"420", "X..20", "SHIP TO POST"},
	{"7003", "N6,day N4,hour", "EXPIRY TIME"},
	{"8004", "X..30", "GIAI"},
	{"8005", "N6", "PRICE PER UNIT"},
	{"8017", "N18,csum", "GSRN - PROVIDER"},
	{"8018", "N18,csum", "GSRN - RECIPIENT"},
	{"8019", "N..10", "SRIN"},
	{"8020", "X..25", "REF No."},
	{"8111", "N4", "POINTS"},
	{"8200", "X..70", "PRODUCT URL"},
	{"90", "X..30", "INTERNAL"},
	{"91-99", "X..90", "INTERNAL"},
}

// Characters of AI values.
const (
	set10 = "0123456789"
	set39 = "#-/" + set10 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	set82 = "!\"%&'()*+,-./" + set10 + ":;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_" +
		"abcdefghijklmnopqrstuvwxyz"
)

// checks of components, by name. A check returns what is wrong, or "".
var checks = map[string]func(value string) string{
	"csum": func(value string) string {
		if checkDigit(value[:len(value)-1]) != value[len(value)-1] {
			return wrongCheckDigit
		}
		return ""
	},
	"day": func(value string) string {
		if _, err := ParseDate(value, 2000); err != nil || strings.HasSuffix(value, "00") {
			return "no date"
		}
		return ""
	},
	"day0": func(value string) string {
		if _, err := ParseDate(value, 2000); err != nil {
			return "no date"
		}
		return ""
	},
	"hour": func(value string) string {
		if value[:2] > "23" || value[2:] > "59" {
			return "no time of day"
		}
		return ""
	},
}

const wrongCheckDigit = "check digit"

// component is one part of the value of an AI.
type component struct {
	set      string
	min, max int
	optional bool
	checks   []func(value string) string
}

// layouts holds the components of every AI by its identifier.
var layouts = sync.OnceValue(func() map[string][]component {
	all := make(map[string][]component, 2*len(ais))
	for _, row := range ais {
		layout, err := parseLayout(row.layout)
		if err != nil {
			panic(fmt.Sprintf("AI %s: %v", row.id, err))
		}
		from, to, isRange := strings.Cut(row.id, "-")
		all[from] = layout
		if !isRange {
			continue
		}
		first, _ := strconv.Atoi(from)
		last, _ := strconv.Atoi(to)
		for id := first + 1; id <= last; id++ {
			all[strconv.Itoa(id)] = layout
		}
	}
	return all
})

func parseLayout(layout string) ([]component, error) {
	var all []component
	for _, word := range strings.Fields(layout) {
		words := strings.Split(word, ",")
		spec := strings.Trim(words[0], "[]")
		c := component{optional: spec != words[0]}
		c.set = map[byte]string{'N': set10, 'X': set82, 'Y': set39}[spec[0]]
		size, open := strings.CutPrefix(spec[1:], "..")
		n, err := strconv.Atoi(size)
		if err != nil || c.set == "" {
			return nil, fmt.Errorf("component %q", word)
		}
		c.min, c.max = n, n
		if open {
			c.min = 1
		}
		for _, name := range words[1:] {
			check, ok := checks[name]
			if !ok {
				return nil, fmt.Errorf("no check %q", name)
			}
			c.checks = append(c.checks, check)
		}
		all = append(all, c)
	}
	return all, nil
}

// wrongValue says what is wrong with the value of an AI, or "".
func wrongValue(layout []component, value string) string {
	for _, c := range layout {
		if c.optional && value == "" {
			return ""
		}
		if len(value) < c.min {
			return "too short"
		}
		part := value[:min(c.max, len(value))]
		value = value[len(part):]
		for i := 0; i < len(part); i++ {
			if strings.IndexByte(c.set, part[i]) < 0 {
				return "a character of another kind"
			}
		}
		for _, check := range c.checks {
			if wrong := check(part); wrong != "" {
				return wrong
			}
		}
	}
	if value != "" {
		return "too long"
	}
	return ""
}
