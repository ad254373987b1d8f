package journal

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
)

// toValue turns an argument into what SQLite keeps. Byte arrays, such as
// hashes and ids, become blobs; named integers and strings become what they
// are made of.
func toValue(arg any) (driver.Value, error) {
	switch v := arg.(type) {
	case nil:
		return nil, nil
	case int64:
		return v, nil
	case string:
		return v, nil
	case []byte:
		return v, nil
	case int:
		return int64(v), nil
	case uint64:
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("%d does not fit in 64 bits with a sign", v)
		}
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case Hash:
		return v[:], nil
	case [16]byte:
		return v[:], nil
	}
	rv := reflect.ValueOf(arg)
	if _, ok := arg.(driver.Valuer); !ok && isByteArray(rv.Type()) {
		b := make([]byte, rv.Len())
		reflect.Copy(reflect.ValueOf(b), rv)
		return b, nil
	}
	return driver.DefaultParameterConverter.ConvertValue(arg)
}

func isByteArray(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8
}

// assign stores a column in a destination of Scan.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *int:
		if n, ok := v.(int64); ok && int64(int(n)) == n {
			*d = int(n)
			return nil
		}
	case *uint64:
		if n, ok := v.(int64); ok && n >= 0 {
			*d = uint64(n)
			return nil
		}
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *[]byte:
		b, ok := v.([]byte)
		if ok && b == nil {
			b = []byte{} // the driver's empty blob; null is a nil value
		}
		if ok || v == nil {
			*d = b
			return nil
		}
	case *any:
		*d = v
		return nil
	case sql.Scanner:
		return d.Scan(v)
	}
	rv := reflect.ValueOf(dest)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("destination is %T, need a pointer", dest)
	}
	return assignKind(rv.Elem(), v)
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
