package fleet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

const (
	tenant       = 1
	restartTime  = 2 * time.Second
	spareRecords = 6 // that a full disk still takes, at most
)

// box is one computer of a store with the node's program on it. What is
// started anew has a new life; what belongs to an older life is void.
type box struct {
	w         *World
	st        *store
	number    int
	node      id
	epoch     stock.Epoch
	clock     clock
	journal   *journal.Journal
	floor     *shopfloor.Floor
	core      *uplink.Core
	life      uint64
	up        bool
	tickAt    time.Duration
	conn      *conn
	asking    map[id]*question
	catalogue uint64 // version
	ids       chance
	doomed    *doom
	full      bool
	spare     int // records that the full disk still takes
	tooNew    bool
	image     []byte // of the disk, while it is off
	seen      []seenRecord
	eye       *nodeEye
	backups   [][]byte
	returns   bool                        // it was replaced, and is switched on again
	suspect   bool                        // the cloud refused its history when a person last looked
	handedTo  uint64                      // records before it were handed over
	rows      map[stock.SKU]books.Account // as this box has them, if it does not count
	balancing bool
	growing   bool
	keeping   bool
}

// doom is a crash that waits for the next commit.
type doom struct {
	power  bool
	down   time.Duration
	before bool // the commit is lost
	skip   int  // records that come through before it
}

var (
	errPower = errors.New("power went out")
	errFull  = errors.New("no space left on device")
	errDead  = errors.New("the box is gone")
)

func (w *World) newBox(st *store, epoch stock.Epoch, node id) *box {
	b := &box{w: w, st: st, number: len(st.boxes) + 1, epoch: epoch, node: node}
	b.clock = clock{w: w}
	b.ids = newChance(w.o.Seed, 1_000_000+uint64(st.id)*100+uint64(b.number))
	if w.has(faultClockDrift) {
		b.clock.drift = int64(b.ids.between(-2_000, 2_000))
	}
	st.boxes = append(st.boxes, b)
	return b
}

// boot starts the program on what is on the disk.
func (b *box) boot() error {
	b.life++
	b.floor = shopfloor.New(b.floorOptions(b.epoch))
	b.eye = &nodeEye{Machine: b.floor.Machine(), box: b}
	j, err := journal.Open(b.w.ctx, journal.Options{Image: b.image, Machine: b.eye, Spare: &b.w.kit.boxes})
	if err != nil {
		return fmt.Errorf("boot the box of store %d: %w", b.st.id, err)
	}
	b.journal, b.image = j, nil
	if err := b.floor.Open(b.w.ctx, j); err != nil {
		return err
	}
	b.floor.SetLink(tillLine{b})
	b.asking = make(map[id]*question)
	random := newChance(b.w.o.Seed, binary.BigEndian.Uint64(b.node[:])+b.life)
	b.core = uplink.NewCore(uplink.Config{Address: "cloud", DeadAfter: b.w.mix.dead,
		Backoff: uplink.Backoff{Cap: b.w.mix.backoff}, Random: random.Int64N})
	b.up, b.conn, b.tickAt, b.keeping = true, nil, -1, false
	b.limitDisk()
	b.feed(uplink.Grew{Head: j.Head().Seq})
	b.changed()
	b.housekeep()
	return nil
}

func (b *box) floorOptions(epoch stock.Epoch) shopfloor.Options {
	return shopfloor.Options{Store: b.st.id, NodeID: b.node, Epoch: epoch,
		Tenant: tenant, Catalogue: shelfLabels{b}, Now: b.clock.now, NewID: b.ids.id,
		Notify: func(shopfloor.Event) { b.changed() }, Steady: func() time.Duration { return b.w.now }}
}

// limitDisk lets no file on a full disk grow.
func (b *box) limitDisk() {
	if !b.full || !b.up {
		return
	}
	var pages, most int64
	err := b.journal.View(b.w.ctx, func(tx *journal.Tx) error {
		if err := tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		return tx.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&most)
	})
	if err != nil {
		b.w.fail("FAULT", "store %d: limit the disk: %v", b.st.id, err)
	}
}

// roomOnDisk ends that the disk is full; a program that runs can write again.
func (b *box) roomOnDisk() {
	b.full = false
	if !b.up {
		return
	}
	err := b.journal.View(b.w.ctx, func(tx *journal.Tx) error {
		var most int64
		return tx.QueryRow("PRAGMA max_page_count = 1073741823").Scan(&most)
	})
	if err != nil && b.journal.Err() == nil {
		b.w.fail("FAULT", "store %d: give the disk room: %v", b.st.id, err)
	}
}

// crash ends the program: with its power, nobody hears of it, else the kernel
// closes its connections. It starts again after a while.
func (b *box) crash(power bool, down time.Duration) {
	if !b.up {
		return
	}
	b.stop(power)
	life := b.life
	b.w.after(down+restartTime, "boot", func() {
		if b.life == life {
			b.restart()
		}
	})
}

// stop ends the program and keeps what is on the disk.
func (b *box) stop(power bool) {
	image, err := b.journal.Image(b.w.ctx)
	if err == nil {
		err = b.journal.Close()
	}
	if err != nil {
		b.w.fail("FAULT", "store %d: read the disk: %v", b.st.id, err)
	}
	b.settleSeen()
	b.life++
	b.up, b.image, b.doomed, b.journal = false, image, nil, nil
	if c := b.conn; c != nil && !power {
		c.hangUp(toNode)
	} else if c != nil {
		c.alive[toNode] = false
		c.line.forget(c)
	}
	b.conn = nil
	for _, q := range b.asking {
		q.wake()
	}
	b.w.marks.hit(markPowerLoss)
}

func (b *box) restart() {
	if err := b.boot(); err != nil {
		b.w.fail("FAULT", "%v", err)
		return
	}
	b.w.logf("store %d: box %d runs again at record %d", b.st.id, b.number, b.journal.Head().Seq)
	b.loadRows()
	if b.st.box == b && b.st.head != b.journal.Head() {
		b.st.bereft = b.st.bereft || b.st.astray && b.w.office.incarnation > 0
		b.st.astray = true
		b.st.reload(b)
	}
}

// loadRows reads the books of a box that does not count: it may have been
// rebuilt.
func (b *box) loadRows() {
	if b.st.box == b {
		return
	}
	b.rows = make(map[stock.SKU]books.Account)
	err := b.journal.View(b.w.ctx, func(tx *journal.Tx) error {
		all, err := books.Accounts(tx, b.st.id, 0, assortment+1)
		for _, a := range all {
			b.rows[a.SKU] = a
		}
		return err
	})
	if err != nil {
		b.w.fail("FAULT", "store %d: read the books: %v", b.st.id, err)
	}
}

// call lets the program do something. It is answered unless the program ended
// meanwhile; whether it was done is then unknown.
func (b *box) call(f func() error) (err error, answered bool) {
	life := b.life
	err = b.guarded(f)
	if b.life != life || errors.Is(err, errDead) {
		return errDead, false
	}
	if cause := b.journal.Err(); cause != nil {
		d := b.doomed
		switch {
		case d != nil && d.before && errors.Is(cause, errPower):
			b.crash(d.power, d.down)
		case b.full:
			b.w.marks.hit(markFullDisk)
			b.crash(false, b.w.chance.span(time.Second, time.Minute))
		default:
			b.w.fail("FAULT", "store %d: the journal stopped: %v", b.st.id, cause)
		}
		return errDead, false
	}
	if d := b.doomed; d != nil && !d.before && len(b.seen) > 0 {
		b.crash(d.power, d.down)
		return errDead, false
	}
	b.settleSeen()
	return err, true
}

// guarded runs f; a program that ended while f waited unwinds it.
func (b *box) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, dead := p.(lifeEnded); !dead {
				panic(p)
			}
			err = errDead
		}
	}()
	return f()
}

// lifeEnded unwinds a step of a program that has ended.
type lifeEnded struct{}

// changed lets the program look what its records make due.
func (b *box) changed() {
	life := b.life
	if !b.growing {
		b.growing = true
		b.w.after(100*time.Microsecond, "grew", func() {
			b.growing = false
			if b.life == life && b.up {
				b.feed(uplink.Grew{Head: b.journal.Head().Seq})
			}
		})
	}
	b.balance()
}

// balance lets the program look soon how its units are split.
func (b *box) balance() {
	if b.balancing {
		return
	}
	b.balancing = true
	life := b.life
	b.w.after(time.Millisecond, "balance", func() {
		b.balancing = false
		if b.life == life && b.up {
			b.call(func() error { return b.unexpected(b.floor.BalanceOnce(b.w.ctx)) })
		}
	})
}

// unexpected reports a fault that nobody caused.
func (b *box) unexpected(err error) error {
	if err != nil && b.journal.Err() == nil && !errors.Is(err, errDead) {
		b.w.fail("FAULT", "store %d: %v", b.st.id, err)
	}
	return err
}

// housekeep does every now and then what the program does every minute.
func (b *box) housekeep() {
	if b.keeping {
		return
	}
	b.keeping = true
	life := b.life
	b.w.after(b.w.mix.round, "housekeeping", func() {
		b.keeping = false
		if b.life != life || !b.up {
			return
		}
		b.expire()
		drain := func(ctx context.Context) error {
			_, err := b.floor.DrainLegacy(ctx, shopfloor.Cause{Actor: "node"}, false)
			return err
		}
		for _, due := range []func(context.Context) error{b.floor.SaveAcked, b.floor.SettleDue,
			b.floor.DigestDue, drain} {
			if b.life == life && b.up {
				b.call(func() error { return b.unexpected(due(b.w.ctx)) })
			}
		}
		if b.life == life && b.up {
			b.housekeep()
		}
	})
}

// expire gives up what nobody claimed.
func (b *box) expire() {
	if b.floor.Clock() == recordv1.ClockState_CLOCK_STATE_JUMPED && b.anyDue() {
		b.w.marks.hit(markClockDistrusted)
	}
	b.call(func() error {
		_, err := b.floor.ExpireDue(b.w.ctx)
		return b.unexpected(err)
	})
}
