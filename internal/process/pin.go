package process

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// pinHash is one argon2id hash with its cost.
type pinHash struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
	salt   []byte
	hash   []byte
}

// pinCost is about 30 ms on a server and a few hundred on a small box. Its
// 12 MiB let a box with 512 MB check several PINs at once.
var pinCost = pinHash{memory: 12 * 1024, passes: 3, lanes: 1}

// A stored hash may not cost more than this: it could come from a backup that
// somebody edited.
const (
	pinMaxMemory = 256 * 1024
	pinMaxPasses = 16
)

// HashPIN returns a salted argon2id hash of a PIN, with its cost inside:
// "$argon2id$v=19$m=12288,t=3,p=1$salt$hash".
func HashPIN(pin string) string {
	h := pinCost
	h.salt, h.hash = make([]byte, 16), make([]byte, 32)
	rand.Read(h.salt) // never fails
	h.hash = h.of(pin)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, h.memory, h.passes, h.lanes, b64(h.salt), b64(h.hash))
}

// CheckPIN tells whether hash is of this PIN. The error says that hash is not
// one at all; it never depends on the PIN.
func CheckPIN(hash, pin string) (bool, error) {
	h, err := parsePINHash(hash)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(h.of(pin), h.hash) == 1, nil
}

func (h pinHash) of(pin string) []byte {
	return argon2.IDKey([]byte(pin), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.hash)))
}

func parsePINHash(text string) (pinHash, error) {
	bad := errors.New("stored PIN hash is not argon2id")
	field := strings.Split(text, "$")
	if len(field) != 6 || field[0] != "" || field[1] != "argon2id" || field[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return pinHash{}, bad
	}
	h := pinHash{}
	cost := "m=%d,t=%d,p=%d"
	if _, err := fmt.Sscanf(field[3], cost, &h.memory, &h.passes, &h.lanes); err != nil ||
		fmt.Sprintf(cost, h.memory, h.passes, h.lanes) != field[3] {
		return pinHash{}, bad
	}
	if h.memory > pinMaxMemory || h.passes < 1 || h.passes > pinMaxPasses || h.lanes < 1 {
		return pinHash{}, errors.New("stored PIN hash has a cost out of bounds")
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(field[4]); err != nil || len(h.salt) < 8 {
		return pinHash{}, bad
	}
	if h.hash, err = base64.RawStdEncoding.DecodeString(field[5]); err != nil || len(h.hash) < 16 {
		return pinHash{}, bad
	}
	return h, nil
}
