package journey

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	deliveredGoods = 5
	neededProducts = deliveredGoods + 4
	longestName    = 30
)

// choose takes the products that the story is about from any assortment.
func (r *run) choose(all []demo.Product) error {
	var plain, other []demo.Product
	for _, p := range all {
		switch {
		case p.Measured():
		case isPlain(p.Name):
			plain = append(plain, p)
		default:
			other = append(other, p)
		}
	}
	if len(plain) < neededProducts {
		plain = append(plain, other...)
	}
	if len(plain) < neededProducts {
		return wrong("the catalogue has %d products sold by the piece, the journey needs %d", len(plain), neededProducts)
	}
	some := demo.Spread(plain, neededProducts)
	r.goods = some[:deliveredGoods]
	r.quota, r.last, r.rush, r.burst = some[5], some[6], some[7], some[8]
	return nil
}

// isPlain tells whether a name is short and of letters that every printer has.
func isPlain(name string) bool {
	strange := func(c rune) bool { return c < ' ' || c > '~' }
	return len(name) <= longestName && !strings.ContainsFunc(name, strange)
}

// importCatalogue brings the assortment into the cloud, with a look before and
// with rows that are broken.
func (r *run) importCatalogue(ctx context.Context) (string, error) {
	if err := r.room.StartCloud(ctx); err != nil {
		return "", err
	}
	if err := r.room.PutStores(ctx); err != nil {
		return "", err
	}
	file := r.room.CatalogueFile()
	rows, err := demo.ReadRows(file)
	if err != nil {
		return "", err
	}
	products := rows.Products()
	if err := r.choose(products); err != nil {
		return "", err
	}
	refused, err := r.importBroken(ctx, rows)
	if err != nil {
		return "", err
	}
	if _, err := r.room.Import(ctx, file, true); err != nil {
		return "", err
	}
	if err := r.unknown(ctx, r.burst); err != nil {
		return "", fmt.Errorf("after the dry run: %w", err)
	}
	began := time.Now()
	out, err := r.room.Import(ctx, file, false)
	if err != nil {
		return "", err
	}
	if !strings.Contains(out.Progress, "%") {
		return "", wrong("the import shows no progress: %q", out.Progress)
	}
	took := time.Since(began).Round(10 * time.Millisecond)
	if err := r.allThere(ctx, rows, products); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d rows in %s; %s", len(rows.Rows), took, refused), nil
}

func (r *run) unknown(ctx context.Context, p demo.Product) error {
	_, err := r.room.Head.Shop.GetProduct(ctx, &shopv1.GetProductRequest{Gtin: p.GTIN})
	return mustRefuse(err, "UNKNOWN_PRODUCT", "product "+p.GTIN)
}

// broken is a file with rows that are wrong in one way each.
type broken struct {
	csv   []byte
	good  []demo.Product
	lines map[int64]string // number of a broken line to its refusal
}

// importBroken imports a small file with broken rows, after a dry run of it.
func (r *run) importBroken(ctx context.Context, rows demo.Catalogue) (string, error) {
	file, err := r.breakRows(rows)
	if err != nil {
		return "", err
	}
	office := r.room.Head.Office
	dry, err := office.ImportProducts(ctx, &shopv1.ImportProductsRequest{Csv: file.csv, DryRun: true,
		Source: "broken.csv", RequestId: newID()})
	if err != nil {
		return "", fmt.Errorf("dry run: %w", err)
	}
	if err := file.check(dry); err != nil {
		return "", fmt.Errorf("dry run: %w", err)
	}
	if len(dry.GetChanges()) != len(file.good) || dry.GetChanges()[0].GetWhat() != "added" {
		return "", wrong("the dry run lists %v", dry.GetChanges())
	}
	if err := r.unknown(ctx, file.good[0]); err != nil {
		return "", fmt.Errorf("after the dry run: %w", err)
	}
	done, err := office.ImportProducts(ctx, &shopv1.ImportProductsRequest{Csv: file.csv, Source: "broken.csv",
		RequestId: newID()})
	if err != nil {
		return "", err
	}
	if err := file.check(done); err != nil {
		return "", err
	}
	for _, p := range file.good {
		if _, err := r.room.Head.Shop.GetProduct(ctx, &shopv1.GetProductRequest{Gtin: p.GTIN}); err != nil {
			return "", fmt.Errorf("row beside broken ones: %w", err)
		}
	}
	first := done.GetProblems()[0]
	return fmt.Sprintf("%d broken rows refused, as line %d: %s", done.GetRefused(), first.GetLine(), first.GetReason()), nil
}

// breakRows takes rows of the catalogue and breaks copies of them.
func (r *run) breakRows(rows demo.Catalogue) (broken, error) {
	b := broken{good: r.goods[:3], lines: map[int64]string{4: "BAD_CHECK_DIGIT", 5: "BAD_REQUEST",
		6: "BAD_REQUEST", 7: "BAD_REQUEST", 8: "BAD_REQUEST"}}
	number, name, price := rows.Column("gtin"), rows.Column("name"), rows.Column("price_minor")
	rowOf := func(p demo.Product) []string {
		i := slices.IndexFunc(rows.Rows, func(row []string) bool {
			return number < len(row) && strings.TrimSpace(row[number]) == p.Code
		})
		return slices.Clone(rows.Rows[i])
	}
	with := func(column int, value string) []string {
		row := rowOf(r.goods[3])
		row[column] = value
		return row
	}
	code := r.goods[3].Code
	next := string('0' + (code[len(code)-1]-'0'+1)%10)
	lines := [][]string{rows.Header, rowOf(b.good[0]), rowOf(b.good[1]),
		with(number, code[:len(code)-1]+next), with(name, ""), with(price, "cheap"),
		rowOf(r.goods[3])[:len(rows.Header)-1], rowOf(b.good[0]), rowOf(b.good[2])}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.WriteAll(lines); err != nil {
		return b, fmt.Errorf("write broken rows: %w", err)
	}
	b.csv = out.Bytes()
	return b, nil
}

// check wants the good rows in, and each broken one named by line and reason.
func (b broken) check(got *shopv1.ImportProductsResponse) error {
	if int(got.GetAdded()) != len(b.good) || int(got.GetRefused()) != len(b.lines) ||
		len(got.GetProblems()) != len(b.lines) {
		return wrong("%d rows added and %d refused, want %d and %d: %v", got.GetAdded(), got.GetRefused(),
			len(b.good), len(b.lines), got.GetProblems())
	}
	for _, p := range got.GetProblems() {
		if b.lines[p.GetLine()] != p.GetCode() || p.GetReason() == "" {
			return wrong("line %d is refused as %s %q, want %q", p.GetLine(), p.GetCode(), p.GetReason(),
				b.lines[p.GetLine()])
		}
	}
	return nil
}

// allThere wants the same file to change nothing any more.
func (r *run) allThere(ctx context.Context, rows demo.Catalogue, products []demo.Product) error {
	const sample = 1000
	number := rows.Column("gtin")
	chosen := make(map[string]bool)
	for _, p := range demo.Spread(products, sample) {
		chosen[p.Code] = true
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	lines := [][]string{rows.Header}
	for _, row := range rows.Rows {
		if number < len(row) && chosen[strings.TrimSpace(row[number])] {
			delete(chosen, strings.TrimSpace(row[number]))
			lines = append(lines, row)
		}
	}
	if err := w.WriteAll(lines); err != nil {
		return err
	}
	again, err := r.room.Head.Office.ImportProducts(ctx, &shopv1.ImportProductsRequest{Csv: out.Bytes(), DryRun: true})
	if err != nil {
		return fmt.Errorf("look at the import: %w", err)
	}
	if int(again.GetSame()) != len(lines)-1 {
		return wrong("of %d imported rows %d are as imported, %d changed, %d new, %d refused", len(lines)-1,
			again.GetSame(), again.GetChanged(), again.GetAdded(), again.GetRefused())
	}
	return nil
}

// enrol lets every node join by its one-time string, and brings the catalogue
// to the stores.
func (r *run) enrol(ctx context.Context) (string, error) {
	began := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	var lock sync.Mutex
	products := make(map[int64]int)
	for _, s := range r.room.Stores {
		group.Go(func() error {
			n, err := r.enrolStore(groupCtx, s)
			lock.Lock()
			defer lock.Unlock()
			products[n]++
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	if len(products) != 1 {
		return "", wrong("the stores have different numbers of products: %v", products)
	}
	ready := time.Since(began).Round(10 * time.Millisecond)
	took, err := r.changePrice(ctx)
	if err != nil {
		return "", err
	}
	for n := range products {
		return fmt.Sprintf("%d nodes enrolled with %d products in %s; a used join string is refused; "+
			"a changed price reached the stores in %d ms", len(r.room.Stores), n, ready, took.Milliseconds()), nil
	}
	return "", wrong("there is no store")
}

// enrolStore returns how many products the store's node then has.
func (r *run) enrolStore(ctx context.Context, s *demo.Store) (int64, error) {
	join, err := r.room.Join(ctx, s)
	if err != nil {
		return 0, err
	}
	if _, err := r.room.Enrol(ctx, s, s.KeyDir(), join); err != nil {
		return 0, err
	}
	thief := filepath.Join(s.Dir, "thief")
	if _, err := r.room.Enrol(ctx, s, thief, join); err == nil || !strings.Contains(err.Error(), "JOIN_USED") {
		return 0, wrong("a second use of a join string: want the refusal JOIN_USED, got %w", err)
	}
	if err := r.room.StartStore(ctx, s); err != nil {
		return 0, err
	}
	if err := r.room.AwaitCatalogue(ctx, s); err != nil {
		return 0, err
	}
	if err := r.settled(ctx, s, soon); err != nil {
		return 0, err
	}
	state, err := r.room.Head.State(ctx, s.ID)
	if err != nil {
		return 0, err
	}
	n, err := node(ctx, s)
	if err != nil {
		return 0, err
	}
	if !sameID(state.GetNodeId(), n.GetNodeId()) || n.GetStore() != s.ID {
		return 0, wrong("store %d has node %s, the cloud knows %s", s.ID, n.GetNodeId(), state.GetNodeId())
	}
	return n.GetProducts(), nil
}

// sameID compares ids that may be written with or without dashes.
func sameID(a, b string) bool {
	bare := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "")) }
	return bare(a) == bare(b) && a != ""
}

// changePrice changes one price at head office and waits until every store has it.
func (r *run) changePrice(ctx context.Context) (time.Duration, error) {
	p := &r.goods[0]
	p.Price += 10
	text := fmt.Sprintf("gtin,name,price_minor,currency\n%s,%s,%d,%s\n", p.Code, quoted(p.Name), p.Price, r.a.Currency)
	began := time.Now()
	done, err := r.room.Head.Office.ImportProducts(ctx, &shopv1.ImportProductsRequest{Csv: []byte(text),
		Source: "price.csv", RequestId: newID()})
	if err != nil {
		return 0, err
	}
	if done.GetChanged() != 1 {
		return 0, wrong("a new price: %v", done)
	}
	for _, s := range r.room.Stores {
		err := eventually(ctx, soon, func() error {
			stock, err := s.Floor.GetStock(ctx, &storev1.GetStockRequest{Gtin: p.GTIN})
			if err == nil && int64(stock.GetPriceMinor()) != p.Price {
				err = wrong("store %d asks %d for %s, head office said %d", s.ID, stock.GetPriceMinor(), p.GTIN, p.Price)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
