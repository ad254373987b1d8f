package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"holdfast.dev/cloud/quorum"
	shopv1 "holdfast.dev/proto/shop/v1"
)

const (
	reserveGoal   = 0.4
	reserveStores = 20
	reserveSKUs   = 200 // of each store
)

var (
	reserveMembers = []int{1, 3}
	reserveClients = []int{1, 64, 256}
)

func reserveRow(members, clients int) string {
	return fmt.Sprintf("reservations, %s, %s", plural(members, "member"), plural(clients, "client"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (b *bench) reserveRows(members int) (rows []string) {
	for _, clients := range reserveClients {
		rows = append(rows, b.name(reserveRow(members, clients)))
	}
	return rows
}

// reservations measures reservations a second, from the public API to the answer
// with its signed code, against entries a second of raft alone with the same
// log, transport and number of clients.
func reservations(members int) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) (err error) {
		dir, err := b.folder("reserve")
		if err != nil {
			return err
		}
		c, err := openCell(ctx, dir, members)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		if err := c.stock(ctx); err != nil {
			return err
		}
		nets, err := memberNets(dir, slices.Repeat([]string{anyPort}, members)...)
		if err != nil {
			return err
		}
		limit, err := quorum.OpenBare(filepath.Join(dir, "bare"), nets...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, limit.Close()) }()
		entry, err := c.entryBytes(ctx)
		if err != nil {
			return err
		}
		noop := make([]byte, entry)
		for _, clients := range reserveClients {
			row := b.name(reserveRow(members, clients))
			if !b.only.MatchString(row) {
				continue
			}
			m, err := b.loads(ctx, clients,
				func(context.Context, int) error { return limit.Propose(noop) }, c.reserve)
			if err != nil {
				return err
			}
			f := atLeast(row, "reservations/s", m.rates, reserveGoal)
			f.Note = fmt.Sprintf("%s; raft alone %s", m.ours, m.limit)
			b.add(f)
		}
		return nil
	}
}

// stock gives the cloud stores with plenty of everything.
func (c *cell) stock(ctx context.Context) error {
	if err := importProducts(ctx, c.propose, reserveSKUs); err != nil {
		return err
	}
	all, err := foundPapers(ctx, c.propose, reserveStores, nil)
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := errors.Join(p.open(ctx, c.propose), p.stockUp(ctx, c.propose, reserveSKUs, plenty)); err != nil {
			return err
		}
	}
	return nil
}

// reserve books one unit for a shopper, as one command.
func (c *cell) reserve(ctx context.Context, client int) error {
	pick := rand.IntN(1 << 16)
	return c.reserveAt(ctx, 1+(client+pick)%reserveStores, 1+pick%reserveSKUs)
}

// reserveAt books one unit of a product in a store.
func (c *cell) reserveAt(ctx context.Context, store, sku int) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	_, err = c.gateway.CreateReservation(ctx, &shopv1.CreateReservationRequest{RequestId: id.String(),
		Store: uint32(store), Lines: []*shopv1.CartLine{{Gtin: "0" + ean13(sku), Quantity: 1}},
		Contact: &shopv1.Contact{FirstName: "Anna", Language: "nl"}})
	return err
}

// entryBytes is how long a reservation is in the log.
func (c *cell) entryBytes(ctx context.Context) (int, error) {
	if err := c.reserve(ctx, 0); err != nil {
		return 0, err
	}
	j := c.members[0].Journal()
	last, err := j.Entries(ctx, j.Head().Seq, 1, 1)
	if err != nil {
		return 0, err
	}
	if len(last) == 0 {
		return 0, errors.New("a reservation left no entry")
	}
	return len(last[0].Data), nil
}
