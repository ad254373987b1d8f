package journal

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"

	"holdfast.dev/stock"
)

// toInt takes the arguments that are integers of the usual types.
func toInt(arg any) (n int64, ok bool, err error) {
	switch v := arg.(type) {
	case int64:
		return v, true, nil
	case int:
		return int64(v), true, nil
	case uint32:
		return int64(v), true, nil
	case stock.StoreID:
		return int64(v), true, nil
	case stock.SKU:
		return int64(v), true, nil
	case stock.Units:
		return int64(v), true, nil
	case stock.Timeline:
		return int64(v), true, nil
	case bool:
		if v {
			n = 1
		}
		return n, true, nil
	case uint64:
		if v > math.MaxInt64 {
			return 0, false, fmt.Errorf("%d does not fit in 64 bits with a sign", v)
		}
		return int64(v), true, nil
	}
	return 0, false, nil
}

// toValue turns arguments of the rarer types into what SQLite keeps. Byte
// arrays, such as ids, become blobs; named integers and strings become what
// they are made of.
func toValue(arg any) (driver.Value, error) {
	rv := reflect.ValueOf(arg)
	if _, ok := arg.(driver.Valuer); !ok && isByteArray(rv.Type()) {
		b := make([]byte, rv.Len())
		reflect.Copy(reflect.ValueOf(b), rv)
		return b, nil
	}
	v, err := driver.DefaultParameterConverter.ConvertValue(arg)
	if on, ok := v.(bool); ok && err == nil {
		n, _, err := toInt(on)
		return n, err
	}
	return v, err
}

func isByteArray(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8
}

// assign stores a column in a destination of Scan.
func assign(dest any, c *cell) error {
	switch {
	case c.kind == isInt && assignUsual(dest, c.n):
		return nil
	case c.kind == isText || c.kind == isBlob || c.kind == isNull:
		if assignPlain(dest, c) {
			return nil
		}
	}
	switch d := dest.(type) {
	case *any:
		*d = c.value()
		return nil
	case sql.Scanner:
		return d.Scan(c.value())
	}
	rv := reflect.ValueOf(dest)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("destination is %T, need a pointer", dest)
	}
	return assignKind(rv.Elem(), c.value())
}

// assignUsual serves integers of the usual types, when they can hold it.
func assignUsual(dest any, n int64) bool {
	switch d := dest.(type) {
	case *int64:
		*d = n
	case *stock.Units:
		*d = stock.Units(n)
	case *int:
		*d = int(n)
		return int64(int(n)) == n
	case *uint64:
		*d = uint64(n)
		return n >= 0
	case *uint32:
		*d = uint32(n)
		return n >= 0 && n <= math.MaxUint32
	case *stock.SKU:
		*d = stock.SKU(n)
		return n >= 0 && int64(stock.SKU(n)) == n
	case *stock.StoreID:
		*d = stock.StoreID(n)
		return n >= 0 && int64(stock.StoreID(n)) == n
	case *stock.Timeline:
		*d = stock.Timeline(n)
		return n >= 0 && int64(stock.Timeline(n)) == n
	case *bool:
		*d = n == 1
		return n == 0 || n == 1
	default:
		return false
	}
	return true
}

// assignPlain serves texts and bytes of the usual types.
func assignPlain(dest any, c *cell) bool {
	switch d := dest.(type) {
	case *string:
		if c.kind == isText {
			*d = string(c.bytes)
			return true
		}
	case *[]byte:
		switch c.kind {
		case isNull:
			*d = nil
			return true
		case isBlob:
			*d = append([]byte{}, c.bytes...) // null alone is nil
			return true
		}
	case *Hash:
		if c.kind == isBlob && len(c.bytes) == len(d) {
			*d = Hash(c.bytes)
			return true
		}
	}
	return false
}

// assignKind serves named types and the rarer kinds.
func assignKind(to reflect.Value, v driver.Value) error {
	if to.Kind() == reflect.Pointer {
		if v == nil {
			to.SetZero()
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return assignKind(to.Elem(), v)
	}
	stored := false
	switch v := v.(type) {
	case int64:
		stored = assignInt(to, v)
	case float64:
		if to.CanFloat() {
			to.SetFloat(v)
			stored = true
		}
	case string:
		stored = assignBytes(to, []byte(v))
	case []byte:
		stored = assignBytes(to, v)
	case nil:
		if to.Kind() == reflect.Slice {
			to.SetZero()
			stored = true
		}
	}
	if !stored {
		return fmt.Errorf("%s does not hold %T %v", to.Type(), v, v)
	}
	return nil
}

func assignInt(to reflect.Value, n int64) bool {
	switch {
	case to.CanInt() && !to.OverflowInt(n):
		to.SetInt(n)
	case to.CanUint() && n >= 0 && !to.OverflowUint(uint64(n)):
		to.SetUint(uint64(n))
	case to.CanFloat():
		to.SetFloat(float64(n))
	case to.Kind() == reflect.Bool && (n == 0 || n == 1):
		to.SetBool(n == 1)
	default:
		return false
	}
	return true
}

func assignBytes(to reflect.Value, b []byte) bool {
	switch {
	case to.Kind() == reflect.String:
		to.SetString(string(b))
	case to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
		to.SetBytes(b)
	case isByteArray(to.Type()) && to.Len() == len(b):
		reflect.Copy(to, reflect.ValueOf(b))
	default:
		return false
	}
	return true
}
