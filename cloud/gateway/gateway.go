// Package gateway is the cloud's public API: what shoppers and retailers' web
// shops may ask, and on another listener what head office may.
package gateway

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"holdfast.dev/cloud/headoffice"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/gtin"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"

	recordv1 "holdfast.dev/proto/record/v1"
)

// Stores is what the gateway needs to know of the lines to the stores.
type Stores interface {
	// AskGrant asks a connected store for units, in whole, and waits for its
	// answer; a refusal or an error means that it did not give them.
	AskGrant(ctx context.Context, store stock.StoreID, needs []Need) error
	// Standing says whether a store is connected, since when it is as it is,
	// and when it was last heard. It is asked while the store's row is read, and
	// must not read the books itself.
	Standing(store *headoffice.Store) Standing
}

// Engine is the log that the gateway proposes to, kept by one process or several.
type Engine interface {
	headoffice.Engine
	// Sync waits until View has everything that any process has told anybody.
	Sync(ctx context.Context) error
}

// Need is units of a SKU that a cart waits for.
type Need struct {
	SKU   stock.SKU
	Units stock.Units
}

// Standing is how a store stands with the cloud now.
type Standing struct {
	Connected bool
	Since     time.Time
	LastHeard time.Time
}

// Options are what a Gateway needs.
type Options struct {
	Engine Engine
	Stores Stores
	Tenant uint32
	KeyID  uint32
	Key    ed25519.PrivateKey // signs pickup tokens
	// KeyAt, when set, chooses the key of tokens by when their order was confirmed
	// (Unix ms), so that an order's token stays the same.
	KeyAt   func(confirmed int64) (id uint32, key ed25519.PrivateKey)
	CAPin   [32]byte // of the CA that nodes must find
	NodesAt string   // host:port that join strings name
	Logger  *slog.Logger
}

// Gateway serves shopv1.Shop and, by Office, shopv1.HeadOffice.
type Gateway struct {
	shopv1.UnimplementedShopServer
	o        Options
	products headoffice.Products
}

const (
	// askPatience is how long a shopper waits for a store to grant units.
	askPatience = 800 * time.Millisecond
	// askRounds is how often one cart asks at most.
	askRounds = 3
	// watchBeat is the longest silence of a watch stream.
	watchBeat = 15 * time.Second

	defaultPage = 20
	maxPage     = 100
	maxBookPage = 1000
)

// New returns a gateway.
func New(o Options) *Gateway { return &Gateway{o: o} }

// view reads this process's copy. Something that is not there may only be
// missing because the copy is behind, so it is looked for again in a fresh one:
// read may run twice.
func (g *Gateway) view(ctx context.Context, read func(tx *journal.Tx) error) error {
	err := g.o.Engine.View(ctx, read)
	for _, code := range []stock.Code{stock.UnknownProduct, stock.UnknownStore, stock.UnknownReservation} {
		if stock.Refused(err, code) {
			return g.fresh(ctx, read)
		}
	}
	return err
}

// fresh reads what anybody was told of before. What is changed by what was read
// needs it, and what must never seem to go back.
func (g *Gateway) fresh(ctx context.Context, read func(tx *journal.Tx) error) error {
	if err := g.o.Engine.Sync(ctx); err != nil {
		return err
	}
	return g.o.Engine.View(ctx, read)
}

// parseID reads a UUID that a caller made or was given.
func parseID(text, what string) (id [16]byte, err error) {
	u, err := uuid.Parse(text)
	if err != nil || u == uuid.Nil {
		return id, stock.Refuse(stock.BadRequest, "%s %q is no UUID", what, text).With("what", what)
	}
	return u, nil
}

func newID() [16]byte { return uuid.Must(uuid.NewV7()) }

func idText(raw []byte) string {
	u, err := uuid.FromBytes(raw)
	if err != nil {
		return ""
	}
	return u.String()
}

// product finds a product by its number as a caller wrote it.
func (g *Gateway) product(tx *journal.Tx, text string) (*recordv1.Product, error) {
	number, err := gtin.Parse(text)
	if err != nil {
		return nil, err
	}
	p, err := g.products.ByGTIN(tx, number.Digits())
	if err == nil && (p == nil || p.GetRetired()) {
		return nil, stock.Refuse(stock.UnknownProduct, "no product %s", number.Digits()).
			With("gtin", number.String())
	}
	return p, err
}

func langOf(text string) string {
	if lang, ok := words.ParseLang(text); ok {
		return string(lang)
	}
	return string(words.EN)
}

// pageSize bounds what a caller asked for.
func pageSize(asked int32, most int) int {
	switch {
	case asked <= 0:
		return min(defaultPage, most)
	case int(asked) > most:
		return most
	}
	return int(asked)
}
