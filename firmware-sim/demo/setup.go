package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast.dev/firmware-sim/demodata"
	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	cataloguePatience = 60 * time.Second
	keptFile          = "demo.json"
	openingDelivery   = "OPENING-STOCK"
	openingProducts   = 240 // that every store has on its shelves at first
	openingLines      = 60  // in one delivery
)

// kept is what a demo remembers between two starts.
type kept struct {
	Catalogue string   `json:"catalogue"` // hash of the file that was imported last
	Stocked   []uint32 `json:"stocked"`   // stores whose shelves were filled
}

// Open sets everything up that is not set up yet, and starts all programs.
func (r *Room) Open(ctx context.Context) error {
	if err := r.StartCloud(ctx); err != nil {
		return err
	}
	memory, err := r.recall()
	if err != nil {
		return err
	}
	if err := r.PutStores(ctx); err != nil {
		return err
	}
	if err := r.importOnce(ctx, &memory); err != nil {
		return err
	}
	group, opening := errgroup.WithContext(ctx)
	for _, s := range r.Stores {
		group.Go(func() error { return r.openStore(opening, s) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return r.fillShelves(ctx, &memory)
}

func (r *Room) openStore(ctx context.Context, s *Store) error {
	known, err := s.enrolled()
	if err != nil {
		return err
	}
	if !known {
		join, err := r.Join(ctx, s)
		if err != nil {
			return err
		}
		if _, err := r.Enrol(ctx, s, s.nodeDir(), join); err != nil {
			return err
		}
	}
	if err := r.StartStore(ctx, s); err != nil {
		return err
	}
	return r.AwaitCatalogue(ctx, s)
}

// Run runs one of the project's programs to its end. Its progress is shown
// where the room's is.
func (r *Room) Run(ctx context.Context, binary string, args ...string) (program.Output, error) {
	var progress io.Writer
	if r.o.Progress != nil {
		progress = r.o.Progress // the file itself, so that the program sees a terminal
	}
	return program.Run(ctx, progress, append([]string{r.bin(binary)}, args...)...)
}

// PutStores tells the cloud of every store.
func (r *Room) PutStores(ctx context.Context) error {
	for _, s := range r.Stores {
		coordinate := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
		_, err := r.Run(ctx, "holdfast-cloud", "store", "put", "--admin", r.Head.Running().Admin,
			"--id", strconv.Itoa(int(s.ID)), "--name", s.Name, "--town", s.Town, "--street", s.Street,
			"--postcode", s.Postcode, "--country", s.Country, "--lat="+coordinate(s.Lat),
			"--lon="+coordinate(s.Lon), "--timezone", s.Timezone, "--opening", s.Opening,
			"--language", s.Language, "--currency", s.Currency)
		if err != nil {
			return err
		}
	}
	return nil
}

// Import imports a file of products, or says what would change.
func (r *Room) Import(ctx context.Context, file string, dryRun bool) (program.Output, error) {
	args := []string{"import", "--admin", r.Head.Running().Admin}
	if dryRun {
		args = append(args, "--dry-run")
	}
	return r.Run(ctx, "holdfast-cloud", append(args, file)...)
}

// CatalogueFile is the file of products that this demo imports.
func (r *Room) CatalogueFile() string { return r.catalogue }

// placeCatalogue makes sure that there is a file to import.
func (r *Room) placeCatalogue() error {
	r.catalogue = r.o.Catalogue
	if r.catalogue != "" {
		return nil
	}
	r.catalogue = filepath.Join(r.o.Data, "catalogue.csv")
	if err := os.WriteFile(r.catalogue, demodata.Products(), 0o644); err != nil {
		return fmt.Errorf("write the demo's catalogue: %w", err)
	}
	return nil
}

// importOnce imports the catalogue unless this very file was imported before.
func (r *Room) importOnce(ctx context.Context, memory *kept) error {
	data, err := os.ReadFile(r.catalogue)
	if err != nil {
		return fmt.Errorf("read catalogue: %w", err)
	}
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	if memory.Catalogue == hash {
		return nil
	}
	if _, err := r.Import(ctx, r.catalogue, false); err != nil {
		return err
	}
	memory.Catalogue = hash
	return r.remember(*memory)
}

// Join asks head office for a join string for a store.
func (r *Room) Join(ctx context.Context, s *Store) (string, error) {
	out, err := r.Run(ctx, "holdfast-cloud", "join", "--admin", r.Head.Running().Admin, "--store", strconv.Itoa(int(s.ID)))
	if err != nil {
		return "", err
	}
	for _, word := range strings.Fields(out.Said) {
		if strings.HasPrefix(word, "hf1.") {
			return word, nil
		}
	}
	return "", fmt.Errorf("holdfast-cloud join printed no join string: %q", out.Said)
}

// Enrol redeems a join string for the node in dir.
func (r *Room) Enrol(ctx context.Context, s *Store, dir, join string) (program.Output, error) {
	return r.Run(ctx, "holdfast-node", "enrol", "--data", dir, "--cloud", s.Cable.Addr(), join)
}

// Verify lets a store's node prove its books from its journal.
func (r *Room) Verify(ctx context.Context, s *Store) (program.Output, error) {
	return r.Run(ctx, "holdfast-node", "verify", "--data", s.nodeDir(), "--admin", s.Admin)
}

// AwaitCatalogue waits until a store has the cloud's catalogue.
func (r *Room) AwaitCatalogue(ctx context.Context, s *Store) error {
	ctx, cancel := context.WithTimeout(ctx, cataloguePatience)
	defer cancel()
	return program.Poll(ctx, lookEvery, func() error {
		node, err := s.Floor.GetNode(ctx, &storev1.GetNodeRequest{})
		if err != nil {
			return err
		}
		want, err := r.catalogueVersion(ctx)
		if err != nil {
			return err
		}
		if node.GetCatalogueVersion() < want {
			return fmt.Errorf("store %d has catalogue %d of %d, link %s %s", s.ID, node.GetCatalogueVersion(),
				want, node.GetLink().GetState(), node.GetLink().GetRefused())
		}
		return nil
	})
}

// catalogueVersion asks for the version by importing nothing.
func (r *Room) catalogueVersion(ctx context.Context) (uint64, error) {
	answer, err := r.Head.Office.ImportProducts(ctx, &shopv1.ImportProductsRequest{
		Csv: []byte("gtin,name\n"), DryRun: true})
	return answer.GetVersion(), err
}

// Opening are the products that every store has on its shelves at first.
func Opening(all []Product) []Product { return Spread(all, openingProducts) }

// fillShelves gives every store that is new something to sell.
func (r *Room) fillShelves(ctx context.Context, memory *kept) error {
	products, err := ReadCatalogue(r.catalogue)
	if err != nil {
		return err
	}
	products = Opening(products)
	var lock sync.Mutex
	group, filling := errgroup.WithContext(ctx)
	for _, s := range r.Stores {
		if slices.Contains(memory.Stocked, s.ID) {
			continue
		}
		group.Go(func() error {
			if err := fillStore(filling, s, products); err != nil {
				return fmt.Errorf("fill the shelves of store %d: %w", s.ID, err)
			}
			lock.Lock()
			defer lock.Unlock()
			memory.Stocked = append(memory.Stocked, s.ID)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return r.remember(*memory)
}

// fillStore books the opening deliveries. Every store has other quantities;
// here and there is only one left, which is where a promise is worth something.
func fillStore(ctx context.Context, s *Store, products []Product) error {
	for first := 0; first < len(products); first += openingLines {
		part := products[first:min(first+openingLines, len(products))]
		lines := make([]*storev1.SellLine, len(part))
		for i, p := range part {
			lines[i] = &storev1.SellLine{Gtin: p.GTIN, Quantity: openingQuantity(p, int(s.ID), first+i)}
		}
		document := fmt.Sprintf("%s-%d", openingDelivery, first/openingLines+1)
		_, err := s.Floor.Receive(ctx, &storev1.ReceiveRequest{RequestId: requestID(document, s.ID),
			Document: document, Lines: lines})
		if err != nil && !Refused(err, "DOCUMENT_USED") {
			return err
		}
	}
	return nil
}

func openingQuantity(p Product, store, i int) int32 {
	const kilogram = 1000
	n := int32((i*7+store*5)%23 + 1)
	if p.Measured() {
		return n * kilogram
	}
	return n
}

func (r *Room) recall() (k kept, err error) {
	raw, err := os.ReadFile(filepath.Join(r.o.Data, keptFile))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("read what the demo kept: %w", err)
	}
	if err := json.Unmarshal(raw, &k); err != nil {
		return k, fmt.Errorf("read what the demo kept: %w", err)
	}
	return k, nil
}

func (r *Room) remember(k kept) error {
	raw, err := json.MarshalIndent(k, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.o.Data, keptFile), raw, 0o600); err != nil {
		return fmt.Errorf("keep what the demo did: %w", err)
	}
	return nil
}
