// Package single is the engine of a cloud that is one process: its log is a
// journal whose machine is the head office.
package single

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Options say where the log is.
type Options struct {
	Path   string // of the database file; "" keeps everything in memory
	Logger *slog.Logger
	Now    func() time.Time // the clock that stamps commands; default time.Now
	Sync   string           // see journal.Options; default "FULL"
}

// Log is an open log of one member. It implements headoffice.Engine.
type Log struct {
	journal *journal.Journal
	now     func() time.Time
	bells   bells

	stop context.CancelFunc
	done chan struct{} // closed when the ringer ended
}

var _ headoffice.Engine = (*Log)(nil)

// Open opens or creates the log.
func Open(ctx context.Context, o Options) (*Log, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Log{now: o.Now, done: make(chan struct{})}
	machine := &headoffice.Machine{Changed: l.bells.changed}
	j, err := journal.Open(ctx, journal.Options{Path: o.Path, Machine: machine, Logger: o.Logger,
		Sync: o.Sync})
	if err != nil {
		return nil, fmt.Errorf("open head office: %w", err)
	}
	l.journal = j
	head := j.Head().Seq
	l.bells.open(head)
	ringing, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.ring(ringing, head)
	return l, nil
}

// Close waits for what was proposed, then closes the file.
func (l *Log) Close() error {
	err := l.journal.Close()
	l.stop()
	<-l.done
	return err
}

// Fault returns a channel that is closed when the log stopped for good; Err
// tells why. Only opening it anew helps.
func (l *Log) Fault() <-chan struct{} { return l.journal.Fault() }

// Err returns why the log stopped, or nil while it works.
func (l *Log) Err() error { return l.journal.Err() }

// Journal is the log's journal, for backups and for verifying. Appending to it
// directly is a mistake.
func (l *Log) Journal() *journal.Journal { return l.journal }

// View runs f on a snapshot of the tables.
func (l *Log) View(ctx context.Context, f func(tx *journal.Tx) error) error {
	return l.journal.View(ctx, f)
}

// Watch returns a channel that is closed at the next change of the store.
func (l *Log) Watch(store stock.StoreID) <-chan struct{} { return l.bells.next(store) }

// Propose returns what the command led to, once it is durable and applied.
func (l *Log) Propose(ctx context.Context, c *recordv1.Command) (*recordv1.Result, error) {
	uid, err := requestID(c)
	if err != nil {
		return nil, err
	}
	stamped := &recordv1.Command{Now: l.now().UnixMilli(), Version: headoffice.Version,
		Request: c.GetRequest(), Actor: c.GetActor(), Body: c.GetBody()}
	data, err := headoffice.Encode(stamped)
	if err != nil {
		return nil, err
	}
	var idle *recordv1.Result
	out, err := l.journal.Append(ctx, journal.Proposal{UID: uid,
		Decide: func(tx *journal.Tx, _ uint64) ([]byte, error) {
			result, unchanged, err := headoffice.Idle(tx, stamped)
			if err != nil || !unchanged {
				return data, err
			}
			idle = result
			return nil, nil
		}})
	if err != nil {
		return nil, err
	}
	if out.Repeated {
		if err := l.sameAsBefore(ctx, uid, stamped); err != nil {
			return nil, err
		}
	}
	if out.Seq == 0 {
		return idle, nil
	}
	return headoffice.Outcome(out.Reply)
}

func requestID(c *recordv1.Command) (uid [16]byte, err error) {
	switch r := c.GetRequest(); len(r) {
	case 0:
	case len(uid):
		copy(uid[:], r)
	default:
		return uid, stock.Refuse(stock.BadRequest, "a request id of %d bytes", len(r)).With("what",
			"request_id")
	}
	return uid, nil
}

// sameAsBefore refuses a request id that was used for another command.
func (l *Log) sameAsBefore(ctx context.Context, uid [16]byte, c *recordv1.Command) error {
	e, known, err := l.journal.Find(ctx, uid)
	if err != nil || !known {
		return err
	}
	var before recordv1.Command
	if err := proto.Unmarshal(e.Data, &before); err != nil {
		return fmt.Errorf("decode command %d: %w", e.Seq, err)
	}
	if !headoffice.Same(&before, c) {
		return stock.Refuse(stock.IDReused, "request %x was another command", uid)
	}
	return nil
}

// ring tells waiters of a store what has become durable. It is one goroutine:
// a proposer whose context ended would ring nobody.
func (l *Log) ring(ctx context.Context, head uint64) {
	defer close(l.done)
	for {
		select {
		case <-l.journal.Changed(head):
		case <-ctx.Done():
			return
		}
		head = l.journal.Head().Seq
		l.bells.ring(head)
	}
}

// bells are the channels that wait for changes of stores.
type bells struct {
	mu      sync.Mutex
	opened  bool                            // guarded by mu
	rung    uint64                          // guarded by mu: commands up to here have rung
	touched map[uint64][]stock.StoreID      // guarded by mu: by command, not rung yet
	waiting map[stock.StoreID]chan struct{} // guarded by mu
}

func (b *bells) open(rung uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened, b.rung = true, rung
	b.touched = make(map[uint64][]stock.StoreID)
	b.waiting = make(map[stock.StoreID]chan struct{})
}

// changed notes what a command touched, before it is durable. A replay, as
// verifying does, touches nobody.
func (b *bells) changed(seq uint64, stores []stock.StoreID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened && seq > b.rung {
		b.touched[seq] = stores
	}
}

func (b *bells) ring(head uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for seq := b.rung + 1; seq <= head; seq++ {
		for _, store := range b.touched[seq] {
			if c, ok := b.waiting[store]; ok {
				close(c)
				delete(b.waiting, store)
			}
		}
		delete(b.touched, seq)
	}
	b.rung = max(b.rung, head)
}

func (b *bells) next(store stock.StoreID) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.waiting[store]
	if !ok {
		c = make(chan struct{})
		b.waiting[store] = c
	}
	return c
}
