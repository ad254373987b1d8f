package demo

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"holdfast.dev/stock/gtin"
)

// Product is a product of a catalogue file that a till can sell.
type Product struct {
	GTIN  string // 14 digits
	Code  string // as it is printed on the package and scanned
	Name  string
	Unit  string // empty: each
	PLU   string // the shop's own number of what it weighs; may be empty
	Price int64
}

// Label is what a scanner reads of the product: the code on the package, or
// the label that the shop's scale prints for so many grams.
func (p Product) Label(grams int) string {
	if !p.Measured() || p.PLU == "" {
		return p.Code
	}
	for check := range 10 {
		label := fmt.Sprintf("21%s%05d%d", p.PLU, grams, check)
		if _, err := gtin.Parse(label); err == nil {
			return label
		}
	}
	return p.Code
}

// Measured tells whether the product is sold by weight or volume.
func (p Product) Measured() bool { return p.Unit == "g" || p.Unit == "ml" }

// Catalogue is a file of products as it stands: names of columns, and rows.
type Catalogue struct {
	Header []string
	Rows   [][]string
}

// ReadRows reads a catalogue file without judging its rows.
func ReadRows(path string) (Catalogue, error) {
	f, err := os.Open(path)
	if err != nil {
		return Catalogue{}, fmt.Errorf("read catalogue: %w", err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.LazyQuotes, in.FieldsPerRecord = true, -1
	var c Catalogue
	if c.Header, err = in.Read(); err != nil {
		return c, fmt.Errorf("read column names of %s: %w", path, err)
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, fmt.Errorf("read %s: %w", path, err)
		}
		c.Rows = append(c.Rows, row)
	}
}

// Column finds a column by its name; -1 if there is none.
func (c Catalogue) Column(name string) int {
	for i, h := range c.Header {
		if strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\uFEFF")), name) {
			return i
		}
	}
	return -1
}

// field is empty for a column that the row or the file does not have.
func field(row []string, i int) string {
	if i < 0 || i >= len(row) {
		return ""
	}
	return strings.TrimSpace(row[i])
}

// Products gives the rows that a till can sell by one scan: those with a price
// and a number that stands for one product and no measure.
func (c Catalogue) Products() []Product {
	number, name := c.Column("gtin"), c.Column("name")
	unit, price, plu := c.Column("unit"), c.Column("price_minor"), c.Column("plu")
	seen := make(map[string]bool)
	var all []Product
	for _, row := range c.Rows {
		p := Product{Code: field(row, number), Name: field(row, name), Unit: field(row, unit),
			PLU: field(row, plu)}
		minor, err := strconv.ParseInt(field(row, price), 10, 64)
		g, bad := gtin.Parse(p.Code)
		if err != nil || bad != nil || minor <= 0 || p.Name == "" || seen[g.Digits()] {
			continue
		}
		sym, err := gtin.Decode([]byte(p.Code), "")
		plain := err == nil && sym.Kind == gtin.Product && sym.GTIN == g &&
			sym.PLU == "" && sym.Weight == 0 && sym.Price == 0
		if !plain {
			continue
		}
		p.GTIN, p.Price = g.Digits(), minor
		seen[p.GTIN] = true
		all = append(all, p)
	}
	return all
}

// ReadCatalogue reads the products of a file that a till can sell.
func ReadCatalogue(path string) ([]Product, error) {
	c, err := ReadRows(path)
	return c.Products(), err
}

// Spread takes n products from all over an assortment, in its order.
func Spread(all []Product, n int) []Product {
	if len(all) <= n {
		return all
	}
	some := make([]Product, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

// requestID makes the same id for the same cause, so that a demo that was
// interrupted while it was set up does nothing twice.
func requestID(cause string, store uint32) string {
	name := fmt.Sprintf("holdfast-sim demo/%s/%d", cause, store)
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String()
}
