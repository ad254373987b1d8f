package drills

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/demo"
	storev1 "holdfast.dev/proto/store/v1"
)

// Metadata by which a till is a witness of the store's journal, and its second
// copy.
const (
	metaHead   = "holdfast-head"
	metaAcked  = "holdfast-acked"
	metaSeen   = "holdfast-seen"
	metaResend = "holdfast-resend"
)

// till is a till as docs/till-api.md wants one: it remembers the newest head
// that it has seen, and keeps its sales until head office has them.
type till struct {
	box    *box
	seen   string
	kept   []keptSale
	resent int // sales sent again so far
	told   int // times that the store was told of its own past
}

// keptSale is a sale with where the store put it.
type keptSale struct {
	sale         *storev1.SellRequest
	first, epoch string
	seq          uint64
}

// answer is what every answer says of the journal.
type answer struct {
	head   string
	acked  uint64
	resend bool
}

func readAnswer(md metadata.MD) (a answer) {
	first := func(name string) string { return strings.Join(md.Get(name), "") }
	a.head, a.resend = first(metaHead), first(metaResend) == "true"
	a.acked, _ = strconv.ParseUint(first(metaAcked), 10, 64) // none: nothing may be forgotten
	return a
}

// place takes a head apart.
func place(head string) (epoch string, seq uint64) {
	parts := strings.SplitN(head, "/", 3)
	if len(parts) == 3 {
		seq, _ = strconv.ParseUint(parts[1], 10, 64) // a head that is none has no number
	}
	return parts[0], seq
}

// call sends a sale, with what the till has seen.
func (t *till) call(ctx context.Context, r *storev1.SellRequest) (
	*storev1.SellResponse, answer, error) {
	if t.seen != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, metaSeen, t.seen)
	}
	var header, trailer metadata.MD
	out, err := t.box.floor.Sell(ctx, r, grpc.Header(&header), grpc.Trailer(&trailer))
	return out, readAnswer(metadata.Join(header, trailer)), err
}

// sell books a sale, and gives the store back what it has lost.
func (t *till) sell(ctx context.Context, gtin string, n int32) error {
	s := t.box.site
	r := &storev1.SellRequest{RequestId: newID(), Till: "till-7",
		Lines: []*storev1.SellLine{{Gtin: gtin, Quantity: n}}}
	out, a, err := t.call(ctx, r)
	if demo.Refused(err, "ROLLED_BACK") {
		if !a.resend || a.head == "" {
			return fmt.Errorf("a store that lost its past says %+v beside %w", a, err)
		}
		t.told++
		t.seen = a.head
		if err := t.sendAgain(ctx, func(keptSale) bool { return true }); err != nil {
			return err
		}
		out, a, err = t.call(ctx, r)
	} else if err == nil && a.resend {
		now, _ := place(a.head)
		err = t.sendAgain(ctx, func(k keptSale) bool { return k.epoch != now })
	}
	if err != nil {
		return fmt.Errorf("sale at the till: %w", err)
	}
	epoch, seq := place(a.head)
	t.learn(a)
	t.kept = append(t.kept, keptSale{sale: r, first: epoch, epoch: epoch, seq: seq})
	s.stock(gtin, -n)
	again := func(ctx context.Context, f floor) (proto.Message, error) { return f.Sell(ctx, r) }
	s.book.acts = append(s.book.acts, act{"sale at the till", again, placeless(out)})
	return nil
}

// learn takes in where the journal is, and forgets what head office has.
func (t *till) learn(a answer) {
	t.seen = a.head
	epoch, _ := place(a.head)
	t.kept = slices.DeleteFunc(t.kept, func(k keptSale) bool {
		return k.epoch == epoch && k.seq <= a.acked
	})
}

// sendAgain sends what the store may have lost.
func (t *till) sendAgain(ctx context.Context, which func(keptSale) bool) error {
	for i := range t.kept {
		k := &t.kept[i]
		if !which(*k) {
			continue
		}
		r := proto.CloneOf(k.sale)
		r.ResentEpoch = k.first
		_, a, err := t.call(ctx, r)
		if err != nil {
			return fmt.Errorf("sale sent again: %w", err)
		}
		t.resent++
		t.seen = a.head
		k.epoch, k.seq = place(a.head)
	}
	return nil
}

// tillWitness: an old disk was put back while the line is cut. Only a till can
// notice, and only it still has what was sold last.
func (s *site) tillWitness(ctx context.Context) (string, error) {
	b, o, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	t := &till{box: b}
	if err := t.sell(ctx, goods(0), 1); err != nil {
		return "", err
	}
	if err := s.cutAndForget(ctx, t); err != nil {
		return "", err
	}
	if err := t.sell(ctx, goods(0), 1); err != nil {
		return "", err
	}
	if t.told != 1 || t.resent < some {
		return "", fmt.Errorf("the till told the store %d times, and sent %d sales again, "+
			"want 1 and %d or more", t.told, t.resent, some)
	}
	if err := b.mode(ctx, modeSafe); err != nil {
		return "", err
	}
	s.expects(rolledBack)
	b.cable.Plug()
	if err := b.settle(ctx); err != nil {
		return "", err
	}
	if _, err := s.prove(ctx, b); err != nil {
		return "", err
	}
	said, err := s.doubted(ctx, b, t, o)
	return fmt.Sprintf("a till noticed an old disk and gave %d sales back; %s", some, said), err
}

// cutAndForget sells at the till with the line cut, and puts back the disk of
// before.
func (s *site) cutAndForget(ctx context.Context, t *till) error {
	b, saved := t.box, s.dir+"/saved-disk"
	if err := b.settled(ctx); err != nil {
		return err
	}
	if err := b.program.Stop(); err != nil {
		return err
	}
	if err := b.saveDisk(saved); err != nil {
		return err
	}
	b.cable.Cut()
	if err := b.program.startReady(ctx); err != nil {
		return err
	}
	for range some {
		if err := t.sell(ctx, goods(0), 1); err != nil {
			return err
		}
	}
	if err := b.program.Kill(); err != nil {
		return err
	}
	if err := b.oldDisk(saved); err != nil {
		return err
	}
	return b.program.startReady(ctx)
}

// doubted: a till has seen records that neither the store nor the cloud has.
// The store doubts itself and says hello anew, although the line is up.
func (s *site) doubted(ctx context.Context, b *box, t *till, o *order) (string, error) {
	if err := t.sell(ctx, goods(0), 1); err != nil { // it learns of the new epoch
		return "", err
	}
	before, err := b.node(ctx)
	if err != nil {
		return "", err
	}
	epoch, seq := place(t.seen)
	unknown := strings.Repeat("5", len(before.GetJournalHash()))
	t.seen = fmt.Sprintf("%s/%d/%s", epoch, seq+some, unknown)
	if err := t.sell(ctx, goods(0), 1); err != nil {
		return "", err
	}
	if err := b.mode(ctx, modeSuspect); err != nil {
		return "", err
	}
	after, err := b.node(ctx)
	if err != nil {
		return "", err
	}
	if before.GetEpoch() == after.GetEpoch() {
		return "", fmt.Errorf("the store came back in the epoch that it had, %s", after.GetEpoch())
	}
	return s.goOn(ctx, b, o)
}
