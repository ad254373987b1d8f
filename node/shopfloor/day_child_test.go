package shopfloor_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"testing"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/token"
)

// dayEnv names the journal of a child that works through a scripted day.
const dayEnv = "SHOPFLOOR_DAY"

func TestMain(m *testing.M) {
	path := os.Getenv(dayEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // faults count the system calls of a thread
	if err := workDay(context.Background(), path, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// day is a store's day whose every step has its own id, so that it can be begun
// again at any moment.
type day struct {
	*shopfloor.Floor
	j    *journal.Journal
	key  ed25519.PrivateKey
	step uint64
}

func dayID(n uint64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

const dayStart = int64(1_700_000_000_000)

func newDay() *day { return &day{key: ed25519.NewKeyFromSeed(make([]byte, 32))} }

func openDay(ctx context.Context, path string) (*day, error) {
	d := newDay()
	boot := uint64(0)
	d.Floor = shopfloor.New(shopfloor.Options{Store: 7, Epoch: stock.Epoch{Timeline: 1, Counter: 1}, Tenant: 1,
		Catalogue: shelf{}, Now: func() int64 { return dayStart },
		NewID: func() shopfloor.ID { boot++; return dayID(1<<32 + boot) }})
	j, err := journal.Open(ctx, journal.Options{Path: path, Machine: d.Machine()})
	if err != nil {
		return nil, err
	}
	d.j = j
	return d, d.Open(ctx, j)
}

// workDay does what the day has, from the first step, and prints the number of
// each once it was acknowledged. Steps that were done before are repeated.
func workDay(ctx context.Context, path string, out *os.File) error {
	d, err := openDay(ctx, path)
	if err != nil {
		return err
	}
	for i, step := range d.steps() {
		if err := step(ctx); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		fmt.Fprintf(out, "%d\n", i+1)
	}
	return d.j.Close()
}

func (d *day) cause() shopfloor.Cause {
	d.step++
	return shopfloor.Cause{ID: dayID(d.step), Actor: "Ann", Device: "till1"}
}

// steps lists the day: goods come in, units go to the cloud and back, orders
// are accepted, picked, staged, collected, cancelled and run short; the rest is
// sold, counted, refunded and put back.
func (d *day) steps() []func(ctx context.Context) error {
	var all []func(ctx context.Context) error
	add := func(f func(ctx context.Context, c shopfloor.Cause) error) {
		c := d.cause()
		all = append(all, func(ctx context.Context) error { return f(ctx, c) })
	}
	direct := d.directives()
	add(func(ctx context.Context, c shopfloor.Cause) error {
		_, err := d.Receive(ctx, c, "D1", []*recordv1.MovementLine{{Sku: 1, Units: 20}})
		return err
	})
	add(func(ctx context.Context, _ shopfloor.Cause) error {
		_, err := d.GrantUpTo(ctx, []shopfloor.Want{{SKU: bread, Target: 10, Timeline: 1}})
		return err
	})
	add(func(ctx context.Context, _ shopfloor.Cause) error {
		_, err := d.ApplyDirectives(ctx, 1, nil, direct)
		return err
	})
	for range 6 {
		add(func(ctx context.Context, c shopfloor.Cause) error {
			_, err := d.Sell(ctx, shopfloor.Sell{Cause: c, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}})
			return err
		})
	}
	d.pickup(add)
	add(func(ctx context.Context, c shopfloor.Cause) error {
		_, err := d.Count(ctx, c, bread, 11, "evening")
		return err
	})
	add(func(ctx context.Context, c shopfloor.Cause) error {
		_, err := d.Refund(ctx, c, shopfloor.ID{}, []*recordv1.MovementLine{{Sku: 1, Units: 1}}, false)
		return err
	})
	add(func(ctx context.Context, c shopfloor.Cause) error {
		_, err := d.Reshelve(ctx, c, bread, 1, "A1")
		return err
	})
	add(func(ctx context.Context, _ shopfloor.Cause) error { return d.SaveAcked(ctx) })
	return all
}

// pickup adds the steps of one order, and of one that is collected by its code
// alone.
func (d *day) pickup(add func(f func(ctx context.Context, c shopfloor.Cause) error)) {
	first := dayID(101)
	add(func(ctx context.Context, c shopfloor.Cause) error {
		_, err := d.Pick(ctx, c, first, bread, 0)
		return err
	})
	add(func(ctx context.Context, c shopfloor.Cause) error {
		_, err := d.Stage(ctx, c, first, "P1")
		return err
	})
	for _, n := range []uint64{101, 104} {
		add(func(ctx context.Context, c shopfloor.Cause) error {
			text, err := token.Sign(token.Token{KeyID: 9, Tenant: 1, Store: 7, Timeline: 1, Reservation: dayID(n),
				DSeq: n, PickupUntil: dayStart + 1, IssuedAt: dayStart, Lines: []token.Line{{SKU: 1, Units: 2}}}, d.key)
			if err == nil {
				_, err = d.Collect(ctx, c, text)
			}
			return err
		})
	}
	add(func(ctx context.Context, c shopfloor.Cause) error {
		_, err := d.Missing(ctx, c, dayID(102), 1, 1)
		return err
	})
}

// directives are the keys, three orders, a cancelled one and a return.
func (d *day) directives() [][]byte {
	reserve := func(n uint64) *recordv1.Reserve {
		id := dayID(n)
		return &recordv1.Reserve{Reservation: id[:], Timeline: 1, Directive: n - 99, PickupUntil: dayStart + 1,
			Lines: []*recordv1.ReservedLine{{Line: 1, Sku: 1, Units: 2}}}
	}
	third := dayID(103)
	bodies := []*recordv1.Directive{
		{Body: &recordv1.Directive_Keys{Keys: &recordv1.KeySet{Version: 1, Keys: []*recordv1.PickupKey{
			{Id: 9, Public: d.key.Public().(ed25519.PublicKey), NotAfter: 1 << 50}}}}},
		{Body: &recordv1.Directive_Reserve{Reserve: reserve(101)}},
		{Body: &recordv1.Directive_Reserve{Reserve: reserve(102)}},
		{Body: &recordv1.Directive_Reserve{Reserve: reserve(103)}},
		{Body: &recordv1.Directive_Cancel{Cancel: &recordv1.CancelRequest{Reservation: third[:]}}},
		{Body: &recordv1.Directive_Return{Return: &recordv1.Return{Sku: 1, Units: 1, ReturnedTotal: 1, Timeline: 1}}},
	}
	raws := make([][]byte, len(bodies))
	for i, b := range bodies {
		b.Seq, b.Timeline, b.Critical = uint64(i+1), 1, true
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
		if err != nil {
			panic(err)
		}
		raws[i] = raw
	}
	return raws
}
