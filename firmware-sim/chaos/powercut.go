package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
)

const (
	cutShoppers = 4
	cutLeast    = 50 * time.Millisecond // of work between two cuts
	cutMost     = 400 * time.Millisecond
	ackedFirst  = 5 // answers before the power may go, so that something is at stake
)

// Cuts is how a series of power cuts went.
type Cuts struct {
	Members int           `json:"members"`
	Seed    uint64        `json:"seed"`
	Lying   bool          `json:"lying"` // the disks say that they flush, and do not
	Cuts    int           `json:"cuts"`
	Acked   int           `json:"acked"`  // reservations that were promised
	Lost    int           `json:"lost"`   // of those
	Broken  int           `json:"broken"` // cuts after which the cloud did not come back
	Losing  int           `json:"losing"` // cuts with a loss
	Found   findings      `json:"found"`
	Took    time.Duration `json:"took_ns"`
}

// OK tells whether nothing was lost, or, of disks that lie, that something was:
// else the cuts would prove nothing.
func (c *Cuts) OK() bool {
	harm := c.Lost+c.Broken+len(c.Found.Wrong) > 0
	return c.Acked > 0 && harm == c.Lying
}

// String gives the result for people.
func (c *Cuts) String() string {
	disks := "disks that flush"
	if c.Lying {
		disks = "disks that lie about flushing"
	}
	text := fmt.Sprintf("%d power cuts of %d members at once, %s: %d of %d promises lost in %d cuts, "+
		"%d times the cloud did not come back, in %s\n", c.Cuts, c.Members, disks, c.Lost, c.Acked,
		c.Losing, c.Broken, c.Took.Round(100*time.Millisecond))
	if !c.Lying {
		for _, wrong := range c.Found.Wrong {
			text += "  WRONG " + wrong + "\n"
		}
	}
	if !c.OK() {
		text += "  THIS IS NOT AS IT MUST BE\n"
	}
	return text
}

// lie starts a program so that it is told that its files are on the disk.
func lie(args []string) []string {
	return append([]string{"strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e",
		"trace=fsync,fdatasync,msync,sync_file_range", "-e",
		"inject=fsync,fdatasync,msync,sync_file_range:retval=0"}, args...)
}

// cutPower cuts the power of all members at once, n times, while shoppers
// reserve, and looks for everything that they were promised.
func (w *world) cutPower(ctx context.Context, n int, lying bool, say teller) (c *Cuts, err error) {
	c = &Cuts{Members: len(w.members), Seed: w.o.Seed, Lying: lying}
	began := time.Now()
	defer func() {
		err = errors.Join(err, w.halt(), w.plugOut())
		for _, m := range w.members {
			m.wrap = nil
		}
		c.Took = time.Since(began)
	}()
	kinds := make(map[string]string)
	for i, m := range w.members {
		kinds[m.Name()] = []string{onExt4, onExt4, onXFS}[i%3]
	}
	if err := w.plugIn(kinds); err != nil {
		return c, err
	}
	if err := w.prepareCuts(ctx, lying); err != nil {
		return c, err
	}
	by, everything := rand.New(rand.NewPCG(w.o.Seed, 11)), make(map[string]bool)
	for c.Cuts < n && ctx.Err() == nil {
		acked, err := w.oneCut(ctx, c, by)
		if err != nil {
			return c, err
		}
		maps.Copy(everything, acked)
		if c.Cuts%10 == 0 {
			say("%d power cuts, %d promises, %d lost", c.Cuts, c.Acked, c.Lost)
		}
		if lying && c.Broken > 0 {
			return c, nil // what there is cannot be worked with
		}
	}
	if !lying { // one that came through a cut may be lost by the next
		for _, m := range w.members {
			lost, err := missing(ctx, m, everything)
			if err != nil {
				return c, err
			}
			c.Lost = max(c.Lost, lost)
		}
	}
	return c, c.Found.checkCloud(ctx, w)
}

// prepareCuts gives the cloud a store with units, and leaves it alone.
func (w *world) prepareCuts(ctx context.Context, lying bool) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	for _, n := range w.nodes {
		if err := n.Kill(); err != nil {
			return err
		}
	}
	if !lying {
		return nil
	}
	for _, m := range w.members {
		m.wrap = lie
		if err := errors.Join(m.Stop(), m.Start()); err != nil {
			return err
		}
	}
	return w.awaitMembers(ctx)
}

func (w *world) awaitMembers(ctx context.Context) error {
	for _, m := range w.members {
		if err := awaitReady(ctx, m.child, m.admin); err != nil {
			return err
		}
	}
	return nil
}

// oneCut lets shoppers work, cuts the power, and looks for what they were told.
func (w *world) oneCut(ctx context.Context, c *Cuts, by *rand.Rand) (map[string]bool, error) {
	b := &buyers{acked: make(map[string]bool)}
	working, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range cutShoppers {
		all.Go(func() { b.buy(working, w, w.members[i%len(w.members)]) })
	}
	err := poll(ctx, startPatience, func() error {
		if b.count() < ackedFirst {
			return fmt.Errorf("%d promises", b.count())
		}
		return nil
	})
	time.Sleep(cutLeast + time.Duration(by.Int64N(int64(cutMost-cutLeast))))
	// While a file system is shut down the kernel may let an fsync succeed whose
	// commit it has just dropped; a machine without power answers nobody.
	before := b.told()
	back, failed := power(ctx, w, Event{Who: "members"})
	stop()
	all.Wait()
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	c.Cuts, c.Acked = c.Cuts+1, c.Acked+len(before)
	if err := errors.Join(back(ctx), w.awaitMembers(ctx)); err != nil {
		c.Broken++
		if c.Lying {
			return nil, nil
		}
		return nil, err
	}
	lost, err := missing(ctx, w.members[by.IntN(len(w.members))], before)
	if c.Lost += lost; lost > 0 {
		c.Losing++
	}
	return before, err
}

// buyers reserve one unit after the other.
type buyers struct {
	mu    sync.Mutex
	acked map[string]bool // guarded by mu: reservations that were promised
}

func (b *buyers) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.acked)
}

// told is what was promised up to now.
func (b *buyers) told() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.acked)
}

func (b *buyers) buy(ctx context.Context, w *world, m *member) {
	r := newREST(m.at(m.listen), callWithin)
	defer r.close()
	path := fmt.Sprintf("/v1/stores/%d/reservations", w.nodes[silent].store)
	for ctx.Err() == nil {
		got := new(shopv1.Reservation)
		err := r.post(ctx, path, &shopv1.CreateReservationRequest{RequestId: newID(),
			Lines: []*shopv1.CartLine{{Gtin: w.probe.gtin, Quantity: 1}}}, got)
		if err != nil {
			time.Sleep(pollEvery)
			continue
		}
		b.mu.Lock()
		b.acked[got.GetReservation()] = true
		b.mu.Unlock()
	}
}

// missing counts the promises that are not there any more.
func missing(ctx context.Context, m *member, promised map[string]bool) (lost int, err error) {
	r := newREST(m.at(m.listen), adminWithin)
	defer r.close()
	for id := range promised {
		err := r.get(ctx, "/v1/reservations/"+id, new(shopv1.Reservation))
		switch {
		case codeOf(err) == "UNKNOWN_RESERVATION":
			lost++
		case err != nil:
			return lost, fmt.Errorf("look for a promise: %w", err)
		}
	}
	return lost, nil
}
