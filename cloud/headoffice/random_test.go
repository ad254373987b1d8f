package headoffice_test

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fill sets a message's fields at random: numbers that are small, zero,
// negative or absurd, ids that repeat, lists that repeat themselves.
func fill(r *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if r.IntN(6) == 0 || depth > 4 || f.IsMap() {
			continue
		}
		if f.IsList() {
			list := m.Mutable(f).List()
			for range r.IntN(4) {
				if f.Kind() == protoreflect.MessageKind {
					fill(r, list.AppendMutable().Message(), depth+1)
				} else {
					list.Append(scalar(r, f))
				}
			}
			continue
		}
		if f.Kind() == protoreflect.MessageKind {
			fill(r, m.Mutable(f).Message(), depth+1)
			continue
		}
		m.Set(f, scalar(r, f))
	}
}

func scalar(r *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	n := int64(r.IntN(5)) - 1
	if r.IntN(12) == 0 {
		n = []int64{math.MaxInt64, math.MinInt64, math.MaxInt32, 1e9, 1e9 + 1}[r.IntN(5)]
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n > 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n & 7))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(n))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "A1", "x\x00y", "\u202e"}[r.IntN(4)])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([][]byte{nil, id("r1"), id("r2"), []byte("short")}[r.IntN(4)])
	}
	return protoreflect.ValueOfInt64(n)
}
