package scanner

import (
	"bytes"
	"testing"
)

func TestResampleIsWhatAReceiverWouldSample(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, c := range []struct {
		name           string
		data           []byte
		sent, received int
		want           []byte
	}{
		{"the same speed", all, 9600, 9600, all},
		{"a speed within tolerance", all, 9600, 9800, all},
		// 'U' is 0101010101 on the line. At double speed it looks like
		// 0011001100, which lacks its stop bit, and then 00110011 and idle.
		{"double speed", []byte("U"), 9600, 19200, []byte{0xE6}},
		// Nine zeros at half speed are a start bit, three zeros and idle.
		{"half speed", []byte{0}, 19200, 9600, []byte{0xF8}},
		{"a break", []byte{0, 0, 0}, 9600, 115200, []byte{0, 0, 0}},
		{"a speed that is none", []byte("U"), 9600, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := resample(c.data, c.sent, c.received, true); !bytes.Equal(got, c.want) {
				t.Errorf("got % x, want % x", got, c.want)
			}
		})
	}
	// The same, with a zero for the byte that lacks its stop bit.
	if got := resample([]byte("U"), 9600, 19200, false); !bytes.Equal(got, []byte{0, 0xE6}) {
		t.Errorf("a host that keeps broken bytes gets % x", got)
	}
}
