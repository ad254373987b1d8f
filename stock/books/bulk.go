package books

import (
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// loadRows is how many accounts are loaded at a time: a statement for each
// costs more than twice as much. A statement for so many costs as much as a few
// for one.
const (
	loadRows = 64
	fewRows  = 6
)

const (
	marks         = `?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?`
	selectSeveral = `SELECT ` + accountColumns + ` FROM acct WHERE store = ? AND sku IN (` +
		marks + `,` + marks + `,` + marks + `,` + marks + `) ORDER BY sku`
)

// Load reads the accounts that records name, before they are applied. It
// changes nothing but how long that takes.
func (b *Book) Load(records []*recordv1.Record) error {
	var missing []stock.SKU
	now, err := b.now()
	if err != nil {
		return err
	}
	for _, r := range records {
		for _, sku := range SKUs(r) {
			if _, known := b.accounts[sku]; !known {
				b.put(unbooked(sku, now.Timeline))
				missing = append(missing, sku)
			}
		}
	}
	if len(missing) <= fewRows {
		return b.loadFew(missing)
	}
	for from := 0; from < len(missing); from += loadRows {
		if err := b.loadSeveral(missing[from:min(from+loadRows, len(missing))]); err != nil {
			return fmt.Errorf("load accounts of store %d: %w", b.store, err)
		}
	}
	return nil
}

func (b *Book) loadFew(skus []stock.SKU) error {
	for _, sku := range skus {
		delete(b.accounts, sku)
		if _, err := b.account(sku); err != nil {
			return err
		}
	}
	return nil
}

func (b *Book) loadSeveral(skus []stock.SKU) error {
	args := make([]any, 0, 1+loadRows)
	args = append(args, b.store)
	for i := range loadRows {
		args = append(args, skus[min(i, len(skus)-1)]) // the last one fills up
	}
	rows, err := b.tx.Query(selectSeveral, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return errors.Join(err, rows.Close())
		}
		b.put(a)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// SKUs lists the SKUs that a record names: those it moves, but for records of
// a reservation, whose lines the books know.
func SKUs(r *recordv1.Record) []stock.SKU {
	switch v := r.GetBody().(type) {
	case *recordv1.Record_Sale:
		return skusIn(v.Sale.GetLines())
	case *recordv1.Record_Receipt:
		return skusIn(v.Receipt.GetLines())
	case *recordv1.Record_TransferIn:
		return skusIn(v.TransferIn.GetLines())
	case *recordv1.Record_TransferOut:
		return skusIn(v.TransferOut.GetLines())
	case *recordv1.Record_Refund:
		return skusIn(v.Refund.GetLines())
	case *recordv1.Record_Accept:
		return skusIn(v.Accept.GetReserve().GetLines())
	case *recordv1.Record_CollectByToken:
		return skusIn(v.CollectByToken.GetReserve().GetLines())
	case *recordv1.Record_Count:
		return skusIn([]*recordv1.Count{v.Count})
	case *recordv1.Record_Damage:
		return skusIn([]*recordv1.Damage{v.Damage})
	case *recordv1.Record_Reshelve:
		return skusIn([]*recordv1.Reshelve{v.Reshelve})
	case *recordv1.Record_Grant:
		return skusIn([]*recordv1.Grant{v.Grant})
	case *recordv1.Record_ApplyReturn:
		return skusIn([]*recordv1.ApplyReturn{v.ApplyReturn})
	case *recordv1.Record_DrainLegacy:
		return skusIn([]*recordv1.DrainLegacy{v.DrainLegacy})
	case *recordv1.Record_Salvage:
		if fact, err := Fact(v.Salvage); err == nil {
			return SKUs(fact)
		}
	}
	return nil
}

func skusIn[L interface{ GetSku() uint32 }](lines []L) []stock.SKU {
	skus := make([]stock.SKU, 0, len(lines))
	for _, l := range lines {
		if sku := l.GetSku(); sku != 0 {
			skus = append(skus, stock.SKU(sku))
		}
	}
	return skus
}
