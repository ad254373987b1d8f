package catalogue_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/catalogue"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// machine is a journal that only carries the catalogue's tables.
type machine struct{}

func (machine) Migrations() []string { return []string{catalogue.Migration} }

func (machine) Apply(*journal.Tx, uint64, []byte) ([]byte, error) {
	return nil, errors.New("no records here")
}

func open(t *testing.T, products ...*recordv1.Product) (*catalogue.Products, *journal.Journal) {
	j, err := journal.Open(t.Context(), journal.Options{Machine: machine{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	p := new(catalogue.Products)
	p.Open(j)
	if err := p.Apply(t.Context(), products); err != nil {
		t.Fatal(err)
	}
	return p, j
}

// read runs one read and returns the names of what it found.
func read(t *testing.T, j *journal.Journal, f func(tx *journal.Tx) ([]*recordv1.Product, error)) []string {
	t.Helper()
	names := []string{}
	err := j.View(t.Context(), func(tx *journal.Tx) error {
		found, err := f(tx)
		for _, p := range found {
			if p != nil {
				names = append(names, p.GetName())
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var assortment = []*recordv1.Product{
	{Sku: 1, Gtin: "09521234500001", Name: "Rye Bread", Brand: "Møllen", Names: map[string]string{"da": "Rugbrød ØKO"}},
	{Sku: 2, Gtin: "09521234500018", Name: "Cheese 100%", Brand: "De_Boer", Plu: "00042"},
	{Sku: 3, Gtin: "09521234500025", Name: `Bread\roll`, Brand: "Møllen"},
}

func TestSearchFindsEveryWordInNamesBrandAndNumbers(t *testing.T) {
	p, j := open(t, assortment...)
	tests := []struct {
		query string
		want  []string
	}{
		{"bread", []string{"Rye Bread", `Bread\roll`}},
		{"BREAD møllen rye", []string{"Rye Bread"}},
		{"møllen bread", []string{"Rye Bread", `Bread\roll`}},
		{"rugbrød", []string{"Rye Bread"}},
		{"RUGBRØD øko", []string{"Rye Bread"}},
		{"9521234500018", []string{"Cheese 100%"}},
		{"00042", []string{"Cheese 100%"}},
		{"100%", []string{"Cheese 100%"}},
		{"%", []string{"Cheese 100%"}},
		{"_", []string{"Cheese 100%"}},
		{`\`, []string{`Bread\roll`}},
		{"bread cheese", []string{}},
		{"milk", []string{}},
		{"  ", []string{}},
		{`"; DROP TABLE local_product; --`, []string{}},
	}
	for _, test := range tests {
		got := read(t, j, func(tx *journal.Tx) ([]*recordv1.Product, error) { return p.Search(tx, test.query, 10) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("search %q (-want +got):\n%s", test.query, diff)
		}
	}
}

// The first word is on the label of half the shop; the second one decides.
func TestSearchFindsARareWordBehindACommonOne(t *testing.T) {
	var many []*recordv1.Product
	for i := range 3000 {
		many = append(many, &recordv1.Product{Sku: uint32(i + 1), Gtin: fmt.Sprintf("%014d", i), Name: "Fresh thing"})
	}
	many[2900].Name = "Fresh zucchini"
	p, j := open(t, many...)
	search := func(query string, limit int) []string {
		return read(t, j, func(tx *journal.Tx) ([]*recordv1.Product, error) { return p.Search(tx, query, limit) })
	}
	if got := search("fresh zucchini", 5); !cmp.Equal(got, []string{"Fresh zucchini"}) {
		t.Errorf("found %v", got)
	}
	if got := search("fresh", 5); len(got) != 5 {
		t.Errorf("found %d, want 5", len(got))
	}
}

func TestAProductIsFoundByEachOfItsNumbers(t *testing.T) {
	p, j := open(t, assortment...)
	find := func(f func(tx *journal.Tx) (*recordv1.Product, error)) []string {
		t.Helper()
		return read(t, j, func(tx *journal.Tx) ([]*recordv1.Product, error) {
			found, err := f(tx)
			return []*recordv1.Product{found}, err
		})
	}
	cheese := []string{"Cheese 100%"}
	for what, got := range map[string][]string{
		"GTIN": find(func(tx *journal.Tx) (*recordv1.Product, error) { return p.ByGTIN(tx, "09521234500018") }),
		"PLU":  find(func(tx *journal.Tx) (*recordv1.Product, error) { return p.ByPLU(tx, "00042") }),
		"SKU":  find(func(tx *journal.Tx) (*recordv1.Product, error) { return p.BySKU(tx, stock.SKU(2)) }),
	} {
		if !cmp.Equal(got, cheese) {
			t.Errorf("by %s: %v", what, got)
		}
	}
	for what, got := range map[string][]string{
		"GTIN": find(func(tx *journal.Tx) (*recordv1.Product, error) { return p.ByGTIN(tx, "00000000000000") }),
		"PLU":  find(func(tx *journal.Tx) (*recordv1.Product, error) { return p.ByPLU(tx, "99") }),
		"SKU":  find(func(tx *journal.Tx) (*recordv1.Product, error) { return p.BySKU(tx, 9) }),
	} {
		if len(got) != 0 {
			t.Errorf("by an unknown %s: %v", what, got)
		}
	}
}

func TestANewVersionReplacesTheProductAndItsWords(t *testing.T) {
	p, j := open(t, assortment...)
	next := &recordv1.Product{Sku: 2, Gtin: "09521234500032", Name: "Goat cheese"}
	if err := p.Apply(t.Context(), []*recordv1.Product{next}); err != nil {
		t.Fatal(err)
	}
	search := func(query string) []string {
		return read(t, j, func(tx *journal.Tx) ([]*recordv1.Product, error) { return p.Search(tx, query, 10) })
	}
	if got := search("goat"); !cmp.Equal(got, []string{"Goat cheese"}) {
		t.Errorf("by the new name: %v", got)
	}
	if got := search("de_boer"); len(got) != 0 {
		t.Errorf("by the old brand: %v", got)
	}
	var n int64
	err := j.View(t.Context(), func(tx *journal.Tx) (err error) {
		n, err = p.Count(tx)
		return err
	})
	if err != nil || n != int64(len(assortment)) {
		t.Errorf("%d products, %v, want %d", n, err, len(assortment))
	}
}

// A number may move to another product; the order in which the two arrive is
// not known.
func TestAGTINMayMoveToAnotherProduct(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		p, j := open(t, assortment...)
		moved := []*recordv1.Product{{Sku: 1, Gtin: "09521234500018", Name: "New owner"},
			{Sku: 2, Gtin: "09521234500001", Name: "Old owner"}}
		if swapped {
			moved[0], moved[1] = moved[1], moved[0]
		}
		if err := p.Apply(t.Context(), moved); err != nil {
			t.Errorf("swapped %v: %v", swapped, err)
			continue
		}
		got := read(t, j, func(tx *journal.Tx) ([]*recordv1.Product, error) {
			found, err := p.ByGTIN(tx, "09521234500018")
			return []*recordv1.Product{found}, err
		})
		if !cmp.Equal(got, []string{"New owner"}) {
			t.Errorf("swapped %v: %v has the number", swapped, got)
		}
	}
}

func TestVersionIsWhatWasFinished(t *testing.T) {
	p, _ := open(t, assortment...)
	for _, want := range []uint64{0, 7, 12} {
		if want > 0 {
			if err := p.Finish(t.Context(), want); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := p.Version(t.Context()); err != nil || got != want {
			t.Errorf("version %d, %v, want %d", got, err, want)
		}
	}
}

func TestNameFallsBackToTheDefault(t *testing.T) {
	if got := catalogue.Name(assortment[0], "da"); got != "Rugbrød ØKO" {
		t.Errorf("da: %q", got)
	}
	if got := catalogue.Name(assortment[0], "nl"); got != "Rye Bread" {
		t.Errorf("nl: %q", got)
	}
}
