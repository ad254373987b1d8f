package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
)

// OpenSigningKey opens the key that signs pickup tokens, and makes it when dir
// has none. The key's id is the same wherever this key is; it is never zero.
func OpenSigningKey(dir string) (keyID uint32, key ed25519.PrivateKey, err error) {
	if err := makeDir(dir); err != nil {
		return 0, nil, err
	}
	key, err = openKey(filepath.Join(dir, "pickup.key"), newEd25519)
	if err != nil {
		return 0, nil, err
	}
	return SigningKeyID(key.Public().(ed25519.PublicKey)), key, nil
}

// SigningKey signs pickup tokens.
type SigningKey struct {
	ID      uint32
	Private ed25519.PrivateKey
	File    string // its name in the folder
}

// OpenSigningKeys opens the key that OpenSigningKey does, and all that
// NewSigningKey made in dir.
func OpenSigningKeys(dir string) ([]SigningKey, error) {
	id, key, err := OpenSigningKey(dir)
	if err != nil {
		return nil, err
	}
	keys := []SigningKey{{ID: id, Private: key, File: "pickup.key"}}
	later, err := LaterSigningKeys(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range later {
		key, err := openKey(filepath.Join(dir, name), newEd25519)
		if err != nil {
			return nil, err
		}
		keys = append(keys, SigningKey{ID: SigningKeyID(key.Public().(ed25519.PublicKey)), Private: key,
			File: name})
	}
	return keys, nil
}

// LaterSigningKeys names the files that NewSigningKey made in dir.
func LaterSigningKeys(dir string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "pickup-*.key"))
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found, err
}

// NewSigningKey makes another key in dir, beside those that are there.
func NewSigningKey(dir string) (SigningKey, error) {
	key, err := newEd25519()
	if err != nil {
		return SigningKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	id := SigningKeyID(key.Public().(ed25519.PublicKey))
	k := SigningKey{ID: id, Private: key, File: fmt.Sprintf("pickup-%08x.key", id)}
	_, err = createKey(filepath.Join(dir, k.File), func() (ed25519.PrivateKey, error) { return key, nil })
	return k, err
}

// SigningKeyID returns the id under which tokens name this public key.
func SigningKeyID(public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(public)
	return max(1, binary.BigEndian.Uint32(sum[:4]))
}
