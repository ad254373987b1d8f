package headoffice

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/gtin"
	"holdfast.dev/stock/journal"
)

// MaxImport bounds the products of one ImportProducts command: shoppers wait
// while it is applied. A longer list is several commands.
const MaxImport = 2000

const (
	maxNameRunes    = 200
	maxProductText  = 100
	maxTranslations = 16
	maxPriceMinor   = 100_000_000
	maxSKU          = 1<<32 - 1
)

const (
	selectBySKU  = `SELECT row FROM product WHERE sku = ?`
	selectByGTIN = `SELECT row FROM product WHERE gtin = ?`

	insertProduct = `INSERT INTO product (sku, gtin, version, retired, category, name, row)
  VALUES (?,?,?,?,?,?,?)`
	updateProduct = `UPDATE product SET version=?, retired=?, category=?, name=?, row=? WHERE sku=?`
	insertSearch  = `INSERT INTO local_search (rowid, name, names, brand, category, gtin)
  VALUES (?,?,?,?,?,?)`
	updateSearch = `UPDATE local_search SET name=?, names=?, brand=?, category=? WHERE rowid=?`
)

// importProducts creates products and changes those that differ. The catalogue
// gets a new version if anything changed.
func (d *desk) importProducts(p *recordv1.ImportProducts) (*recordv1.Result, error) {
	if n := len(p.GetProducts()); n == 0 || n > MaxImport {
		return nil, stock.Refuse(stock.TooMany, "%d products in one import", n).
			With("limit", MaxImport).With("what", "products")
	}
	seen := make(map[string]bool, len(p.GetProducts()))
	for _, row := range p.GetProducts() {
		if err := checkProduct(row); err != nil {
			return nil, err
		}
		if seen[row.GetGtin()] {
			return nil, badRequest("gtin", "product %s twice in one import", row.GetGtin())
		}
		seen[row.GetGtin()] = true
	}
	if int64(d.nextSKU)+int64(len(p.GetProducts())) > maxSKU {
		return nil, stock.Refuse(stock.TooMany, "no product numbers left").With("what", "products")
	}
	count := &recordv1.ImportResult{}
	for _, row := range p.GetProducts() {
		if err := d.putProduct(row, count); err != nil {
			return nil, err
		}
	}
	if count.Added+count.Changed > 0 {
		d.catalogue++
		d.touch(AllStores)
	}
	count.Version = d.catalogue
	return &recordv1.Result{Body: &recordv1.Result_Import{Import: count}}, nil
}

// putProduct writes one row of an import, if it is new or differs.
func (d *desk) putProduct(row *recordv1.Product, count *recordv1.ImportResult) error {
	known, err := loadProduct(d.tx, selectByGTIN, row.GetGtin())
	if err != nil {
		return err
	}
	next := proto.CloneOf(row)
	next.Version = d.catalogue + 1
	if known == nil {
		next.Sku = uint32(d.nextSKU)
		d.nextSKU++
		count.Added++
		return d.insertProduct(next)
	}
	next.Sku = known.GetSku()
	same, err := equalProducts(known, next)
	if err != nil {
		return err
	}
	if same {
		count.Same++
		return nil
	}
	count.Changed++
	return d.updateProduct(next)
}

// equalProducts compares all but the version.
func equalProducts(a, b *recordv1.Product) (bool, error) {
	x, y := proto.CloneOf(a), proto.CloneOf(b)
	x.Version, y.Version = 0, 0
	xs, err := encode.Marshal(x)
	if err != nil {
		return false, err
	}
	ys, err := encode.Marshal(y)
	return bytes.Equal(xs, ys), err
}

func (d *desk) insertProduct(p *recordv1.Product) error {
	row, err := encode.Marshal(p)
	if err != nil {
		return err
	}
	_, err = d.tx.Exec(insertProduct, p.GetSku(), p.GetGtin(), p.GetVersion(), p.GetRetired(),
		p.GetCategory(), p.GetName(), row)
	if err != nil {
		return fmt.Errorf("insert product %s: %w", p.GetGtin(), err)
	}
	_, err = d.tx.Exec(insertSearch, p.GetSku(), p.GetName(), translations(p), p.GetBrand(),
		p.GetCategory(), strings.TrimLeft(p.GetGtin(), "0"))
	return err
}

func (d *desk) updateProduct(p *recordv1.Product) error {
	row, err := encode.Marshal(p)
	if err != nil {
		return err
	}
	_, err = d.tx.Exec(updateProduct, p.GetVersion(), p.GetRetired(), p.GetCategory(), p.GetName(),
		row, p.GetSku())
	if err != nil {
		return fmt.Errorf("update product %s: %w", p.GetGtin(), err)
	}
	_, err = d.tx.Exec(updateSearch, p.GetName(), translations(p), p.GetBrand(), p.GetCategory(),
		p.GetSku())
	return err
}

// translations joins the names in all languages, for the search.
func translations(p *recordv1.Product) string {
	var names []string
	for _, language := range slices.Sorted(maps.Keys(p.GetNames())) {
		names = append(names, p.GetNames()[language])
	}
	return strings.Join(names, " ")
}

// checkProduct repeats what the import's parser has checked: the log takes
// commands from whoever may propose.
func checkProduct(p *recordv1.Product) error {
	g, err := gtin.Parse(p.GetGtin())
	if err != nil || g.Digits() != p.GetGtin() {
		return badRequest("gtin", "%q is not a product number of 14 digits", p.GetGtin())
	}
	if p.GetName() == "" || !plain(p.GetName(), maxNameRunes) {
		return badRequest("name", "product %s has no usable name", p.GetGtin())
	}
	if len(p.GetNames()) > maxTranslations {
		return badRequest("name", "product %s has %d names", p.GetGtin(), len(p.GetNames()))
	}
	for _, language := range slices.Sorted(maps.Keys(p.GetNames())) {
		if !plain(p.GetNames()[language], maxNameRunes) || len(language) != 2 {
			return badRequest("name", "product %s has an unusable name in %q", p.GetGtin(), language)
		}
	}
	for _, t := range []string{p.GetBrand(), p.GetCategory(), p.GetAisle(), p.GetPackage(),
		p.GetCountry()} {
		if !plain(t, maxProductText) {
			return badRequest("product", "product %s: %q is too long or has control characters",
				p.GetGtin(), t)
		}
	}
	return checkPrice(p)
}

func checkPrice(p *recordv1.Product) error {
	switch p.GetUnit() {
	case "each", "g", "ml":
	default:
		return badRequest("unit", "product %s is sold by %q", p.GetGtin(), p.GetUnit())
	}
	if n := p.GetPriceMinor(); n < 0 || n > maxPriceMinor || n > 0 && len(p.GetCurrency()) != 3 {
		return badRequest("price", "product %s costs %d %q", p.GetGtin(), n, p.GetCurrency())
	}
	if p.GetVatPermille() > 1000 {
		return badRequest("vat", "product %s has a tax of %d thousandths", p.GetGtin(),
			p.GetVatPermille())
	}
	if plu := p.GetPlu(); plu != "" && (len(plu) != 5 || strings.Trim(plu, "0123456789") != "") {
		return badRequest("plu", "product %s has the scale number %q", p.GetGtin(), plu)
	}
	return nil
}

// loadProduct returns nil when there is none.
func loadProduct(tx *journal.Tx, q string, key any) (*recordv1.Product, error) {
	return (*Products)(nil).load(tx, q, key)
}

func decodeProduct(row []byte) (*recordv1.Product, error) {
	p := new(recordv1.Product)
	if err := proto.Unmarshal(row, p); err != nil {
		return nil, fmt.Errorf("decode product: %w", err)
	}
	return p, nil
}

// NameIn is what a product is called in a language, or in the catalogue's own.
func NameIn(p *recordv1.Product, language string) string {
	if name := p.GetNames()[language]; name != "" {
		return name
	}
	return p.GetName()
}
