package shopfloor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/gtin"
	"holdfast.dev/stock/journal"
)

// ID is a 16-byte id made by whoever causes a record; zero is "none".
type ID = [16]byte

// Catalogue finds products in the store's copy of the catalogue. A product
// that is not there is nil without an error.
type Catalogue interface {
	ByGTIN(tx *journal.Tx, gtin string) (*recordv1.Product, error)
	ByPLU(tx *journal.Tx, plu string) (*recordv1.Product, error)
	BySKU(tx *journal.Tx, sku stock.SKU) (*recordv1.Product, error)
}

// Link is the store's line to the cloud, as far as a till needs it.
type Link interface {
	Connected() bool
	// Watch returns a channel that is closed when the line next changes.
	Watch() <-chan struct{}
	// AskReturn asks the cloud to return units until R reaches a target; the
	// answer comes as a directive.
	AskReturn(ctx context.Context, wants []Want) error
	// Wish asks the same, and nobody waits for the answer.
	Wish(wants []Want)
}

// Want asks that a counter of a SKU reach an absolute target.
type Want struct {
	SKU      stock.SKU
	Target   stock.Units
	Timeline stock.Timeline
}

// Event says that something changed; whoever shows it reads it again.
type Event struct {
	Kind        string // "stock", "pickup", "settings"
	SKUs        []stock.SKU
	Reservation ID
	Seq         uint64
}

// Options say what a Floor stands on. All fields are needed but Notify, Decoder
// and Lockers.
type Options struct {
	Store     stock.StoreID
	NodeID    ID
	Epoch     stock.Epoch
	Tenant    uint32
	Catalogue Catalogue
	Now       func() int64         // Unix ms
	Steady    func() time.Duration // never jumps; from any moment on; default: by Now
	NewID     func() ID
	Decoder   gtin.Decoder // of this store's own numbers; without rules: gtin.Shop
	Lockers   Lockers      // nil: none
	// ZoneMS is how far the store's own wall time is ahead of UTC at a Unix time,
	// both in ms; default: not at all.
	ZoneMS func(ms int64) int64
	Notify func(Event)
	// Rest is how long Balance pauses between two looks, so that a busy till is
	// looked at once for many sales; default: not at all.
	Rest   func(ctx context.Context)
	Logger *slog.Logger
}

// Floor does what happens in one store. Its methods may be called at once from
// many tills; every change goes through the journal's one writer.
type Floor struct {
	o       Options
	machine *Machine
	j       *journal.Journal
	link    atomic.Value // of linkBox
	mode    atomic.Int32 // recordv1.NodeMode
	acked   atomic.Uint64
	epoch   atomic.Pointer[stock.Epoch]
	boots   atomic.Uint32 // starts of this disk's node, this one included
	bootID  ID            // of this start
	newest  atomic.Int64  // Unix ms of the newest record
	started time.Duration // on the steady clock

	suspectSince atomic.Int64
	digestAt     atomic.Int64
	forecast     *forecast
	met          atomic.Uint64 // the last record that the cloud said it has; 0: it did not say
	sweptAt      atomic.Int64
	learnedAt    atomic.Int64

	hlc uint64 // owned by the journal's writer

	attention *attention

	mu      sync.Mutex
	desks   map[string]*desk
	policy  *recordv1.Policy
	keys    *recordv1.KeySet
	sampled *sample // nil: the clocks were not compared yet
	ahead   ahead   // directives behind one that this node does not know
}

type linkBox struct{ Link }

// New returns a Floor that is not open yet; its Machine goes into the journal.
func New(o Options, local ...string) *Floor {
	if o.Notify == nil {
		o.Notify = func(Event) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Decoder.Rules == nil {
		o.Decoder.Rules = gtin.Shop()
	}
	f := &Floor{o: o, machine: &Machine{Store: o.Store, Local: local},
		attention: newAttention(), desks: make(map[string]*desk)}
	if o.Steady == nil {
		f.o.Steady = func() time.Duration { return time.Duration(o.Now()) * time.Millisecond }
	}
	if o.ZoneMS == nil {
		f.o.ZoneMS = func(int64) int64 { return 0 }
	}
	f.forecast = newForecast(o.Catalogue)
	f.epoch.Store(&o.Epoch)
	f.started = f.o.Steady()
	f.digestAt.Store(o.Now())
	f.mode.Store(int32(recordv1.NodeMode_NODE_MODE_NORMAL))
	return f
}

// Machine is what the journal of this floor builds.
func (f *Floor) Machine() *Machine { return f.machine }

// Open starts to work on a journal that was opened with Machine.
func (f *Floor) Open(ctx context.Context, j *journal.Journal) error {
	f.j = j
	if err := f.reload(ctx); err != nil {
		return err
	}
	if err := f.loadStanding(ctx); err != nil {
		return err
	}
	f.touchAll() // what was due when the node stopped
	return f.loadClock(ctx)
}

// reload reads policy and keys again.
func (f *Floor) reload(ctx context.Context) error {
	policy, keys := defaultPolicy(), &recordv1.KeySet{}
	var acked []byte
	err := f.j.View(ctx, func(tx *journal.Tx) (err error) {
		if acked, err = getBytes(tx, selectLocal, localAcked); err != nil {
			return err
		}
		if err := f.forecast.load(tx); err != nil {
			return err
		}
		return errors.Join(getMessage(tx, selectSetting, settingPolicy, policy),
			getMessage(tx, selectSetting, settingKeys, keys))
	})
	if err != nil {
		return fmt.Errorf("load settings: %w", err)
	}
	f.acked.Store(max(f.acked.Load(), decodeSeq(acked)))
	f.forecast.costs(policy)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.policy, f.keys = policy, keys
	return nil
}

func defaultPolicy() *recordv1.Policy {
	return &recordv1.Policy{LastUnit: recordv1.LastUnitPolicy_LAST_UNIT_POLICY_ASK,
		GraceMs: 30 * 60_000, StoreCost: 1500, OnlineCost: 1000, BrokenCost: 5000}
}

// Policy is what head office last told this store.
func (f *Floor) Policy() *recordv1.Policy {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.policy
}

// Keys are the keys that pickup tokens may be signed with.
func (f *Floor) Keys() *recordv1.KeySet {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys
}

// Store is the store that this floor is in.
func (f *Floor) Store() stock.StoreID { return f.o.Store }

// SetLink tells the floor which line to the cloud it has.
func (f *Floor) SetLink(l Link) { f.link.Store(linkBox{l}) }

func (f *Floor) connected() bool {
	box, ok := f.link.Load().(linkBox)
	return ok && box.Connected()
}

// Mode says how much the node trusts its own state.
func (f *Floor) Mode() recordv1.NodeMode { return recordv1.NodeMode(f.mode.Load()) }

// Head is the newest durable record.
func (f *Floor) Head() journal.Position { return f.j.Head() }

// View runs reads on one state of the books.
func (f *Floor) View(ctx context.Context, read func(tx *journal.Tx) error) error {
	return f.j.View(ctx, read)
}

// Cause says who asked for a record, with the id that makes it happen once.
type Cause struct {
	ID     ID
	Actor  string // a person's name, a till
	Device string
	// Resent is set by a till that sends a request again because this store had
	// forgotten it: the epoch in which it was first answered. What it asked for
	// has happened, so it is booked whatever the books say.
	Resent *stock.Epoch
}

// write appends one record. build runs in the journal's writer and returns the
// body, or nil for nothing to do, or a refusal.
func (f *Floor) write(ctx context.Context, c Cause, build buildFunc) (Written, error) {
	p, done := f.proposal(c, build)
	out, err := f.j.Append(ctx, p)
	w, err := done(ctx, out, err)
	if r, refused := stock.AsRefusal(err); refused && r.Code != stock.Busy {
		if noteErr := f.noteRefused(ctx, c); noteErr != nil {
			return w, noteErr
		}
	}
	return w, err
}

// buildFunc sees the books as they are when its record gets its number.
type buildFunc func(tx *journal.Tx, rec *recordv1.Record) error

// Written is what became of a record.
type Written struct {
	Seq      uint64
	Record   *recordv1.Record // nil when there was nothing to record
	Repeated bool             // the id was used before: this is the first record
}

// doneFunc says what became of a proposal.
type doneFunc func(ctx context.Context, out journal.Outcome, err error) (Written, error)

func (f *Floor) proposal(c Cause, build buildFunc) (journal.Proposal, doneFunc) {
	var rec *recordv1.Record
	decide := func(tx *journal.Tx, seq uint64) ([]byte, error) {
		rec = f.envelope(seq, c)
		if err := build(tx, rec); err != nil || rec.Body == nil {
			return nil, err
		}
		f.hlc = rec.Hlc
		f.newest.Store(int64(f.hlc >> 16))
		return proto.MarshalOptions{Deterministic: true}.Marshal(rec)
	}
	done := func(ctx context.Context, out journal.Outcome, err error) (Written, error) {
		switch {
		case err != nil:
			return Written{}, err
		case out.Repeated:
			return f.first(ctx, c.ID)
		case out.Seq == 0:
			return Written{}, nil
		}
		f.after(ctx, rec)
		return Written{Seq: out.Seq, Record: rec}, nil
	}
	return journal.Proposal{UID: c.ID, Decide: decide}, done
}

func (f *Floor) envelope(seq uint64, c Cause) *recordv1.Record {
	rec := &recordv1.Record{Seq: seq, Actor: c.Actor, Device: c.Device,
		Epoch: f.epochProto(),
		Hlc:   max(uint64(f.o.Now())<<16, f.hlc+1)}
	if c.ID != (ID{}) {
		rec.Uid = c.ID[:]
	}
	return rec
}

func (f *Floor) epochProto() *recordv1.Epoch {
	e := f.Epoch()
	return &recordv1.Epoch{Timeline: uint32(e.Timeline), Counter: e.Counter}
}

// first finds the record that an id made before.
func (f *Floor) first(ctx context.Context, id ID) (Written, error) {
	e, ok, err := f.j.Find(ctx, id)
	if err != nil || !ok {
		return Written{}, errors.Join(err, fmt.Errorf("find the record of a repeated id %x", id))
	}
	rec := new(recordv1.Record)
	if err := proto.Unmarshal(e.Data, rec); err != nil {
		return Written{}, fmt.Errorf("decode record %d: %w", e.Seq, err)
	}
	if s := rec.GetSalvage(); s != nil { // made by a former box, and booked late here
		if rec, err = books.Fact(s); err != nil {
			return Written{}, fmt.Errorf("decode record %d: %w", e.Seq, err)
		}
	}
	return Written{Seq: e.Seq, Record: rec, Repeated: true}, nil
}

// after tells the world what a durable record changed.
func (f *Floor) after(ctx context.Context, rec *recordv1.Record) {
	e := Event{Kind: "stock", SKUs: books.SKUs(rec), Seq: rec.GetSeq()}
	if id := books.ReservationIn(rec); len(id) == 16 {
		e.Kind = "pickup"
		copy(e.Reservation[:], id)
		if len(e.SKUs) == 0 {
			e.SKUs = f.reserved(ctx, e.Reservation)
		}
	}
	f.asked(rec)
	f.touch(e.SKUs)
	f.o.Notify(e)
}

// reserved lists the SKUs of a reservation. It only says where to look again:
// a caller who left while it was read misses nothing that is kept.
func (f *Floor) reserved(ctx context.Context, id ID) (skus []stock.SKU) {
	err := f.j.View(context.WithoutCancel(ctx), func(tx *journal.Tx) error {
		r, known, err := books.Open(tx, f.o.Store).Reservation(id)
		if known {
			for _, l := range r.Lines {
				skus = append(skus, l.SKU)
			}
		}
		return err
	})
	if err != nil {
		f.o.Logger.Warn("list what an order holds", "err", err)
	}
	return skus
}

// account reads one SKU's book.
func (f *Floor) account(tx *journal.Tx, sku stock.SKU) (books.Account, error) {
	return books.Open(tx, f.o.Store).Account(sku)
}
