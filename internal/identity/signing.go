package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
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

// SigningKeyID returns the id under which tokens name this public key.
func SigningKeyID(public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(public)
	return max(1, binary.BigEndian.Uint32(sum[:4]))
}
