package token

import (
	"bytes"
	"crypto/ed25519"
	"math"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock"
	"holdfast.dev/stock/gtin"
)

var private = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func keys() KeySet {
	public := private.Public().(ed25519.PublicKey)
	return KeySet{3: {Public: public, NotBefore: 1_700_000_000_000, NotAfter: 1_800_000_000_000}}
}

// order is a token of n lines with everyday numbers.
func order(n int) Token {
	t := Token{
		KeyID: 3, Tenant: 1, Store: 17, Timeline: 1, DSeq: 48_213,
		Reservation: [16]byte{0x01, 0x9a, 0xa0, 0x77, 15: 0x5c},
		PickupFrom:  1_763_650_000_000, PickupUntil: 1_763_820_000_000,
		PINTag: [4]byte{1, 2, 3, 4}, IssuedAt: 1_763_649_123_456,
	}
	for i := range n {
		t.Lines = append(t.Lines, Line{stock.SKU(10_000 + i), stock.Units(1 + i%3)})
	}
	return t
}

func sign(t testing.TB, tok Token) string {
	t.Helper()
	text, err := Sign(tok, private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSignedTokenReadsBackWhole(t *testing.T) {
	largest := Token{
		KeyID: math.MaxUint32, Tenant: math.MaxUint32, Store: math.MaxUint32,
		Timeline: math.MaxUint32, DSeq: math.MaxUint64, Reservation: [16]byte{0xff},
		PickupFrom: math.MaxInt64, PickupUntil: math.MaxInt64, IssuedAt: math.MaxInt64,
		PINTag: [4]byte{0xff},
	}
	for range MaxLines {
		largest.Lines = append(largest.Lines, Line{math.MaxUint32, math.MaxInt64})
	}
	all := keys()
	all[math.MaxUint32] = Key{Public: all[3].Public}
	for name, want := range map[string]Token{
		"one line": order(1), "twelve lines": order(MaxLines), "largest": largest,
	} {
		text := sign(t, want)
		got, err := Verify(text, all)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestLongOrderCarriesTheDigestOfItsLines(t *testing.T) {
	want := order(MaxLines + 1)
	got, err := Verify(sign(t, want), keys())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Lines) != 0 || got.LinesDigest != Digest(want.Lines) {
		t.Errorf("lines %v, digest %x", got.Lines, got.LinesDigest)
	}
	turned := append([]Line{want.Lines[MaxLines]}, want.Lines[:MaxLines]...)
	if Digest(turned) != Digest(want.Lines) {
		t.Error("the digest depends on the order of the lines")
	}
	turned[0].Units++
	if Digest(turned) == Digest(want.Lines) {
		t.Error("the digest does not depend on the units")
	}
}

// TestTokenFitsOnAReceipt bounds the version of the QR code, and logs its size.
func TestTokenFitsOnAReceipt(t *testing.T) {
	for _, tt := range []struct{ lines, version int }{{1, 7}, {3, 8}, {6, 8}, {12, 9}, {13, 8}} {
		text := sign(t, order(tt.lines))
		code, err := qr.Encode(text, qr.M, qr.AlphaNumeric)
		if err != nil {
			t.Fatal(err)
		}
		modules := code.Bounds().Dx()
		t.Logf("%2d lines: %d characters, QR version %d-M (%d modules)",
			tt.lines, len(text), (modules-17)/4, modules)
		if got := (modules - 17) / 4; got > tt.version {
			t.Errorf("%d lines need QR version %d, want at most %d", tt.lines, got, tt.version)
		}
	}
}

func TestEveryBitFlipIsRefused(t *testing.T) {
	for _, lines := range []int{2, MaxLines + 1} {
		text := []byte(sign(t, order(lines)))
		for i := range text {
			for bit := range 8 {
				text[i] ^= 1 << bit
				if tok, err := Verify(string(text), keys()); err == nil {
					t.Errorf("byte %d, bit %d: verified %+v", i, bit, tok)
				} else if _, ok := stock.AsRefusal(err); !ok {
					t.Errorf("byte %d, bit %d: a fault: %v", i, bit, err)
				}
				text[i] ^= 1 << bit
			}
		}
	}
}

func TestEveryBitFlipUnderTheBase45IsRefused(t *testing.T) {
	raw, _ := fromBase45(strings.TrimPrefix(sign(t, order(2)), prefix))
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			if tok, err := Verify(prefix+toBase45(raw), keys()); err == nil {
				t.Errorf("byte %d, bit %d: verified %+v", i, bit, tok)
			}
			raw[i] ^= 1 << bit
		}
	}
}

func TestVerifySaysWhyItRefuses(t *testing.T) {
	good := sign(t, order(1))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	forged, err := Sign(order(1), other)
	if err != nil {
		t.Fatal(err)
	}
	foreign := order(1)
	foreign.KeyID = 4
	early, late := order(1), order(1)
	early.IssuedAt, late.IssuedAt = 1_600_000_000_000, 1_900_000_000_000
	body := order(1).encode()
	bare := prefix + toBase45(append(body, ed25519.Sign(private, body)...)) // without HF1:
	tests := []struct {
		name, text string
		want       stock.Code
	}{
		{"forged", forged, stock.BadSignature},
		{"signed for another purpose", bare, stock.BadSignature},
		{"unknown key", sign(t, foreign), stock.UnknownKey},
		{"before its key", sign(t, early), stock.BadSignature},
		{"after its key", sign(t, late), stock.BadSignature},
		{"empty", "", stock.Unreadable},
		{"only a prefix", prefix, stock.Unreadable},
		{"another prefix", "HF2:" + strings.TrimPrefix(good, prefix), stock.Unreadable},
		{"lower case", strings.ToLower(good), stock.Unreadable},
		{"cut off", good[:len(good)-3], stock.Unreadable},
		{"longer", good + "000", stock.Unreadable},
		{"space behind", good + " ", stock.Unreadable},
		{"huge", prefix + strings.Repeat("0", 1<<20), stock.Unreadable},
	}
	for _, tt := range tests {
		if _, err := Verify(tt.text, keys()); !stock.Refused(err, tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestTokenHasOneEncodingOnly(t *testing.T) {
	body := order(1).encode()
	body = append([]byte{version, 0x83, 0x00}, body[2:]...) // key 3 in two bytes
	if tok, ok := decode(body); !ok || tok.KeyID != 3 {
		t.Fatalf("not another encoding of the same token: %+v", tok)
	}
	text := prefix + toBase45(append(body, ed25519.Sign(private, signed(body))...))
	if _, err := Verify(text, keys()); !stock.Refused(err, stock.Unreadable) {
		t.Errorf("%v, want UNREADABLE", err)
	}
}

func TestKeyWithoutAnEndStaysValid(t *testing.T) {
	set := keys()
	set[3] = Key{Public: set[3].Public}
	if _, err := Verify(sign(t, order(1)), set); err != nil {
		t.Error(err)
	}
	set[3] = Key{Public: []byte("short")}
	if _, err := Verify(sign(t, order(1)), set); err == nil {
		t.Error("a key of the wrong length verified a token")
	}
}

func TestTokenThatPromisesNothingIsNotSigned(t *testing.T) {
	for name, change := range map[string]func(*Token){
		"no store":       func(t *Token) { t.Store = 0 },
		"no timeline":    func(t *Token) { t.Timeline = 0 },
		"no reservation": func(t *Token) { t.Reservation = [16]byte{} },
		"no directive":   func(t *Token) { t.DSeq = 0 },
		"no lines":       func(t *Token) { t.Lines = nil },
		"no units":       func(t *Token) { t.Lines[0].Units = 0 },
		"minus units":    func(t *Token) { t.Lines[0].Units = -1 },
		"no SKU":         func(t *Token) { t.Lines[0].SKU = 0 },
		"until < from":   func(t *Token) { t.PickupUntil = t.PickupFrom - 1 },
		"before 1970":    func(t *Token) { t.IssuedAt = -1 },
	} {
		tok := order(2)
		change(&tok)
		if _, err := Sign(tok, private); !stock.Refused(err, stock.BadRequest) {
			t.Errorf("%s: %v, want BAD_REQUEST", name, err)
		}
		body := tok.encode()
		text := prefix + toBase45(append(body, ed25519.Sign(private, signed(body))...))
		if _, err := Verify(text, keys()); !stock.Refused(err, stock.Unreadable) {
			t.Errorf("%s, signed all the same: %v, want UNREADABLE", name, err)
		}
	}
	both := order(2)
	both.LinesDigest[0] = 1
	if _, err := Sign(both, private); !stock.Refused(err, stock.BadRequest) {
		t.Errorf("lines and their digest: %v, want BAD_REQUEST", err)
	}
	if _, err := Sign(order(1), nil); err == nil {
		t.Error("signed without a key")
	}
}

func TestPINTagBelongsToOneReservation(t *testing.T) {
	a, b := [16]byte{1}, [16]byte{2}
	if TagPIN(a, "1234") != TagPIN(a, "1234") {
		t.Error("the same PIN gives two tags")
	}
	if TagPIN(a, "1234") == TagPIN(a, "1235") || TagPIN(a, "1234") == TagPIN(b, "1234") {
		t.Error("another PIN or reservation gives the same tag")
	}
}

func TestBase45IsThatOfRFC9285(t *testing.T) {
	for plain, want := range map[string]string{
		"AB": "BB8", "Hello!!": "%69 VD92EX0", "base-45": "UJCLQE7W581", "": "",
	} {
		if got := toBase45([]byte(plain)); got != want {
			t.Errorf("%q = %q, want %q", plain, got, want)
		}
		if got, ok := fromBase45(want); !ok || string(got) != plain {
			t.Errorf("%q back = %q, %v", want, got, ok)
		}
	}
	for _, bad := range []string{"GGW", "A", "ABCD", "::", "ab8", "A_8", "\x00\x00\x00"} {
		if got, ok := fromBase45(bad); ok {
			t.Errorf("%q = %q, want refused", bad, got)
		}
	}
}

func TestScannerTakesTokenForAPickup(t *testing.T) {
	for _, lines := range []int{1, MaxLines} {
		text := sign(t, order(lines))
		s, err := gtin.Decode([]byte(text), "]Q1")
		if err != nil || s.Kind != gtin.Pickup || s.Text != text {
			t.Errorf("%d lines: %s, %v", lines, s.Kind, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	text, set := sign(b, order(3)), keys()
	for b.Loop() {
		if _, err := Verify(text, set); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sign(f, order(2)))
	f.Add(sign(f, order(13)))
	f.Add(prefix + "BB8")
	f.Fuzz(func(t *testing.T, text string) {
		tok, _, _, err := split(text)
		if err != nil {
			if !stock.Refused(err, stock.Unreadable) {
				t.Fatalf("got %v", err)
			}
			return
		}
		raw, _ := fromBase45(strings.TrimPrefix(text, prefix))
		signature := raw[len(raw)-ed25519.SignatureSize:]
		if again := prefix + toBase45(append(tok.encode(), signature...)); again != text {
			t.Fatalf("%q reads the same as %q", text, again)
		}
	})
}

// FuzzParseBody starts under the Base45, where mutations reach the fields.
func FuzzParseBody(f *testing.F) {
	f.Add(order(2).encode())
	f.Fuzz(func(t *testing.T, body []byte) {
		text := prefix + toBase45(append(body, make([]byte, ed25519.SignatureSize)...))
		if tok, _, _, err := split(text); err == nil && !bytes.Equal(tok.encode(), body) {
			t.Fatalf("%x reads the same as %x", body, tok.encode())
		}
	})
}
