package words

import "strings"

// Report is what people are told about something that they should look at.
type Report struct {
	Title    string
	Happened string
	Done     string // by itself
	Todo     string // by whoever reads it
}

// Item words something that a person should look at. Kinds in small letters are
// those that a store notes in its books, codes in capitals those that head office
// notes about a store. Of the values "product" and "quantity", "order", "who",
// "store", "door" and "code" it takes what there is; an empty one counts as not given.
func Item(lang Lang, kind string, args ...any) Report {
	values := pairs(append([]any{"code", kind}, args...))
	for name, value := range values {
		if value == "" {
			delete(values, name)
		}
	}
	key := itemKey(kind)
	say := func(part string) string {
		said, _ := texts()[key+part].in(lang).say(lang, values)
		return said
	}
	return Report{say(".title"), say(".happened"), say(".done"), say(".todo")}
}

// itemKey is where the texts about a kind stand; a kind without any shares
// those of what cannot be explained.
func itemKey(kind string) string {
	area := "items.store."
	if kind != strings.ToLower(kind) {
		area = "items.office."
	}
	if key := area + slug(kind); Has(key + ".title") {
		return key
	}
	return "items.unknown"
}
