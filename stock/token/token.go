// Package token makes and checks the codes that let a shopper collect: the
// signed token in the QR code, which a store believes without a network, and
// the short code that people read aloud.
//
// A token is text of the QR alphanumeric alphabet, HF1: and Base45 of
//
//	version 1 · key · tenant · store · timeline    a byte, then varints
//	reservation                                    16 bytes
//	dseq · issued · from · until                   varints, times in unix ms
//	PIN tag                                        4 bytes
//	number of lines, each SKU · units              varints
//	  or 0 and a digest of the lines               16 bytes
//	Ed25519 signature of HF1: and all the above    64 bytes
//
// Every token has exactly one text, and a changed text is refused.
package token

import (
	"cmp"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"holdfast.dev/stock"
)

// MaxLines is the longest order whose lines a token carries. A longer order's
// token carries their digest, and cannot be collected before the store heard
// of the reservation.
const MaxLines = 12

// prefix tells tokens from other QR codes, and is signed so that a signature
// made for something else never fits.
const prefix = "HF1:"

const version = 1

// Line is one product of an order.
type Line struct {
	SKU   stock.SKU
	Units stock.Units
}

// Token is the cloud's word that a shopper may collect these lines.
type Token struct {
	KeyID       uint32 // of the key that signed it
	Tenant      uint32
	Store       stock.StoreID
	Timeline    stock.Timeline // under which the units were promised
	Reservation [16]byte
	DSeq        uint64   // of the directive that tells the store of the reservation
	Lines       []Line   // empty when there are more than MaxLines
	LinesDigest [16]byte // Digest of the lines then, else zero
	PickupFrom  int64    // unix ms, advisory: the store may have extended it
	PickupUntil int64    // unix ms, advisory
	PINTag      [4]byte  // TagPIN of the shopper's PIN; zero: none
	IssuedAt    int64    // unix ms
}

// Key is a public key and the time in which the cloud signs with it.
type Key struct {
	Public    ed25519.PublicKey
	NotBefore int64 // unix ms
	NotAfter  int64 // unix ms; zero: no end yet
}

// KeySet holds the keys that a store has heard of, by KeyID.
type KeySet map[uint32]Key

// Sign makes the text of a token. It replaces more than MaxLines lines by
// their digest, and refuses a token that promises nothing as BadRequest.
func Sign(t Token, key ed25519.PrivateKey) (string, error) {
	if len(t.Lines) > MaxLines {
		t.LinesDigest, t.Lines = Digest(t.Lines), nil
	}
	if wrong := t.wrong(); wrong != "" {
		return "", stock.Refuse(stock.BadRequest, "sign a token: %s", wrong)
	}
	if len(key) != ed25519.PrivateKeySize {
		return "", fmt.Errorf("sign a token: a key of %d bytes", len(key))
	}
	body := t.encode()
	return prefix + toBase45(append(body, ed25519.Sign(key, signed(body))...)), nil
}

// Read reads a token without asking who signed it: it says which order somebody
// means, and proves nothing. It refuses what is no token as Unreadable.
func Read(text string) (Token, error) {
	t, _, _, err := split(text)
	return t, err
}

// Verify reads a token and checks its signature. It refuses a key that is not
// in the set as UnknownKey, and what that key did not sign, or not in its
// time, as BadSignature.
func Verify(text string, keys KeySet) (Token, error) {
	t, body, signature, err := split(text)
	if err != nil {
		return Token{}, err
	}
	key, ok := keys[t.KeyID]
	switch {
	case !ok:
		return Token{}, stock.Refuse(stock.UnknownKey, "key %d", t.KeyID)
	case len(key.Public) != ed25519.PublicKeySize:
		return Token{}, fmt.Errorf("verify a token: key %d has %d bytes", t.KeyID, len(key.Public))
	case !ed25519.Verify(key.Public, signed(body), signature):
		return Token{}, stock.Refuse(stock.BadSignature, "not signed by key %d", t.KeyID)
	case t.IssuedAt < key.NotBefore, key.NotAfter != 0 && t.IssuedAt > key.NotAfter:
		return Token{}, stock.Refuse(stock.BadSignature, "key %d not valid at %d", t.KeyID, t.IssuedAt)
	}
	return t, nil
}

// Digest is a hash of lines in any order, for tokens that cannot carry them.
func Digest(lines []Line) [16]byte {
	sorted := slices.Clone(lines)
	slices.SortFunc(sorted, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Units, b.Units))
	})
	sum := sha256.Sum256(appendLines(nil, sorted))
	return [16]byte(sum[:16])
}

// TagPIN ties a PIN to a reservation, so that a store can ask for it while cut
// off. It stops the finder of a code, not someone who computes: a PIN is short.
func TagPIN(reservation [16]byte, pin string) [4]byte {
	mac := hmac.New(sha256.New, reservation[:])
	mac.Write([]byte(pin))
	return [4]byte(mac.Sum(nil)[:4])
}

// wrong says what no token may have, or "".
func (t Token) wrong() string {
	switch {
	case t.Store == 0:
		return "no store"
	case t.Timeline == 0:
		return "no timeline"
	case t.Reservation == [16]byte{}:
		return "no reservation"
	case t.DSeq == 0:
		return "no directive"
	case t.IssuedAt < 0 || t.PickupFrom < 0 || t.PickupUntil < t.PickupFrom:
		return "times out of order"
	case len(t.Lines) > MaxLines:
		return "too many lines"
	case (len(t.Lines) == 0) == (t.LinesDigest == [16]byte{}):
		return "neither or both of lines and their digest"
	}
	for _, l := range t.Lines {
		if l.SKU == 0 || l.Units <= 0 {
			return "a line of nothing"
		}
	}
	return ""
}

func (t Token) encode() []byte {
	b := make([]byte, 0, 256)
	b = append(b, version)
	b = binary.AppendUvarint(b, uint64(t.KeyID))
	b = binary.AppendUvarint(b, uint64(t.Tenant))
	b = binary.AppendUvarint(b, uint64(t.Store))
	b = binary.AppendUvarint(b, uint64(t.Timeline))
	b = append(b, t.Reservation[:]...)
	b = binary.AppendUvarint(b, t.DSeq)
	b = binary.AppendUvarint(b, uint64(t.IssuedAt))
	b = binary.AppendUvarint(b, uint64(t.PickupFrom))
	b = binary.AppendUvarint(b, uint64(t.PickupUntil))
	b = append(b, t.PINTag[:]...)
	b = appendLines(b, t.Lines)
	if len(t.Lines) == 0 {
		b = append(b, t.LinesDigest[:]...)
	}
	return b
}

func appendLines(b []byte, lines []Line) []byte {
	b = binary.AppendUvarint(b, uint64(len(lines)))
	for _, l := range lines {
		b = binary.AppendUvarint(b, uint64(l.SKU))
		b = binary.AppendUvarint(b, uint64(l.Units))
	}
	return b
}

// signed is what the signature covers.
func signed(body []byte) []byte { return append([]byte(prefix), body...) }

// split reads a text into a token, the bytes that were signed and the signature.
func split(text string) (t Token, body, signature []byte, err error) {
	refuse := func(detail string) (Token, []byte, []byte, error) {
		return Token{}, nil, nil, stock.Refuse(stock.Unreadable, "a token with %s", detail)
	}
	encoded, ok := strings.CutPrefix(text, prefix)
	if !ok || len(encoded) > maxBase45 {
		return refuse("another prefix or length")
	}
	raw, ok := fromBase45(encoded)
	if !ok || len(raw) <= ed25519.SignatureSize {
		return refuse("no Base45 in it")
	}
	body, signature = raw[:len(raw)-ed25519.SignatureSize], raw[len(raw)-ed25519.SignatureSize:]
	if t, ok = decode(body); !ok {
		return refuse("fields cut off, out of range or of another version")
	}
	if wrong := t.wrong(); wrong != "" {
		return refuse(wrong)
	}
	if !slices.Equal(t.encode(), body) {
		return refuse("an unusual encoding")
	}
	return t, body, signature, nil
}

// decode reads fields. Whether they make sense is for wrong to say.
func decode(body []byte) (Token, bool) {
	r := reader{rest: body}
	var t Token
	if r.bytes(1)[0] != version {
		return Token{}, false
	}
	t.KeyID = r.uint32()
	t.Tenant = r.uint32()
	t.Store = stock.StoreID(r.uint32())
	t.Timeline = stock.Timeline(r.uint32())
	t.Reservation = [16]byte(r.bytes(16))
	t.DSeq = r.uvarint()
	t.IssuedAt = int64(r.uvarint())
	t.PickupFrom = int64(r.uvarint())
	t.PickupUntil = int64(r.uvarint())
	t.PINTag = [4]byte(r.bytes(4))
	n := r.uvarint()
	if n > MaxLines {
		return Token{}, false
	}
	for range n {
		sku := stock.SKU(r.uint32())
		t.Lines = append(t.Lines, Line{sku, stock.Units(r.uvarint())})
	}
	if n == 0 {
		t.LinesDigest = [16]byte(r.bytes(16))
	}
	return t, !r.bad && len(r.rest) == 0
}

// reader takes fields off the front. After a bad one it gives zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) bytes(n int) []byte {
	if len(r.rest) < n {
		r.bad, r.rest = true, nil
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) uint32() uint32 {
	v := r.uvarint()
	if v > 1<<32-1 {
		r.bad = true
	}
	return uint32(v)
}
