package bench

import (
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
)

// assortment is how many products a store of ordinary size has.
const assortment = 2000

// products makes up products, numbered from SKU 1 as the cloud would, with
// texts as long as real ones.
func products(n int) []*recordv1.Product {
	all := make([]*recordv1.Product, n)
	for i := range all {
		name := fmt.Sprintf("Organic whole-grain spread no. %d", i+1)
		all[i] = &recordv1.Product{Sku: uint32(i + 1), Gtin: "0" + ean13(i+1), Name: name,
			Names: map[string]string{"nl": "Biologische volkorenpasta nr. " + fmt.Sprint(i+1),
				"da": "Økologisk fuldkornspålæg nr. " + fmt.Sprint(i+1), "en": name,
				"de": "Bio-Vollkornaufstrich Nr. " + fmt.Sprint(i+1)},
			Brand: fmt.Sprintf("Maker %d", i%97), Category: fmt.Sprintf("Category %d", i%23),
			Aisle: fmt.Sprintf("%d", 1+i%30), Package: "350 g", Unit: "each", PriceMinor: int64(99 + i%2000),
			Currency: "EUR", VatPermille: 90, Version: 1}
	}
	return all
}

// ean13 is a number in GS1's demonstration prefix.
func ean13(n int) string {
	digits := fmt.Sprintf("952%09d", n)
	sum := 0
	for i, d := range digits {
		weight := 1 + i%2*2
		sum += int(d-'0') * weight
	}
	return digits + fmt.Sprint((10-sum%10)%10)
}
