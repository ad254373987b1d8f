package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256 cut to 16 bytes. The hash of a record covers every record
// before it, so two journals with the same head hold the same history.
type Hash [16]byte

// String gives the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Chain returns the hash of record seq, given the hash of the record before
// it. The hash before the first record is zero.
func Chain(prev Hash, seq uint64, data []byte) Hash {
	const onStack = 512
	var space [onStack]byte
	b := append(space[:0], prev[:]...)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = append(b, data...)
	sum := sha256.Sum256(b)
	return Hash(sum[:16])
}

// Position is a place in the journal: the last record of a prefix. The zero
// Position is the place before the first record.
type Position struct {
	Seq  uint64
	Hash Hash
}

// Entry is one record as it is kept.
type Entry struct {
	Seq   uint64
	UID   [16]byte // zero: proposed without an id
	Data  []byte
	Reply []byte
	Hash  Hash
}

// follows checks that e is the record right after p.
func (e *Entry) follows(p Position) error {
	if e.Seq != p.Seq+1 {
		return fmt.Errorf("record %d follows record %d", e.Seq, p.Seq)
	}
	if want := Chain(p.Hash, e.Seq, e.Data); e.Hash != want {
		return fmt.Errorf("record %d: hash is %s, its data give %s", e.Seq, e.Hash, want)
	}
	return nil
}
