package printer

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// page gives the characters of the bytes 80 to FF.
type page [128]rune

func pageOf(table *charmap.Charmap) (p page) {
	for i := range p {
		p[i] = table.DecodeByte(byte(0x80 + i))
	}
	return p
}

//go:embed pages.txt
var pagesText string

// ownPages reads the tables of pages.txt.
func ownPages() (byNumber map[byte]page, byName map[string]page) {
	byNumber, byName = make(map[byte]page), make(map[string]page)
	for line := range strings.Lines(pagesText) {
		var number byte
		var name, characters string
		if strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := fmt.Sscan(line, &number, &name, &characters); err != nil ||
			utf8.RuneCountInString(characters) != len(page{}) {
			panic(fmt.Sprintf("code page %q: %v", line, err))
		}
		byNumber[number] = page([]rune(characters))
		byName[name] = byNumber[number]
	}
	return byNumber, byName
}

// escposPages are the character code tables of ESC t.
var escposPages = joinedPages(map[byte]*charmap.Charmap{
	0: charmap.CodePage437, 2: charmap.CodePage850, 3: charmap.CodePage860, 4: charmap.CodePage863,
	5: charmap.CodePage865, 15: charmap.ISO8859_7, 16: charmap.Windows1252, 17: charmap.CodePage866,
	18: charmap.CodePage852, 19: charmap.CodePage858, 34: charmap.CodePage855,
	36: charmap.CodePage862, 39: charmap.ISO8859_2, 40: charmap.ISO8859_15,
	45: charmap.Windows1250, 46: charmap.Windows1251, 47: charmap.Windows1253,
	48: charmap.Windows1254, 49: charmap.Windows1255, 50: charmap.Windows1256,
	51: charmap.Windows1257, 52: charmap.Windows1258,
}, nil)

// starPages are those of ESC GS t. The standard table is page 437.
var starPages = joinedPages(map[byte]*charmap.Charmap{
	0: charmap.CodePage437, 1: charmap.CodePage437, 4: charmap.CodePage858, 5: charmap.CodePage852,
	6: charmap.CodePage860, 8: charmap.CodePage863, 9: charmap.CodePage865, 10: charmap.CodePage866,
	11: charmap.CodePage855, 13: charmap.CodePage862, 18: charmap.ISO8859_7,
	32: charmap.Windows1252, 33: charmap.Windows1250, 34: charmap.Windows1251,
}, map[byte]string{2: "katakana", 7: "cp861", 12: "cp857", 14: "cp864", 15: "cp737", 16: "cp851",
	17: "cp869", 19: "cp772", 20: "cp774"})

// joinedPages adds the pages of pages.txt by their names, or all of them by the
// numbers of ESC t.
func joinedPages(tables map[byte]*charmap.Charmap, named map[byte]string) map[byte]page {
	own, byName := ownPages()
	pages := make(map[byte]page)
	for n, table := range tables {
		pages[n] = pageOf(table)
	}
	for n, name := range named {
		pages[n] = byName[name]
	}
	if named == nil {
		for n, p := range own {
			pages[n] = p
		}
	}
	return pages
}

// selectPage is ESC t and ESC GS t. A printer that is set up wrongly takes
// another page than it is told.
func (m *machine) selectPage(n byte) {
	if m.model.WrongPage {
		n = 0
	}
	m.set.page = n
}

// varying are the positions that ESC R replaces; countries what stands there.
const varying = "#$@[\\]^`{|}~"

var countries = [...]string{
	"#$@[\\]^`{|}~", "#$à°ç§^`éùè¨", "#$§ÄÖÜ^`äöüß", "£$@[\\]^`{|}~", "#$@ÆØÅ^`æøå~",
	"#¤ÉÄÖÅÜéäöåü", "#$@°\\é^ùàòèì", "₧$@¡Ñ¿^´¨ñ}~", "#$@[¥]^`{|}~", "#¤ÉÆØÅÜéæøåü",
	"#$ÉÆØÅÜéæøåü", "#$á¡Ñ¿é`íñóú", "#$á¡Ñ¿éüíñóú", "#$@[₩]^`{|}~",
	"#$ŽŠĐĆČžšđćč", "#¥@[\\]^`{|}~",
}

// decode gives the character that a byte prints.
func (m *machine) decode(b byte) rune {
	if b < 0x80 {
		if int(m.set.country) < len(countries) {
			if i := strings.IndexByte(varying, b); i >= 0 {
				return []rune(countries[m.set.country])[i]
			}
		}
		return rune(b)
	}
	pages := escposPages
	if m.lang == starLanguage {
		pages = starPages
	}
	if p, ok := pages[m.set.page]; ok {
		return p[b-0x80]
	}
	return utf8.RuneError
}
