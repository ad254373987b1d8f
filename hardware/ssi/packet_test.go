package ssi

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// frame reads bytes as manuals print them.
func frame(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheHostsPacketsAreTheManuals(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"ACK", encode(opAck, 0), "04 D0 04 00 FF 28"},
		{"NAK, send again", encode(opNak, 0, nakResend), "05 D1 04 00 01 FF 25"},
		{"scan enable", encode(opScanEnable, 0), "04 E9 04 00 FF 0F"},
		{"revision", encode(opRevision, 0), "04 A3 04 00 FF 55"},
		{"beep", encode(opBeep, 0, 0), "05 E6 04 00 00 FF 11"},
		{"packet format", encode(opParamSend, 0, 0xFF, 0xEE, 1), "07 C6 04 00 FF EE 01 FD 41"},
		{"the same for good", encode(opParamSend, 8, 0xFF, 0xEE, 1), "07 C6 04 08 FF EE 01 FD 39"},
		{"AIM identifiers", encode(opParamSend, 0, 0xFF, 0x2D, 1), "07 C6 04 00 FF 2D 01 FE 02"},
	} {
		if diff := cmp.Diff(frame(t, c.want), c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

const (
	ean13Is    = "12 F3 00 00 0B 34 30 30 36 33 38 31 33 33 33 39 33 31 FC 54"
	ean13Again = "12 F3 00 01 0B 34 30 30 36 33 38 31 33 33 33 39 33 31 FC 53"
	code128    = "0B F3 00 00 03 41 42 43 31 32 33 FD A3"
	gs1        = "1B F3 00 00 0F 30 31 39 35 30 31 32 33 34 35 36 37 38 39 30 " +
		"33 31 30 4C 4F 54 31 FA 23"
	matrix = "22 F3 00 00 1B 30 31 30 39 35 30 31 31 30 31 35 33 30 30 30 33 31 " +
		"30 41 42 1D 31 37 32 37 31 32 33 31 F9 1A"
	acked   = "04 D0 00 80 FE AC"
	ackedBy = "04 D0 00 00 FF 2C"
)

func TestADecodersPacketsAreRead(t *testing.T) {
	var a assembler
	for _, text := range []string{ean13Is, ean13Again, code128, gs1, matrix, acked, ackedBy} {
		a.push(frame(t, text))
	}
	want := []struct {
		opcode, status byte
		data           string
	}{
		{opDecodeData, 0, "\x0b4006381333931"}, {opDecodeData, again, "\x0b4006381333931"},
		{opDecodeData, 0, "\x03ABC123"}, {opDecodeData, 0, "\x0f019501234567890310LOT1"},
		{opDecodeData, 0, "\x1b010950110153000310AB\x1d17271231"},
		{opAck, 0x80, ""}, {opAck, 0, ""},
	}
	for i, w := range want {
		p, ok := a.next()
		if !ok || p.opcode != w.opcode || p.status != w.status || string(p.data) != w.data {
			t.Errorf("packet %d = %+v, %v; want %+v", i, p, ok, w)
		}
	}
	if _, total := a.noise(); total != 0 {
		t.Errorf("%d bytes of whole packets are noise", total)
	}
}

// all gives every packet in a stream that then falls silent.
func all(a *assembler) (found []string) {
	for p, ok := a.next(); ok; p, ok = a.next() {
		found = append(found, string(p.data))
	}
	for p, ok := a.gap(); ok; p, ok = a.gap() {
		found = append(found, string(p.data))
		for p, ok := a.next(); ok; p, ok = a.next() {
			found = append(found, string(p.data))
		}
	}
	return found
}

func TestPacketsAreFoundAgainAfterNoise(t *testing.T) {
	good, want := frame(t, code128), "\x03ABC123"
	flipped := bytes.Clone(good)
	flipped[7] ^= 0x10
	for name, noise := range map[string][]byte{
		"bytes that begin nothing":     {0x00, 0x01, 0x03},
		"a length":                     {0x20},
		"a length and an opcode":       {0x20, 0xF3},
		"the header of a long packet":  {0xFF, 0xF3, 0x00, 0x00},
		"a packet with a bit changed":  flipped,
		"half a packet":                good[:8],
		"a command of a host":          encode(opParamSend, 0, 0xFF, 0xEE, 1),
		"a packet of an unknown kind":  {0x04, 0x55, 0x00, 0x00, 0xFF, 0xA7},
		"the echo of an answer":        encode(opAck, 0),
		"text":                         []byte("8710398500014\r\n"),
		"two headers, one in another":  {0xFF, 0xF3, 0x00, 0x00, 0x40, 0xF3, 0x00, 0x00, 0x03},
		"half a packet and a bad byte": append(bytes.Clone(good[:12]), 0x00),
	} {
		t.Run(name, func(t *testing.T) {
			var a assembler
			a.push(noise)
			a.push(good)
			a.push(good)
			if diff := cmp.Diff([]string{want, want}, all(&a)); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
			if first, total := a.noise(); total != len(noise) || !bytes.HasPrefix(noise, first) {
				t.Errorf("%d bytes are noise, beginning with % x; want % x", total, first, noise)
			}
		})
	}
}

func TestTypesGiveTheIdentifierThatFitsTheLength(t *testing.T) {
	for _, c := range []struct {
		kind byte
		text string
		want string
	}{
		{0x0B, "4006381333931", "]E0"}, {0x0A, "96385074", "]E4"}, {0x0F, "0195", "]C1"},
		{0x08, "012345678905", ""}, {0x08, "0012345678905", "]E0"}, {0x09, "01234565", ""},
		{0x4B, "400638133393112", "]E3"}, {0x8B, "400638133393112345", "]E3"}, {0x99, "x", ""},
	} {
		if got := identifier(c.kind, []byte(c.text)); got != c.want {
			t.Errorf("type %02x of %q is %q, want %q", c.kind, c.text, got, c.want)
		}
	}
}

func FuzzPackets(f *testing.F) {
	for _, text := range []string{ean13Is, ean13Again, gs1, matrix, acked} {
		f.Add(frame(f, text), uint8(3))
	}
	f.Add([]byte{0xFF, 0xF3, 0x00, 0x00}, uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		good := frame(t, code128)
		var whole, pieces assembler
		whole.push(stream)
		before := all(&whole)
		for rest := stream; len(rest) > 0; {
			n := min(int(cut)+1, len(rest))
			pieces.push(rest[:n])
			rest = rest[n:]
		}
		if diff := cmp.Diff(before, all(&pieces)); diff != "" {
			t.Errorf("the same bytes cut otherwise (-whole +cut):\n%s", diff)
		}
		first, total := whole.noise()
		if len(first) > garbageBytes || len(first) > total || total > len(stream) {
			t.Errorf("%d of %d bytes of noise in %d", len(first), total, len(stream))
		}
		whole.push(good)
		if got := all(&whole); len(got) != 1 || got[0] != "\x03ABC123" {
			t.Errorf("after silence a symbol makes %q", got)
		}
	})
}

// BenchmarkPacket is the cost of one EAN-13.
func BenchmarkPacket(b *testing.B) {
	stream := frame(b, ean13Is)
	var a assembler
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		a.push(stream)
		if _, ok := a.next(); !ok {
			b.Fatal("a packet is none")
		}
	}
}
