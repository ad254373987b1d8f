// Package stock holds the words that every part of Holdfast uses: stores,
// SKUs, units, sequence numbers, and refusals with their codes.
package stock

import (
	"errors"
	"fmt"
	"strconv"
)

// StoreID names one shop. Zero is invalid.
type StoreID uint32

// String gives the decimal form used in resource names, for example "7".
func (s StoreID) String() string { return strconv.FormatUint(uint64(s), 10) }

// SKU names one product as the cloud's catalogue numbers it. Zero is invalid.
type SKU uint32

// Units counts stock in a SKU's base unit: pieces, grams or millilitres.
type Units int64

// Seq numbers the records of one log, from 1. Zero means "before the first".
type Seq uint64

// Timeline numbers the incarnations of the cloud's state, from 1. It rises
// only when the cloud was restored from a backup.
type Timeline uint32

// Epoch numbers the incarnations of one store's state. Epochs compare by the
// timeline that issued them first, then by their counter.
type Epoch struct {
	Timeline Timeline
	Counter  uint32
}

// Compare returns -1, 0 or +1 as e is before, equal to or after f.
func (e Epoch) Compare(f Epoch) int {
	switch {
	case e.Timeline < f.Timeline, e.Timeline == f.Timeline && e.Counter < f.Counter:
		return -1
	case e == f:
		return 0
	}
	return 1
}

// String gives "timeline.counter", for example "1.3".
func (e Epoch) String() string { return fmt.Sprintf("%d.%d", e.Timeline, e.Counter) }

// Refusal is the rules saying no: expected, shown to people, never retried.
// It is a value with a code, so that every side says the same sentence.
type Refusal struct {
	Code   Code
	Detail string            // for developers, English, no secrets
	Args   map[string]string // what the sentence for people mentions, by name
}

// Error gives the code and the detail, for logs and API clients.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return r.Code.String()
	}
	return r.Code.String() + ": " + r.Detail
}

// Refuse makes a refusal. The detail is formatted for developers.
func Refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// With adds a named argument for the sentence that people read, and returns r.
func (r *Refusal) With(name string, value any) *Refusal {
	if r.Args == nil {
		r.Args = make(map[string]string, 2)
	}
	r.Args[name] = fmt.Sprint(value)
	return r
}

// AsRefusal returns the refusal inside err, if there is one.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// Refused tells whether err is a refusal with this code.
func Refused(err error, code Code) bool {
	r, ok := AsRefusal(err)
	return ok && r.Code == code
}
