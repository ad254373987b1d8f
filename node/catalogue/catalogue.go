// Package catalogue keeps the store's copy of the product catalogue, so that a
// scan is answered with the cable pulled.
package catalogue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Migration is the SQL of the catalogue's tables. They are local: the cloud
// has the catalogue, and a store may fetch it again.
const Migration = `
CREATE TABLE local_product (
  sku INTEGER PRIMARY KEY, gtin TEXT NOT NULL UNIQUE, plu TEXT NOT NULL, words TEXT NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE INDEX local_product_plu ON local_product (plu) WHERE plu <> '';
CREATE TABLE local_catalogue (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL) STRICT;
INSERT INTO local_catalogue (one, version) VALUES (1, 0);
`

const (
	selectByGTIN = `SELECT data FROM local_product WHERE gtin = ?`
	selectByPLU  = `SELECT data FROM local_product WHERE plu = ? ORDER BY sku LIMIT 1`
	selectBySKU  = `SELECT data FROM local_product WHERE sku = ?`
	selectWords  = `SELECT data FROM local_product WHERE words LIKE ? ESCAPE '\'`
	andWord      = ` AND words LIKE ? ESCAPE '\'`
	bySKU        = ` ORDER BY sku LIMIT ?`
	countAll     = `SELECT count(*) FROM local_product`
	deleteOwner  = `DELETE FROM local_product WHERE gtin = ? AND sku <> ?`
	upsert       = `INSERT INTO local_product (sku, gtin, plu, words, data) VALUES (?,?,?,?,?)
  ON CONFLICT (sku) DO UPDATE SET gtin = excluded.gtin, plu = excluded.plu,
  words = excluded.words, data = excluded.data`
	selectVersion = `SELECT version FROM local_catalogue`
	updateVersion = `UPDATE local_catalogue SET version = ?`
)

// Products finds products. The zero value is ready; reads take the caller's
// transaction.
type Products struct{ j *journal.Journal }

// Open works on a journal whose machine has this package's Migration.
func (p *Products) Open(j *journal.Journal) { p.j = j }

// ByGTIN returns the product with this 14-digit number, or nil.
func (p *Products) ByGTIN(tx *journal.Tx, gtin string) (*recordv1.Product, error) {
	return one(tx, selectByGTIN, gtin)
}

// ByPLU returns the product with this shop-internal number, or nil.
func (p *Products) ByPLU(tx *journal.Tx, plu string) (*recordv1.Product, error) {
	return one(tx, selectByPLU, plu)
}

// BySKU returns the product with this number, or nil.
func (p *Products) BySKU(tx *journal.Tx, sku stock.SKU) (*recordv1.Product, error) {
	return one(tx, selectBySKU, sku)
}

func one(tx *journal.Tx, q string, key any) (*recordv1.Product, error) {
	var raw []byte
	err := tx.QueryRow(q, key).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find product %v: %w", key, err)
	}
	return decode(raw)
}

func decode(raw []byte) (*recordv1.Product, error) {
	p := new(recordv1.Product)
	if err := proto.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("decode product: %w", err)
	}
	return p, nil
}

// maxWords bounds the words of a search; more are ignored.
const maxWords = 8

// Search returns products whose names, brand or number contain every word.
func (p *Products) Search(tx *journal.Tx, query string, limit int) ([]*recordv1.Product, error) {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return nil, nil
	}
	words = words[:min(len(words), maxWords)]
	args := make([]any, 0, len(words)+1)
	for _, w := range words {
		args = append(args, "%"+escape(w)+"%")
	}
	rows, err := tx.Query(selectWords+strings.Repeat(andWord, len(words)-1)+bySKU, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("search %q: %w", query, err)
	}
	defer rows.Close()
	var found []*recordv1.Product
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, fmt.Errorf("read product: %w", err)
		}
		product, err := decode(raw)
		if err != nil {
			return nil, err
		}
		found = append(found, product)
	}
	return found, rows.Err()
}

func escape(word string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(word)
}

func wordsOf(p *recordv1.Product) string {
	parts := []string{p.GetName(), p.GetBrand(), p.GetGtin(), p.GetPlu()}
	for _, lang := range []string{"nl", "da", "de", "en"} {
		parts = append(parts, p.GetNames()[lang])
	}
	return strings.ToLower(strings.Join(parts, " "))
}

// Name is a product's name in a language, or its default name.
func Name(p *recordv1.Product, lang string) string {
	if n := p.GetNames()[lang]; n != "" {
		return n
	}
	return p.GetName()
}

// Count is how many products the store knows.
func (p *Products) Count(tx *journal.Tx) (n int64, err error) {
	err = tx.QueryRow(countAll).Scan(&n)
	return n, err
}

// Version is the catalogue version that the store has completely.
func (p *Products) Version(ctx context.Context) (v uint64, err error) {
	err = p.j.View(ctx, func(tx *journal.Tx) error { return tx.QueryRow(selectVersion).Scan(&v) })
	return v, err
}

// Apply saves products as the cloud sent them.
func (p *Products) Apply(ctx context.Context, products []*recordv1.Product) error {
	return p.j.Local(ctx, func(tx *journal.Tx) error {
		for _, product := range products {
			raw, err := proto.Marshal(product)
			if err != nil {
				return err
			}
			// A number that moved: the former owner's own row is on its way, or gone.
			if _, err := tx.Exec(deleteOwner, product.GetGtin(), product.GetSku()); err != nil {
				return fmt.Errorf("free number %s: %w", product.GetGtin(), err)
			}
			_, err = tx.Exec(upsert, product.GetSku(), product.GetGtin(), product.GetPlu(), wordsOf(product), raw)
			if err != nil {
				return fmt.Errorf("save product %s: %w", product.GetGtin(), err)
			}
		}
		return nil
	})
}

// Finish says that everything up to a version was applied.
func (p *Products) Finish(ctx context.Context, version uint64) error {
	return p.j.Local(ctx, func(tx *journal.Tx) error {
		_, err := tx.Exec(updateVersion, version)
		return err
	})
}
