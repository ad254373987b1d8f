package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"holdfast.dev/stock/journal"
)

// The first byte of an entry's data says what it is. A member that does not
// know an entry stops: skipping it would fork the copies.
const (
	entryCommands = 1 + iota // a batch of proposals
	entryOpen                // the first of a leader's term: what was before is applied after it
	entryCheck               // compare the copies
	entryUpgrade             // allow newer commands, make newer tables
	entryForget              // drop old records
)

var errEntry = errors.New("entry cannot be read by this program")

// encodeCommands makes the entry of a batch.
func encodeCommands(cs []journal.Command) []byte {
	size := 1 + binary.MaxVarintLen32
	for i := range cs {
		size += len(cs[i].UID) + binary.MaxVarintLen32 + len(cs[i].Data)
	}
	b := append(make([]byte, 0, size), entryCommands)
	b = binary.AppendUvarint(b, uint64(len(cs)))
	for i := range cs {
		b = append(b, cs[i].UID[:]...)
		b = appendBytes(b, cs[i].Data)
	}
	return b
}

func encodeCheck(c journal.Check) []byte {
	b := binary.AppendUvarint([]byte{entryCheck}, c.Index)
	return append(b, c.Digest[:]...)
}

func encodeUpgrade(u upgrade) []byte {
	b := binary.AppendUvarint([]byte{entryUpgrade}, uint64(u.Version))
	return binary.AppendUvarint(b, uint64(u.Tables))
}

func encodeForget(before uint64) []byte { return binary.AppendUvarint([]byte{entryForget}, before) }

// upgrade is what a program knows: the newest commands and tables.
type upgrade struct {
	Version uint32
	Tables  int
}

// decodeEntry reads an entry of the log.
func decodeEntry(l *raft.Log) (journal.LogEntry, error) {
	e := journal.LogEntry{Index: l.Index, Term: l.Term}
	if l.Type != raft.LogCommand {
		return e, nil
	}
	if len(l.Data) == 0 {
		return e, fmt.Errorf("entry %d is empty: %w", l.Index, errEntry)
	}
	r := reader{b: l.Data[1:]}
	switch l.Data[0] {
	case entryCommands:
		e.Commands = make([]journal.Command, r.count(len(journal.Command{}.UID)))
		for i := range e.Commands {
			e.Commands[i].UID = [16]byte(r.take(16))
			e.Commands[i].Data = r.bytes()
		}
	case entryOpen:
	case entryCheck:
		e.Check = &journal.Check{Index: r.uvarint(), Digest: journal.Hash(r.take(16))}
	case entryUpgrade:
		e.Version, e.Tables = uint32(r.uvarint()), int(r.uvarint())
	case entryForget:
		e.Drop = r.uvarint()
	default:
		return e, fmt.Errorf("entry %d is of kind %d: %w", l.Index, l.Data[0], errEntry)
	}
	if r.bad || len(r.b) > 0 {
		return e, fmt.Errorf("entry %d: %w", l.Index, errEntry)
	}
	return e, nil
}

func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

// reader takes fields off a message. After the first that does not fit, bad is
// set and the fields are zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// take returns the next n bytes; zeros if there are not so many.
func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	return r.take(int(n))
}

// count reads how many elements follow, each of at least this many bytes.
func (r *reader) count(atLeast int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/atLeast) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}
