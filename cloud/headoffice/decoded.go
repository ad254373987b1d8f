package headoffice

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// maxDecoded bounds the products that are kept decoded.
const maxDecoded = 4096

// Products finds products in the tables, and keeps what it has decoded by what is
// stored: the names of a product cost more to decode than its row to find. Nobody
// may change what it returns. Nil keeps nothing; the zero value is ready for use.
type Products struct {
	mu      sync.Mutex
	decoded map[string]*recordv1.Product // guarded by mu, by the stored bytes
}

// ByGTIN returns the product with this number of 14 digits; nil when the catalogue
// has none.
func (p *Products) ByGTIN(tx *journal.Tx, gtin string) (*recordv1.Product, error) {
	return p.load(tx, selectByGTIN, gtin)
}

// BySKU returns a product; nil when the catalogue has none.
func (p *Products) BySKU(tx *journal.Tx, sku stock.SKU) (*recordv1.Product, error) {
	return p.load(tx, selectBySKU, sku)
}

func (p *Products) load(tx *journal.Tx, q string, key any) (*recordv1.Product, error) {
	var row []byte
	err := tx.QueryRow(q, key).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load product %v: %w", key, err)
	}
	return p.decode(row)
}

func (p *Products) decode(row []byte) (*recordv1.Product, error) {
	if p == nil {
		return decodeProduct(row)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.decoded[string(row)]; known != nil {
		return known, nil
	}
	fresh, err := decodeProduct(row)
	if err != nil {
		return nil, err
	}
	if p.decoded == nil || len(p.decoded) >= maxDecoded {
		p.decoded = make(map[string]*recordv1.Product)
	}
	p.decoded[string(row)] = fresh
	return fresh, nil
}
