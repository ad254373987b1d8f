package words_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/words"
)

// storeKinds are what a store's books note for people.
var storeKinds = []string{books.ItemBorrowed, books.ItemSafeSale, books.ItemBumped, books.ItemFound,
	books.ItemShort, books.ItemReplaced, books.ItemDebt, books.ItemUncovered, books.ItemVoided,
	books.ItemSalvaged, books.ItemHandedTwice, books.ItemAlarm, books.ItemUnclassified,
	books.ItemCount, books.ItemTimeline, books.ItemLocker}

// officeCodes are what head office notes about stores.
var officeCodes = []string{"STORE_ROLLED_BACK", "STORE_REBUILT", "STORE_FORKED", "OLD_BOX",
	"ABANDONED",
	"QUARANTINE", "BROUGHT_BACK", "ALARM", "UNKNOWN_RESERVATION", "ROLLED_BACK", "RECORDS_LOST",
	"COPY_RENEWED"}

var everyValue = []any{"product", "Rye crispbread", "quantity", "2 ×", "order", "7K3M-2Q9A",
	"who", "Anna", "store", "Utrecht", "door", "L0-3"}

func TestEveryItemSaysWhatHappenedWhatWasDoneAndWhatToDo(t *testing.T) {
	unknown := words.Item(words.EN, "NO_SUCH_CODE")
	for _, lang := range words.Langs() {
		seen := make(map[string]string)
		for _, kind := range append(append([]string{}, storeKinds...), officeCodes...) {
			for _, r := range []words.Report{words.Item(lang, kind), words.Item(lang, kind, everyValue...)} {
				checkReport(t, lang, kind, r)
			}
			r := words.Item(lang, kind)
			if r.Title == unknown.Title || seen[r.Happened] != "" {
				t.Errorf("%s in %s says what %q says: %q", kind, lang, seen[r.Happened], r.Happened)
			}
			seen[r.Happened] = kind
		}
	}
}

func checkReport(t *testing.T, lang words.Lang, kind string, r words.Report) {
	t.Helper()
	if r.Title == "" || utf8.RuneCountInString(r.Title) > 40 || strings.HasSuffix(r.Title, ".") {
		t.Errorf("%s in %s: title %q", kind, lang, r.Title)
	}
	for _, said := range []string{r.Happened, r.Done, r.Todo} {
		if strings.ContainsAny(said, "{}[]|#_") || strings.Contains(said, "  ") {
			t.Errorf("%s in %s has a hole: %q", kind, lang, said)
		}
		if n := utf8.RuneCountInString(said); n < 10 || n > 200 || !strings.HasSuffix(said, ".") {
			t.Errorf("%s in %s is no sentence of %d letters: %q", kind, lang, n, said)
		}
	}
}

func TestAnItemNamesWhatItIsAbout(t *testing.T) {
	for _, c := range []struct {
		lang words.Lang
		kind string
		args []any
		want string
	}{
		{words.EN, books.ItemBumped, everyValue, "A customer in the shop got what was kept for order " +
			"7K3M-2Q9A: 2 × Rye crispbread. Decided by Anna."},
		{words.NL, books.ItemShort, []any{"quantity", "350 g", "product", "Kaas", "who", ""},
			"Niet gevonden voor een bestelling: 350 g Kaas."},
		{words.DE, "OLD_BOX", []any{"store", "Tjalk Kiel"},
			"Ein ersetzter Rechner meldete sich wieder für Tjalk Kiel."},
		{words.DA, "DOCUMENT_USED", []any{"store", "Aarhus"},
			"En registrering fra Aarhus kunne ikke forklares (DOCUMENT_USED)."},
	} {
		if diff := cmp.Diff(c.want, words.Item(c.lang, c.kind, c.args...).Happened); diff != "" {
			t.Errorf("%s: %s", c.kind, diff)
		}
	}
}

func TestARefusalWithoutAnItemOfItsOwnIsSaidByItsCode(t *testing.T) {
	own := map[string]bool{}
	for _, code := range officeCodes {
		own[code] = true
	}
	for _, code := range stock.Codes() {
		r := words.Item(words.EN, code.String())
		checkCode := !own[code.String()]
		if strings.Contains(r.Happened, "("+code.String()+")") != checkCode {
			t.Errorf("%s: %q", code, r.Happened)
		}
	}
}
