package books

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

const (
	digestBuckets = 256
	digestBytes   = 8 // of each bucket's hash
)

// Digest hashes a store's accounts and rights, in buckets by SKU, so that two
// copies of the same books can be compared in two kilobytes. Empty buckets are
// empty.
func Digest(tx *journal.Tx, store stock.StoreID) ([][]byte, error) {
	var rows [digestBuckets][]byte
	for after := stock.SKU(0); ; {
		page, err := Accounts(tx, store, after, partBalances)
		if err != nil {
			return nil, err
		}
		for _, a := range page {
			after = a.SKU
			b := &rows[int(a.SKU)%digestBuckets]
			*b = binary.BigEndian.AppendUint32(*b, uint32(a.SKU))
			for _, n := range []stock.Units{a.Rights.Granted, a.Rights.Returned, a.Rights.Assigned,
				a.Balances[ledger.Sellable], a.Balances[ledger.Online], a.Balances[ledger.Reserved],
				a.Balances[ledger.Picked], a.Balances[ledger.Staged]} {
				*b = binary.BigEndian.AppendUint64(*b, uint64(n))
			}
		}
		if len(page) == 0 {
			break
		}
	}
	digest := make([][]byte, digestBuckets)
	for i, b := range rows {
		if len(b) > 0 {
			sum := sha256.Sum256(b)
			digest[i] = sum[:digestBytes]
		}
	}
	return digest, nil
}

// compareDigest notes the buckets in which the other copy's books differ. It
// needs the rows as they are after every record before.
func (b *Book) compareDigest(theirs [][]byte) error {
	if err := b.flush(); err != nil {
		return err
	}
	ours, err := Digest(b.tx, b.store)
	if err != nil {
		return err
	}
	var differ []int
	for i := range ours {
		if i >= len(theirs) || !slices.Equal(ours[i], theirs[i]) {
			differ = append(differ, i)
		}
	}
	if len(differ) > 0 {
		b.note(stock.RolledBack, "digest differs in %d of %d buckets: %s", len(differ), digestBuckets,
			fmt.Sprint(differ[:min(len(differ), 20)]))
	}
	return nil
}
