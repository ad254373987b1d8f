// Package demodata is the assortment and the shops of Tjalk, an invented
// chain, for demonstrations and for the simulator. Names, brands, streets and
// prices are made up; the towns are real. Its GTINs use the prefix 952, which
// GS1 keeps for examples, so none of them is on a real product. VAT is the
// Dutch rate of the category.
package demodata

import (
	"embed"
	"encoding/csv"
	"fmt"
	"strconv"
)

//go:embed products.csv stores.csv
var files embed.FS

// Store is one shop of the chain.
type Store struct {
	ID       uint32
	Name     string
	Town     string
	Street   string
	Postcode string
	Country  string // ISO 3166, two letters
	Lat, Lon float64
	Timezone string // IANA name
	Opening  string // like "Mo-Fr 08:00-20:00; Sa 09:00-18:00"; days left out are closed
	Language string // BCP 47
	Currency string // ISO 4217
}

// Products gives the assortment as CSV with a header line: gtin, the default
// name and the names in Dutch, Danish, German and English, brand, category,
// aisle (aisle-bay), package, unit, price, currency, VAT, PLU and image.
// Unit "g" marks what is sold by weight: price_minor is then for one kilogram.
func Products() []byte { return read("products.csv") }

// Stores gives the shops in the order of their ids. The first three are one
// Dutch, one Danish and one German shop.
func Stores() []Store {
	file, err := files.Open("stores.csv")
	if err != nil {
		panic(fmt.Errorf("open embedded stores.csv: %w", err))
	}
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		panic(fmt.Errorf("read embedded stores.csv: %w", err))
	}
	stores := make([]Store, 0, len(rows)-1)
	for _, row := range rows[1:] {
		stores = append(stores, Store{
			ID: uint32(number(row[0])), Name: row[1], Town: row[2], Street: row[3],
			Postcode: row[4], Country: row[5], Lat: number(row[6]), Lon: number(row[7]),
			Timezone: row[8], Opening: row[9], Language: row[10], Currency: row[11],
		})
	}
	return stores
}

func read(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Errorf("read embedded %s: %w", name, err))
	}
	return data
}

func number(field string) float64 {
	n, err := strconv.ParseFloat(field, 64)
	if err != nil {
		panic(fmt.Errorf("embedded stores.csv: %w", err))
	}
	return n
}
