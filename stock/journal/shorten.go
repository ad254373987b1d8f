package journal

import (
	"context"
	"errors"
	"fmt"
)

// maxShortened bounds the records that one Shorten drops: writers wait for it.
const maxShortened = 5000

const dropBefore = `DELETE FROM journal WHERE seq IN
	(SELECT seq FROM journal WHERE seq < ? ORDER BY seq LIMIT ?)`

// Shorten lets replay begin after a record, and drops records before another
// one, which may be older: those between are kept for their ids, and to be sent
// again. What follows origin must build the state from nothing. It returns
// whether there is more to drop.
func (j *Journal) Shorten(ctx context.Context, origin Position, before uint64) (more bool, err error) {
	if before > origin.Seq+1 {
		return false, fmt.Errorf("drop records before %d, replay begins after %d", before, origin.Seq)
	}
	r := j.queue.newRequest()
	r.splice = func(tx *Tx, head Position) (Position, error) {
		was, err := readOrigin(tx)
		if err != nil {
			return head, err
		}
		if was.Seq > origin.Seq {
			return head, fmt.Errorf("replay begins after record %d already", was.Seq)
		}
		at, err := positionAt(tx, origin.Seq)
		if err == nil && at.Hash != origin.Hash {
			err = errors.New("another record is there")
		}
		if err != nil {
			return head, fmt.Errorf("begin replay after record %d: %w", origin.Seq, err)
		}
		if _, err := tx.Exec(upsertOrigin, origin.Seq, origin.Hash[:]); err != nil {
			return head, err
		}
		n, err := tx.Exec(dropBefore, before, maxShortened)
		more = n == maxShortened
		return head, err
	}
	_, err = j.submit(ctx, r)
	return more, err
}
