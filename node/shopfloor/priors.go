package shopfloor

import (
	"context"
	"fmt"

	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
)

const (
	listDemand = `SELECT sku, demand FROM local_demand ORDER BY sku`

	// priorsFor is how long what was learned of categories is taken as it is.
	priorsFor = int64(24 * 3600_000)
	// leastKind is how many products a category needs to be believed by itself.
	leastKind = 20
)

// belief is what is believed of a product before anything was seen of it.
type belief struct{ shop, web escrow.Prior }

func usualBelief() belief { return belief{escrow.UsualPrior(), escrow.UsualPrior()} }

// kind collects what was seen of the products of one category.
type kind struct{ shop, web []escrow.Rate }

func (k *kind) add(d escrow.Demand) {
	k.shop, k.web = append(k.shop, d.Shop), append(k.web, d.Web)
}

func (k *kind) belief() belief { return belief{escrow.PriorOf(k.shop), escrow.PriorOf(k.web)} }

// learnPriors learns from all products that were seen what to believe of one
// that was not: by its category where that has products enough, else by all.
func (f *Floor) learnPriors(ctx context.Context) error {
	all, kinds := new(kind), make(map[string]*kind)
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		seen, err := demandsIn(tx)
		for _, d := range seen {
			p, err := f.o.Catalogue.BySKU(tx, d.sku)
			if err != nil {
				return err
			}
			k, known := kinds[p.GetCategory()]
			if !known {
				k = new(kind)
				kinds[p.GetCategory()] = k
			}
			k.add(d.Demand)
			all.add(d.Demand)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("learn of categories: %w", err)
	}
	beliefs := make(map[string]belief, len(kinds))
	for category, k := range kinds {
		if len(k.shop) >= leastKind {
			beliefs[category] = k.belief()
		}
	}
	f.forecast.believe(all.belief(), beliefs)
	return nil
}

type demandOf struct {
	sku stock.SKU
	escrow.Demand
}

func demandsIn(tx *journal.Tx) (all []demandOf, err error) {
	rows, err := tx.Query(listDemand)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d demandOf
		var raw []byte
		if err := rows.Scan(&d.sku, &raw); err != nil {
			return nil, err
		}
		if d.Demand, err = escrow.ParseDemand(raw); err == nil { // else of another version of the program
			all = append(all, d)
		}
	}
	return all, rows.Err()
}

// believe takes what was learned of categories.
func (f *forecast) believe(all belief, kinds map[string]belief) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.usual, f.beliefs = all, kinds
	for _, s := range f.demands { // the catalogue may have moved a product meanwhile
		s.loaded = s.loaded && s.dirty
	}
}

// about prepares the sizer for a product; f.mu is held.
func (f *forecast) about(s *seen) {
	b, known := f.beliefs[s.category]
	if !known {
		b = f.usual
	}
	f.sizer.Shop.Prior, f.sizer.Web.Prior = b.shop, b.web
}
