package drills

import (
	"context"
	"fmt"
	"time"

	storev1 "holdfast.dev/proto/store/v1"
)

const (
	// enough is how soon a large store must be back.
	enough = time.Minute
	// linesAtOnce is how many lines one delivery has.
	linesAtOnce = 1000
	// sample is how many of many products are looked at one by one.
	sample = 20
)

// largeStore: a store of many products loses its disk. How long is it away?
func (s *site) largeStore(ctx context.Context) (string, error) {
	b, err := s.opened(ctx)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.fill(ctx, b); err != nil {
		return "", err
	}
	filled := time.Since(began)
	if err := b.program.Kill(); err != nil {
		return "", err
	}
	if err := b.loseDisk(); err != nil {
		return "", err
	}
	s.expects(rebuilt)
	began = time.Now()
	if err := b.program.startReady(ctx); err != nil {
		return "", err
	}
	if err := b.mode(ctx, modeSuspect); err != nil {
		return "", err
	}
	sells := time.Since(began)
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	if took > enough {
		return "", fmt.Errorf("back after %s, the goal is %s", took, enough)
	}
	if err := s.rowsThere(ctx, b); err != nil {
		return "", err
	}
	for i := range sample {
		s.stock(goods(i*many/sample), plenty)
	}
	if err := s.sell(ctx, b, goods(0), 1); err != nil {
		return "", err
	}
	said, err := s.prove(ctx, b)
	return fmt.Sprintf("%d products and %d rows were back after %s, books after %s (filled in %s); %s",
		s.products, s.products, round(took), round(sells), round(filled), said), err
}

// fill receives some of every product and waits until the cloud has it all.
func (s *site) fill(ctx context.Context, b *box) error {
	for first := 0; first < s.products; first += linesAtOnce {
		r := &storev1.ReceiveRequest{RequestId: newID(), Document: fmt.Sprintf("BULK-%d", first)}
		for i := first; i < min(first+linesAtOnce, s.products); i++ {
			r.Lines = append(r.Lines, &storev1.SellLine{Gtin: goods(i), Quantity: plenty})
		}
		if _, err := b.floor.Receive(ctx, r); err != nil {
			return fmt.Errorf("fill the shelves: %w", err)
		}
	}
	return b.settled(ctx)
}

// rowsThere wants a row of every product.
func (s *site) rowsThere(ctx context.Context, b *box) error {
	rows, token := 0, ""
	for {
		page, err := b.floor.ListStock(ctx, &storev1.ListStockRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return err
		}
		for _, row := range page.GetStock() {
			if row.GetOnHand() != plenty {
				return fmt.Errorf("%d of product %s, want %d", row.GetOnHand(), row.GetGtin(), plenty)
			}
		}
		rows += len(page.GetStock())
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if rows != s.products {
		return fmt.Errorf("%d rows of %d are back", rows, s.products)
	}
	return nil
}
