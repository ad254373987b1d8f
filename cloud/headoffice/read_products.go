package headoffice

import (
	"fmt"
	"strings"
	"unicode"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const maxWords = 8 // of a search; more are ignored

const (
	searchProducts = `SELECT p.row FROM local_search f JOIN product p ON p.sku = f.rowid
  WHERE local_search MATCH ?1 AND p.retired = 0 AND (?2 = '' OR p.category = ?2)
  ORDER BY bm25(local_search, 10, 8, 4, 2, 10), p.sku LIMIT ?3 OFFSET ?4`
	listCategory = `SELECT row FROM product WHERE retired = 0 AND category = ?1
  ORDER BY name, sku LIMIT ?2 OFFSET ?3`
	listProducts = `SELECT row FROM product WHERE retired = 0 ORDER BY name, sku LIMIT ?1 OFFSET ?2`

	listChanged = `SELECT row FROM product WHERE version > ?1 AND sku > ?2 AND version <= ?3
  ORDER BY sku LIMIT ?4`
	countChanged = `SELECT count(*) FROM product WHERE version > ?`
)

// ProductByGTIN returns the product with this number of 14 digits; nil when the
// catalogue has none.
func ProductByGTIN(tx *journal.Tx, gtin string) (*recordv1.Product, error) {
	return loadProduct(tx, selectByGTIN, gtin)
}

// ProductBySKU returns a product; nil when the catalogue has none.
func ProductBySKU(tx *journal.Tx, sku stock.SKU) (*recordv1.Product, error) {
	return loadProduct(tx, selectBySKU, sku)
}

// Search says which products are looked for.
type Search struct {
	Text     string // words or beginnings of words, in any language, or a number
	Category string // only this one; empty: all
	Skip     int    // results that were shown already
	Limit    int
}

// SearchProducts finds products whose names, brand, category or number have
// every word, best first; without words it lists them by name.
func SearchProducts(tx *journal.Tx, s Search) ([]*recordv1.Product, error) {
	switch match := matchAll(s.Text); {
	case match != "":
		return readProducts(tx, searchProducts, match, s.Category, s.Limit, s.Skip)
	case strings.TrimSpace(s.Text) != "":
		return nil, nil // nothing that could be looked for
	case s.Category != "":
		return readProducts(tx, listCategory, s.Category, s.Limit, s.Skip)
	}
	return readProducts(tx, listProducts, s.Limit, s.Skip)
}

// matchAll makes a full-text query of what a person typed: every word, or its
// beginning. Quotes keep the query language out.
func matchAll(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	if len(words) > maxWords {
		words = words[:maxWords]
	}
	var b strings.Builder
	for _, w := range words {
		if number := strings.TrimLeft(w, "0"); number != "" && strings.Trim(w, "0123456789") == "" {
			w = number
		}
		fmt.Fprintf(&b, `"%s"* `, w)
	}
	return strings.TrimSpace(b.String())
}

func readProducts(tx *journal.Tx, q string, args ...any) ([]*recordv1.Product, error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, fmt.Errorf("list products: %w", err)
	}
	defer rows.Close()
	var all []*recordv1.Product
	for rows.Next() {
		var row []byte
		if err := rows.Scan(&row); err != nil {
			return nil, fmt.Errorf("read product: %w", err)
		}
		p, err := decodeProduct(row)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// CatalogueVersion is the version of the last change of any product; 0: none.
func CatalogueVersion(tx *journal.Tx) (uint64, error) {
	d, err := sit(tx, 0)
	if err != nil {
		return 0, err
	}
	return d.catalogue, nil
}

// CountProducts counts the products that changed after a version.
func CountProducts(tx *journal.Tx, after uint64) (uint64, error) {
	var n uint64
	err := tx.QueryRow(countChanged, after).Scan(&n)
	return n, err
}

// Changes says which part of the catalogue a store has to catch up with.
type Changes struct {
	After    uint64    // the version that the store has
	Upto     uint64    // the version that it will have then
	AfterSKU stock.SKU // where the part before ended
	Limit    int
}

// ChangedProducts lists the products that changed, in the order of SKU.
func ChangedProducts(tx *journal.Tx, c Changes) ([]*recordv1.Product, error) {
	return readProducts(tx, listChanged, c.After, c.AfterSKU, c.Upto, c.Limit)
}

// Difference is what an import would do with one product.
type Difference struct {
	Added   bool
	Columns []string // that differ; empty and not Added: the same
}

// CompareProduct says what an import of this row would do, without doing it.
func CompareProduct(tx *journal.Tx, row *recordv1.Product) (Difference, error) {
	known, err := loadProduct(tx, selectByGTIN, row.GetGtin())
	if err != nil {
		return Difference{}, err
	}
	if known == nil {
		return Difference{Added: true}, nil
	}
	var d Difference
	for _, c := range []struct {
		name string
		same bool
	}{
		{"name", known.GetName() == row.GetName()},
		{"names", translations(known) == translations(row)},
		{"brand", known.GetBrand() == row.GetBrand()},
		{"category", known.GetCategory() == row.GetCategory()},
		{"aisle", known.GetAisle() == row.GetAisle()},
		{"package", known.GetPackage() == row.GetPackage()},
		{"unit", known.GetUnit() == row.GetUnit()},
		{"price",
			known.GetPriceMinor() == row.GetPriceMinor() && known.GetCurrency() == row.GetCurrency()},
		{"vat", known.GetVatPermille() == row.GetVatPermille()},
		{"plu", known.GetPlu() == row.GetPlu()},
		{"country", known.GetCountry() == row.GetCountry()},
		{"retired", known.GetRetired() == row.GetRetired()},
	} {
		if !c.same {
			d.Columns = append(d.Columns, c.name)
		}
	}
	return d, nil
}
