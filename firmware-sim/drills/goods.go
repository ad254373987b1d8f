package drills

import (
	"bufio"
	"errors"
	"fmt"
	"os"
)

// goods is the number of the i-th product of a drill, in the range that GS1
// keeps for demonstrations.
func goods(i int) string {
	body := fmt.Sprintf("0952%09d", i)
	sum := 0
	for at, digit := range body {
		weight := 3 - 2*(at%2)
		sum += weight * int(digit-'0')
	}
	return body + string(rune('0'+(10-sum%10)%10))
}

// writeProducts writes a file of so many products.
func writeProducts(path string, n int) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write products: %w", err)
	}
	out := bufio.NewWriter(file)
	fmt.Fprintln(out, "gtin,name,price_minor,currency,vat_permille")
	for i := range n {
		fmt.Fprintf(out, "%s,Product %d,%d,%s,90\n", goods(i), i, 100+i%900, currency)
	}
	if err := errors.Join(out.Flush(), file.Close()); err != nil {
		return fmt.Errorf("write products: %w", err)
	}
	return nil
}
