package fleet

import (
	"errors"
	"slices"
	"time"

	clouduplink "holdfast.dev/cloud/uplink"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	tailRecords   = 100 // of one page of own records
	salvagePage   = 50
	rebuildRounds = 20
	copyFound     = 5 * time.Minute // until somebody sees that a box is there twice
)

var errDiffers = errors.New("from here on the histories differ")

// recover brings the box back as the cloud decided, as the node's program does.
func (b *box) recover(e uplink.Recover) {
	life := b.life
	b.w.logf("store %d: box %d has to recover: %s", b.st.id, b.number, e.Welcome.GetMode())
	b.w.start(func(r *routine) {
		err := b.recoverAs(r, e)
		if b.life == life && b.up && !errors.Is(err, errDead) {
			b.w.logf("store %d: box %d recovered: %v", b.st.id, b.number, err)
			b.feed(uplink.Recovered{Attempt: e.Attempt, Err: err})
			b.changed()
		}
	})
}

func (b *box) recoverAs(r *routine, e uplink.Recover) error {
	w := e.Welcome
	epoch := stock.Epoch{Timeline: stock.Timeline(w.GetEpoch().GetTimeline()), Counter: w.GetEpoch().GetCounter()}
	b.floor.Meet(w.GetResumeFrom() - 1)
	switch w.GetMode() {
	case recordv1.SessionMode_SESSION_MODE_FAST_FORWARD:
		if err := b.fastForward(r, w.GetResumeFrom()-1); err != nil {
			return err
		}
		b.w.marks.hit(markRestoredOnline)
		return b.must(func() error { return b.floor.Recovered(b.w.ctx, epoch) })
	case recordv1.SessionMode_SESSION_MODE_REBUILD:
		if err := b.salvage(r, b.journal, w.GetSalvageFrom()); err != nil {
			return err
		}
		image, err := b.rebuild(r, epoch)
		if err != nil {
			return err
		}
		for _, f := range b.st.facts {
			if b.st.chain[f.seq] == f.hash && f.seq < b.handedTo {
				f.first.told = true
			}
		}
		b.stop(false)
		b.image, b.epoch = image, epoch
		b.restart()
		b.w.marks.hit(markForked)
		return errDead
	case recordv1.SessionMode_SESSION_MODE_SALVAGE:
		if err := b.salvage(r, b.journal, w.GetSalvageFrom()); err != nil {
			return err
		}
		b.w.marks.hit(markOldBox)
		b.st.toldBy(b.journal)
		b.throwAway()
		return stock.Refuse(stock.Fenced, "this box was replaced; what it knew was handed over")
	}
	return stock.Refuse(stock.FeatureRefused, "session mode %s", w.GetMode())
}

// throwAway lets somebody take a box away that was replaced and has nothing more
// to tell.
func (b *box) throwAway() {
	life := b.life
	b.w.after(b.w.mix.day/20, "old box goes", func() {
		if b.life == life && b.up && b.st.box != b && b.st.twin != b {
			b.w.logf("store %d: box %d is thrown away", b.st.id, b.number)
			b.stop(true)
		}
	})
}

// must does something in the program; a program that ended fails it.
func (b *box) must(f func() error) error {
	err, answered := b.call(f)
	if !answered {
		return errDead
	}
	return b.unexpected(err)
}

// call to the cloud takes time and needs a line.
func (b *box) remote(r *routine) error {
	life := b.life
	r.sleep(2 * b.st.line.latency())
	switch {
	case b.life != life && life > 0:
		return errDead
	case !b.st.line.up || b.w.office.anyMember() < 0:
		return errNoLine
	}
	return nil
}

// tail reads own records from a number on, up to another one or the last.
func (b *box) tail(r *routine, from, to uint64, page func(prev journal.Position, raws [][]byte) error) error {
	for after := max(from, 1) - 1; ; {
		if err := b.remote(r); err != nil {
			return err
		}
		chain, err := b.w.office.uplink.Records(b.w.ctx, b.st.id, after, tailRecords)
		if err != nil || len(chain.Data) == 0 {
			return err
		}
		if to > 0 {
			chain.Data = chain.Data[:min(uint64(len(chain.Data)), to+1-chain.From)]
		}
		if err := page(journal.Position{Seq: chain.From - 1, Hash: chain.Prev}, chain.Data); err != nil {
			return err
		}
		after = chain.From + uint64(len(chain.Data)) - 1
		if to > 0 && after >= to {
			return nil
		}
	}
}

// fastForward appends what the cloud has of this store's own records.
func (b *box) fastForward(r *routine, last uint64) error {
	from := b.journal.Head().Seq + 1
	if from > last {
		return nil
	}
	return b.tail(r, from, last, func(prev journal.Position, raws [][]byte) error {
		err, answered := b.call(func() error { return b.floor.FastForward(b.w.ctx, prev, raws) })
		if !answered {
			return errDead
		}
		return err // such as that a till was faster
	})
}

// salvage hands over what a disk knows and the cloud does not.
func (b *box) salvage(r *routine, j *journal.Journal, from uint64) error {
	if from == 0 {
		return nil
	}
	first, err := b.firstOwn(r, j, from)
	if err != nil {
		return err
	}
	for {
		if err := b.remote(r); err != nil {
			return err
		}
		page, err := j.Entries(b.w.ctx, first, salvagePage, 1<<20)
		if err != nil || len(page) == 0 {
			return err
		}
		upload := &recordv1.SalvageUpload{Store: uint32(b.st.id),
			Epoch: &recordv1.Epoch{Timeline: uint32(b.epoch.Timeline), Counter: b.epoch.Counter}}
		for _, e := range page {
			upload.Records = append(upload.Records, e.Data)
		}
		_, err = r.propose(b.ids, clouduplink.SalvageCommand(upload))
		if err != nil {
			return err
		}
		first = page[len(page)-1].Seq + 1
		b.handedTo = first
	}
}

// firstOwn finds the first record, from a number on, that is not what the cloud
// has there.
func (b *box) firstOwn(r *routine, j *journal.Journal, from uint64) (uint64, error) {
	first := from
	err := b.tail(r, from, 0, func(prev journal.Position, raws [][]byte) error {
		for _, raw := range raws {
			prev = journal.Position{Seq: prev.Seq + 1, Hash: journal.Chain(prev.Hash, prev.Seq+1, raw)}
			own, err := j.At(b.w.ctx, prev.Seq)
			if errors.Is(err, journal.ErrNoRecord) || err == nil && own.Hash != prev.Hash {
				return errDiffers
			}
			if err != nil {
				return err
			}
			first = prev.Seq + 1
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDiffers) {
		return 0, err
	}
	return first, nil
}

// rebuild makes a new disk from what the cloud has.
func (b *box) rebuild(r *routine, epoch stock.Epoch) (image []byte, err error) {
	o := b.floorOptions(epoch)
	o.Notify = nil
	floor := shopfloor.New(o)
	j, err := journal.Open(b.w.ctx, journal.Options{Machine: floor.Machine(), Spare: &b.w.kit.boxes})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	err = b.tail(r, 0, 0, func(prev journal.Position, raws [][]byte) error {
		return floor.Seed(b.w.ctx, j, prev, raws)
	})
	if err == nil {
		err = b.remote(r)
	}
	if err != nil {
		return nil, err
	}
	snapshot, err := b.w.office.uplink.Snapshot(b.w.ctx, b.st.id)
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return floor.Open(b.w.ctx, j) },
		func() error { return floor.Restore(b.w.ctx, snapshot.At, snapshot.Parts) },
		func() error { return floor.Recovered(b.w.ctx, floor.Epoch()) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return j.Image(b.w.ctx)
}

// restoring puts an older copy of the box's disk back.
func (w *World) restoring(st *store, c chance) {
	b := st.box
	if len(b.backups) == 0 || !b.up {
		return
	}
	image := oneOf(c, b.backups...)
	w.logf("store %d: the disk of a backup is put back", st.id)
	b.stop(c.of(500))
	b.image = image
	b.later(c.span(0, w.outage(c))+restartTime, b.restart)
}

// later does something to a box that is off, unless somebody else does first.
func (b *box) later(d time.Duration, do func()) {
	life := b.life
	b.w.after(d, "box", func() {
		if b.life == life && !b.up {
			do()
		}
	})
}

// losing breaks the store's box for good. A new one takes its place; the old
// disk may be readable, the old box may come back, or neither.
func (w *World) losing(st *store, c chance) {
	b := st.box
	if !b.up || st.replacing {
		return
	}
	kind := c.IntN(3)
	if w.mix.deeds == fullDay || c.of(500) {
		w.exchange(st, c, kind)
		return
	}
	d := c.span(w.mix.day/50, w.mix.day/5) // the line goes first, and with the box what nobody else has heard of
	w.logf("store %d: line is cut for %s, then the box is lost", st.id, d)
	st.line.broken(d, func() {
		st.line.up = false
		st.line.reset(true, true)
	})
	w.after(d, "box lost", func() {
		if b.up && st.box == b && !st.replacing && !w.healed {
			w.exchange(st, c, kind)
		}
	})
}

// What becomes of a box that was replaced.
const (
	diskRead = iota
	boxReturns
	nothingLeft
)

// exchange takes the store's box away and brings a new one.
func (w *World) exchange(st *store, c chance, kind int) {
	b := st.box
	b.stop(true)
	st.replacing, b.returns = true, kind == boxReturns
	old := b.image
	b.rows = st.rows()
	w.logf("store %d: box %d is lost, kind %d", st.id, b.number, kind)
	w.start(func(r *routine) {
		r.sleep(c.span(time.Second, w.outage(c)))
		fresh := r.replace(st, c)
		if fresh == nil {
			return
		}
		if kind == diskRead {
			r.readOld(fresh, old, c)
		}
		r.furnish(fresh, c)
		if kind == boxReturns {
			r.sleep(c.span(time.Second, w.mix.day/4))
			b.image = old
			b.restart()
		}
	})
}

// lookAtForks lets a person look after boxes that the cloud has refused for a
// while because of their history, or because it takes another one for the
// store's: they are enrolled anew.
func (w *World) lookAtForks() {
	w.after(w.mix.day/8, "look at forks", func() {
		for _, st := range w.stores {
			b := st.box
			why := b.core.State().Refused
			refused := b.up && st.twin == nil && (why == stock.Forked.String() || why == stock.Fenced.String())
			if refused && b.suspect && !st.replacing {
				w.marks.hit(markEnrolledAnew)
				w.exchange(st, newChance(w.o.Seed, uint64(w.now)), diskRead)
			}
			b.suspect = refused
		}
		w.lookAtForks()
	})
}

// replace enrols a new box, sooner or later.
func (r *routine) replace(st *store, c chance) *box {
	for range maxRetries {
		b, err := r.w.enrolBy(st, func(command *recordv1.Command) (*recordv1.Result, error) {
			return r.propose(c, command)
		})
		if err == nil {
			return b
		}
		r.w.logf("store %d: enrol: %v", st.id, err)
		r.sleep(c.span(time.Second, time.Minute))
	}
	return nil
}

// readOld hands over what an old disk knows and the cloud does not.
func (r *routine) readOld(fresh *box, image []byte, c chance) {
	floor := shopfloor.New(fresh.floorOptions(fresh.epoch))
	j, err := journal.Open(r.w.ctx, journal.Options{Image: image, Machine: floor.Machine(),
		Spare: &r.w.kit.boxes})
	if err != nil {
		r.w.fail("FAULT", "store %d: read the old disk: %v", fresh.st.id, err)
		return
	}
	defer j.Close()
	for range rebuildRounds {
		if err = fresh.salvage(r, j, 1); err == nil {
			r.w.marks.hit(markOldDisk)
			fresh.st.toldBy(j)
			return
		}
		r.sleep(c.span(time.Second, time.Minute))
	}
}

// furnish fills a new box from the cloud and puts it into the store.
func (r *routine) furnish(b *box, c chance) {
	st := b.st
	for {
		image, err := b.rebuild(r, b.epoch)
		if err == nil {
			b.image = image
			break
		}
		r.sleep(c.span(time.Second, time.Minute))
	}
	st.box, st.replacing = b, false
	b.restart()
	r.w.marks.hit(markRebuilt)
}

// cloning copies the box's disk into a second box that runs beside it. Some
// tills talk to the copy. After a while somebody notices, and one of the two is
// switched off; its disk is read.
func (w *World) cloning(st *store, c chance) {
	b := st.box
	if !b.up || st.replacing || st.twin != nil {
		return
	}
	image, err := b.journal.Image(w.ctx)
	if err != nil {
		w.fail("FAULT", "store %d: copy the disk: %v", st.id, err)
		return
	}
	twin := w.newBox(st, b.epoch, b.node)
	twin.image, twin.rows = image, st.rows()
	st.twin = twin
	w.logf("store %d: box %d is copied, the copy is box %d", st.id, b.number, twin.number)
	w.marks.hit(markCloned)
	twin.restart()
	for _, t := range st.tills {
		if c.of(400) {
			t.box = twin
		}
	}
	keep := c.of(600)
	w.after(c.span(0, min(copyFound, w.mix.day/4)), "copy found", func() { st.endTwin(twin, keep, c) })
}

// endTwin leaves one of two boxes with the same identity.
func (st *store) endTwin(twin *box, keep bool, c chance) {
	w := st.w
	if st.twin != twin {
		return
	}
	st.twin = nil
	for _, t := range st.tills {
		t.box = nil
	}
	if st.replacing || !st.box.up || slices.ContainsFunc(st.boxes, func(o *box) bool {
		return o.returns && o.node == twin.node // nobody could tell the two apart any more
	}) {
		keep = true
	}
	loser := twin
	if !keep && twin.up {
		loser = st.box
	}
	w.logf("store %d: box %d is switched off", st.id, loser.number)
	if loser.up {
		loser.stop(true)
	}
	if loser == st.box {
		st.box = twin
		st.reload(twin)
	}
	st.astray = st.box.core.State().Phase == uplink.Offline || !st.agrees() || st.cloud.acked > st.applied
	image := loser.image
	loser.image = nil
	w.start(func(r *routine) {
		r.sleep(c.span(0, w.mix.day/20))
		r.readDisk(st, image, c)
	})
}

// readDisk hands over what the disk of a box that is off has written, once the
// store's box can.
func (r *routine) readDisk(st *store, image []byte, c chance) {
	for range rebuildRounds {
		if b := st.box; b.up && !st.astray {
			r.readOld(b, image, c)
			return
		}
		r.sleep(c.span(time.Second, r.w.mix.day/20))
	}
}
