package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"net"
	"strconv"
	"strings"

	"holdfast.dev/stock"
)

// joinVersion starts every join string; a new layout gets a new one.
const joinVersion = "hf1"

var joinEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Join is all that a new node needs to enrol: whom to trust, where to call,
// which store it stands in, and a secret that works once. It is a password.
type Join struct {
	CAHash [32]byte // SHA-256 of the CA's public key; see CA.Pin
	Addr   string   // host:port of the cloud's node listener; several with commas
	Store  stock.StoreID
	Secret [32]byte
}

// NewJoin returns a join with a fresh secret. The cloud keeps only its
// SecretHash.
func NewJoin(caHash [32]byte, addr string, store stock.StoreID) Join {
	j := Join{CAHash: caHash, Addr: addr, Store: store}
	rand.Read(j.Secret[:]) // never fails
	return j
}

// SecretHash is what the cloud stores of the secret. The secret has 256 random
// bits, so a plain hash cannot be guessed from.
func (j Join) SecretHash() [32]byte { return SecretHash(j.Secret[:]) }

// SecretHash returns what SecretHash of the join with this secret returns.
func SecretHash(secret []byte) [32]byte { return sha256.Sum256(secret) }

// String gives the form that people copy or scan: "hf1.", the fields in
// base32, and a check that finds typing errors. Upper case is read too.
func (j Join) String() string {
	body := strings.Join([]string{
		joinVersion,
		joinEncoding.EncodeToString(j.CAHash[:]),
		joinEncoding.EncodeToString([]byte(j.Addr)),
		j.Store.String(),
		joinEncoding.EncodeToString(j.Secret[:]),
	}, ".")
	return body + "." + joinCheck(body)
}

// joinCheck is five bytes, so that no letter of it has unused bits.
func joinCheck(body string) string {
	sum := sha256.Sum256([]byte(body))
	return joinEncoding.EncodeToString(sum[:5])
}

// ParseJoin reads a join string. Case and blanks, also between the letters, do
// not matter; anything else that differs is refused.
func ParseJoin(text string) (Join, error) {
	text = strings.ToLower(strings.Join(strings.Fields(text), ""))
	field := strings.Split(text, ".")
	if len(field) != 6 || field[0] != joinVersion {
		return Join{}, badJoin("a join string has six fields and starts with %q", joinVersion)
	}
	body := strings.Join(field[:5], ".")
	if field[5] != joinCheck(body) {
		return Join{}, badJoin("the check at the end of the join string does not fit")
	}
	j := Join{}
	addr, err := joinEncoding.DecodeString(field[2])
	if err != nil || !decode32(&j.CAHash, field[1]) || !decode32(&j.Secret, field[4]) {
		return Join{}, badJoin("a field of the join string is not base32 of the right length")
	}
	store, err := strconv.ParseUint(field[3], 10, 32)
	if err != nil || store == 0 {
		return Join{}, badJoin("%q is not a store", field[3])
	}
	j.Addr, j.Store = string(addr), stock.StoreID(store)
	for one := range strings.SplitSeq(j.Addr, ",") {
		if host, port, err := net.SplitHostPort(one); err != nil || host == "" || port == "" {
			return Join{}, badJoin("%q is not host:port", one)
		}
	}
	return j, nil
}

func decode32(to *[32]byte, text string) bool {
	raw, err := joinEncoding.DecodeString(text)
	return err == nil && copy(to[:], raw) == 32 && len(raw) == 32
}

// badJoin never quotes the secret.
func badJoin(format string, args ...any) error {
	return stock.Refuse(stock.BadRequest, format, args...).With("what", "join string")
}
