package journal

import (
	"context"
	"fmt"
)

// Proposal asks for one record. Decide runs in the writer, sees the books as
// they are at seq, and returns the record's data, a refusal, or nil data for
// "nothing to record". It only reads. An error of its own goes to the caller.
type Proposal struct {
	UID    [16]byte // zero: no idempotency
	Decide func(tx *Tx, seq uint64) (data []byte, err error)
}

// Outcome is what became of a proposal. Seq is zero if there was nothing to
// record. Repeated tells that the UID was known and the rest is what it led to.
type Outcome struct {
	Seq      uint64
	Reply    []byte
	Repeated bool
}

// Append returns once the record is durable. The same UID again gives the
// stored outcome. After a refusal nothing is recorded. ErrUnknown means that
// the record may be there or not; if Fault is closed only a restart tells. If
// ctx ends before the proposal was taken, nothing is recorded and the error is
// that of ctx; if it ends later, the error is both that and ErrUnknown.
func (j *Journal) Append(ctx context.Context, p Proposal) (Outcome, error) {
	if j.replicated {
		return Outcome{}, errReplicated
	}
	r := j.queue.newRequest()
	r.uid, r.decide = p.UID, p.Decide
	return j.submit(ctx, r)
}

// Local runs f in the writer, in a transaction that is not journaled: for
// catalogue, cursors and print jobs, in tables whose names begin with
// "local_". It shares commits with records. An error of f undoes what f did.
func (j *Journal) Local(ctx context.Context, f func(tx *Tx) error) error {
	r := j.queue.newRequest()
	r.local = f
	_, err := j.submit(ctx, r)
	return err
}

// AppendAll proposes all at once and in order; other records may come in
// between. The slices of the result have an element for each proposal.
func (j *Journal) AppendAll(ctx context.Context, ps []Proposal) ([]Outcome, []error) {
	outcomes, errs := make([]Outcome, len(ps)), make([]error, len(ps))
	rs := make([]*request, len(ps))
	for i, p := range ps {
		rs[i] = j.queue.newRequest()
		rs[i].uid, rs[i].decide = p.UID, p.Decide
	}
	if len(ps) == 0 {
		return outcomes, errs
	}
	err := ctx.Err()
	if j.replicated {
		err = errReplicated
	}
	if err == nil {
		err = j.queue.put(rs...)
	}
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return outcomes, errs
	}
	served := 0
	defer func() { // a panic must leave nobody waiting for this goroutine to lead
		for _, r := range rs[served:] {
			j.queue.withdraw(r)
		}
	}()
	for i, r := range rs {
		outcomes[i], errs[i] = j.await(ctx, r)
		served++
	}
	return outcomes, errs
}

func (j *Journal) submit(ctx context.Context, r *request) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	if err := j.queue.put(r); err != nil {
		j.queue.recycle(r)
		return Outcome{}, err
	}
	return j.await(ctx, r)
}

// await leads when asked to, until the request was served.
func (j *Journal) await(ctx context.Context, r *request) (Outcome, error) {
	for {
		select {
		case s := <-r.wake:
			if s == lead {
				j.lead()
				continue
			}
		case <-ctx.Done():
			if j.queue.withdraw(r) {
				return Outcome{}, ctx.Err()
			}
			select {
			case <-r.wake: // served meanwhile
			default:
				return Outcome{}, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
			}
		}
		out, err := r.out, r.err
		j.queue.recycle(r)
		return out, err
	}
}
