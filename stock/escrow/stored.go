package escrow

import (
	"encoding/binary"
	"fmt"
)

// storedVersion begins every stored form; another one is not read.
const storedVersion = 1

// Append adds the stored form of d to b: about 40 bytes.
func (d Demand) Append(b []byte) []byte {
	has := int64(0)
	if d.ShopHas {
		has |= 1
	}
	if d.WebHas {
		has |= 2
	}
	numbers := []int64{has}
	for _, n := range d.numbers() {
		numbers = append(numbers, *n)
	}
	return appendNumbers(b, numbers)
}

// ParseDemand reads what Append has written.
func ParseDemand(b []byte) (Demand, error) {
	var d Demand
	fields := d.numbers()
	numbers, err := readNumbers(b, len(fields)+1, len(fields)+1)
	if err != nil {
		return Demand{}, fmt.Errorf("read a demand: %w", err)
	}
	if numbers[0] < 0 || numbers[0] > 3 {
		return Demand{}, fmt.Errorf("read a demand: sides %d", numbers[0])
	}
	d.ShopHas, d.WebHas = numbers[0]&1 != 0, numbers[0]&2 != 0
	for i, n := range numbers[1:] {
		if n < 0 || n > mostSum {
			return Demand{}, fmt.Errorf("read a demand: number %d is %d", i, n)
		}
		*fields[i] = n
	}
	return d, nil
}

func (d *Demand) numbers() []*int64 {
	return []*int64{&d.At, &d.Moved,
		&d.Shop.Units, &d.Shop.Time, &d.Shop.TodayUnits, &d.Shop.TodayTime,
		&d.Web.Units, &d.Web.Time, &d.Web.TodayUnits, &d.Web.TodayTime}
}

// Append adds the stored form of w to b: less than a kilobyte.
func (w Week) Append(b []byte) []byte {
	return appendNumbers(b, append([]int64{w.Day}, w.Units[:]...))
}

// ParseWeek reads what Append has written.
func ParseWeek(b []byte) (Week, error) {
	numbers, err := readNumbers(b, weekHours+1, weekHours+1)
	if err != nil {
		return Week{}, fmt.Errorf("read a week: %w", err)
	}
	w := Week{Day: numbers[0]}
	for i, n := range numbers[1:] {
		if n < 0 || n > mostSum/weekHours {
			return Week{}, fmt.Errorf("read a week: hour %d has %d", i, n)
		}
		w.Units[i] = n
	}
	return w, nil
}

// Append adds the stored form of c to b.
func (c Cuts) Append(b []byte) []byte { return appendNumbers(b, c.Lengths) }

// ParseCuts reads what Append has written.
func ParseCuts(b []byte) (Cuts, error) {
	numbers, err := readNumbers(b, 0, maxCuts)
	if err != nil {
		return Cuts{}, fmt.Errorf("read cuts: %w", err)
	}
	return Cuts{Lengths: numbers}, nil
}

func appendNumbers(b []byte, numbers []int64) []byte {
	b = append(b, storedVersion)
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// readNumbers reads from least to most numbers, and nothing after them.
func readNumbers(b []byte, least, most int) ([]int64, error) {
	if len(b) == 0 || b[0] != storedVersion {
		return nil, fmt.Errorf("%d bytes are not of version %d", len(b), storedVersion)
	}
	numbers := make([]int64, 0, least)
	for rest := b[1:]; len(rest) > 0; {
		n, size := binary.Varint(rest)
		if size <= 0 || len(numbers) == most {
			return nil, fmt.Errorf("%d bytes hold no %d numbers", len(b), most)
		}
		numbers, rest = append(numbers, n), rest[size:]
	}
	if len(numbers) < least {
		return nil, fmt.Errorf("%d numbers instead of %d", len(numbers), least)
	}
	return numbers, nil
}
