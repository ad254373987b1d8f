package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"holdfast.dev/firmware-sim/demodata"
	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	// The first store is cut off while clients draw on what it has granted; the
	// others work.
	silent = 0

	silentProducts = 120 // whose pools are counted exactly
	busyProducts   = 24  // that the working stores trade in
	silentUnits    = 80  // received of each, at the silent store
	leastFree      = 6   // granted to the cloud of each, there
	mostFree       = 60
	busyUnits      = 3000   // received of each, at a working store
	probeUnits     = 200000 // of the product that probes take one of each time
	openingLines   = 50     // of one delivery
	askedLines     = 20     // of one cart that makes a store grant
	settleWithin   = 3 * time.Minute
)

// product is one that this run trades in.
type product struct {
	gtin string
	sku  uint32
}

// world is one cloud and its stores, with the cables between them.
type world struct {
	o       Options
	dir     string
	ports   program.Ports
	cables  []*cable
	members []*member
	nodes   []*node
	shelves []product        // of the silent store, whose pools are counted
	trade   []product        // of the working stores
	probe   product          // of the silent store, for probes
	spares  map[string]spare // disks of their own, by program
	fabric  *fabric          // between the programs; nil: they are on this machine's loopback
	keepLog int              // entries that members keep for others; zero: as they like
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *world) lay(targets ...place) (*cable, error) {
	c, err := layCable("127.0.0.1:0", targets...)
	if err == nil {
		w.cables = append(w.cables, c)
	}
	return c, err
}

// newWorld sets up everything, waits until every store has granted what it
// grants, and stops it again: load begins anew from here as often as it is
// wanted. end takes it away, also after an error.
func newWorld(ctx context.Context, o Options, dir string) (w *world, err error) {
	w = &world{o: o, dir: dir}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(w.path("logs"), 0o700)); err != nil {
		return w, err
	}
	if o.Netns {
		if w.fabric, err = newFabric(); err != nil {
			return w, err
		}
	}
	for i := range o.Members {
		m, err := w.newMember(i)
		if err != nil {
			return w, err
		}
		w.members = append(w.members, m)
	}
	for i := range o.Stores {
		if err := w.newNode(i); err != nil {
			return w, err
		}
	}
	if err := w.startMembers(ctx); err != nil {
		return w, err
	}
	if err := w.furnish(ctx); err != nil {
		return w, err
	}
	group, opening := errgroup.WithContext(ctx)
	for i := range w.nodes {
		group.Go(func() error { return w.openStore(opening, i) })
	}
	if err := group.Wait(); err != nil {
		return w, err
	}
	return w, w.save()
}

// folders are those of all programs.
func (w *world) folders() (all []string) {
	for _, m := range w.members {
		all = append(all, m.data)
	}
	for _, n := range w.nodes {
		all = append(all, n.data)
	}
	return all
}

// save stops all programs and keeps what they have.
func (w *world) save() error {
	faults := []error{w.stop()}
	for _, dir := range w.folders() {
		// The ballast is made to the measure of a disk, and may not fit on another.
		err := os.Remove(filepath.Join(dir, "ballast"))
		if !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, err)
		}
		faults = append(faults, copyFolder(dir, w.path("template", filepath.Base(dir))))
	}
	return errors.Join(faults...)
}

// copyFolder copies what a folder holds, with its permissions, and waits until
// the copy is on the disk.
func copyFolder(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, do := range [][]string{{"cp", "-a", from + "/.", to}, {"sync", "-f", to}} {
		if out, err := exec.Command(do[0], do[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("copy %s: %w: %s", from, err, out)
		}
	}
	return nil
}

// load gives the programs what they had at first, on the disks that are plugged
// in, and starts them.
func (w *world) load(ctx context.Context) error {
	for _, c := range w.cables {
		c.mend()
	}
	if w.fabric != nil {
		if err := w.fabric.mend(); err != nil {
			return err
		}
	}
	if err := wipe(w.path("logs")); err != nil {
		return err
	}
	for _, dir := range w.folders() {
		if err := w.restore(dir); err != nil {
			return err
		}
	}
	return w.begin(ctx)
}

// restore gives one program what it had at first.
func (w *world) restore(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	name := filepath.Base(dir)
	if s, own := w.spares[name]; own {
		if err := errors.Join(wipe(s.dir()), os.Symlink(s.dir(), dir)); err != nil {
			return err
		}
	}
	return copyFolder(w.path("template", name), dir)
}

// begin starts all programs and waits until nothing is under way.
func (w *world) begin(ctx context.Context) error {
	for _, m := range w.members { // all before any can be ready
		if err := m.Start(); err != nil {
			return err
		}
	}
	for _, m := range w.members {
		if err := awaitReady(ctx, m.child, m.admin); err != nil {
			return err
		}
	}
	for _, n := range w.nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	for _, n := range w.nodes {
		if err := w.settled(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all programs in order, the stores before the cloud.
func (w *world) stop() error {
	var faults []error
	for _, n := range w.nodes {
		faults = append(faults, n.Stop())
	}
	for _, m := range w.members {
		faults = append(faults, m.Stop())
	}
	return errors.Join(faults...)
}

// halt ends all programs at once.
func (w *world) halt() error {
	var faults []error
	for _, n := range w.nodes {
		faults = append(faults, n.Kill())
	}
	for _, m := range w.members {
		faults = append(faults, m.Kill())
	}
	return errors.Join(faults...)
}

// end takes everything away but the folder.
func (w *world) end() error {
	err := w.halt()
	for _, n := range w.nodes {
		n.api.close()
	}
	for _, m := range w.members {
		m.office.close()
	}
	for _, c := range w.cables {
		c.close()
	}
	if w.fabric != nil {
		err = errors.Join(err, w.fabric.close())
	}
	return err
}

// newNode describes a node and how it finds the cloud.
func (w *world) newNode(i int) error {
	name := fmt.Sprintf("node-%d", i)
	n := &node{store: demodata.Stores()[i].ID, data: w.path(name)}
	n.child = w.newChild(name, func() []string {
		return []string{filepath.Join(w.o.Bin, "holdfast-node"), "run", "--data", n.data,
			"--listen", n.listen, "--admin", n.admin, "--cloud", n.clouds, "--reconnect-cap", "1s"}
	})
	if err := errors.Join(w.ports.Fill(&n.listen, &n.admin), os.MkdirAll(n.data, 0o700)); err != nil {
		return err
	}
	var names []string
	var clouds []place
	for _, m := range w.members {
		names, clouds = append(names, m.nodes), append(clouds, place{addr: m.nodes})
	}
	var err error
	if w.fabric != nil {
		n.clouds = strings.Join(names, ",")
		n.ns, _, err = w.fabric.plug(fmt.Sprint("node", i))
	} else if n.line, err = w.lay(clouds...); err == nil {
		n.clouds = n.line.addr()
	}
	if err != nil {
		return err
	}
	n.api = newREST(n.at(n.listen), adminWithin)
	w.nodes = append(w.nodes, n)
	return nil
}

// furnish tells the cloud of stores and products.
func (w *world) furnish(ctx context.Context) error {
	office := w.members[0].office
	for _, s := range demodata.Stores()[:len(w.nodes)] {
		store := &shopv1.Store{Store: s.ID, Name: s.Name, Town: s.Town, Street: s.Street,
			Postcode: s.Postcode,
			Country:  s.Country, Latitude: s.Lat, Longitude: s.Lon, Timezone: s.Timezone, Opening: s.Opening,
			Language: s.Language, Currency: s.Currency}
		path := fmt.Sprintf("/v1/stores/%d", s.ID)
		if err := office.call(ctx, http.MethodPut, path, store, new(shopv1.Store)); err != nil {
			return fmt.Errorf("put store %d: %w", s.ID, err)
		}
		policy := &shopv1.SetPolicyRequest{RequestId: newID(), Policy: &shopv1.Policy{LastUnit: "ask",
			PickupWindowS: 86400, GraceS: 3600, HoldS: 3600, Pin: "optional"}}
		err := office.post(ctx, path+":setPolicy", policy, new(shopv1.SetPolicyResponse))
		if err != nil {
			return fmt.Errorf("policy of store %d: %w", s.ID, err)
		}
	}
	csv, gtins := assortment(silentProducts + busyProducts + 1)
	answer := new(shopv1.ImportProductsResponse)
	err := office.post(ctx, "/v1/products:import", &shopv1.ImportProductsRequest{Csv: csv,
		Source:    "chaos",
		RequestId: newID()}, answer)
	if err != nil || int(answer.GetAdded()) != len(gtins) {
		return fmt.Errorf("import: %d of %d products added: %w", answer.GetAdded(), len(gtins), err)
	}
	return w.readProducts(ctx, gtins)
}

// assortment is the first products of the demo's that are sold by the piece.
func assortment(n int) (csv []byte, gtins []string) {
	lines := strings.SplitAfter(string(demodata.Products()), "\n")
	text := lines[0]
	for _, row := range lines[1:] {
		if len(gtins) == n {
			break
		}
		if cells := strings.Split(row, ","); !strings.Contains(row, ",g,") && len(cells) > 10 {
			text += row
			gtins = append(gtins, cells[0])
		}
	}
	return []byte(text), gtins
}

// readProducts learns the numbers that the cloud has given to products.
func (w *world) readProducts(ctx context.Context, gtins []string) error {
	shop := newREST(w.members[0].at(w.members[0].listen), adminWithin)
	defer shop.close()
	all := make([]product, len(gtins))
	for i, gtin := range gtins {
		p := new(shopv1.Product)
		if err := shop.get(ctx, "/v1/products/"+gtin, p); err != nil {
			return fmt.Errorf("product %s: %w", gtin, err)
		}
		all[i] = product{gtin: p.GetGtin(), sku: p.GetSku()}
	}
	w.shelves, w.trade = all[:silentProducts], all[silentProducts:silentProducts+busyProducts]
	w.probe = all[len(all)-1]
	return nil
}

// openStore enrols a node, fills its shelves, and waits for its grants.
func (w *world) openStore(ctx context.Context, i int) error {
	n := w.nodes[i]
	join := new(shopv1.IssueJoinResponse)
	err := w.members[0].office.post(ctx, fmt.Sprintf("/v1/stores/%d:issueJoin", n.store),
		&shopv1.IssueJoinRequest{}, join)
	if err != nil {
		return fmt.Errorf("join string of store %d: %w", n.store, err)
	}
	cloud, _, _ := strings.Cut(n.clouds, ",")
	err = runTool(ctx, n.child, filepath.Join(w.o.Bin, "holdfast-node"), "enrol", "--data",
		n.data, "--cloud",
		cloud, join.GetJoin())
	if err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return err
	}
	if err := awaitReady(ctx, n.child, n.admin); err != nil {
		return err
	}
	return w.fill(ctx, i)
}

// fill books a store's opening deliveries.
func (w *world) fill(ctx context.Context, i int) error {
	n := w.nodes[i]
	var lines []*storev1.SellLine
	if i == silent {
		for _, p := range w.shelves {
			lines = append(lines, &storev1.SellLine{Gtin: p.gtin, Quantity: silentUnits})
		}
		lines = append(lines, &storev1.SellLine{Gtin: w.probe.gtin, Quantity: probeUnits})
	} else {
		for _, p := range w.trade {
			lines = append(lines, &storev1.SellLine{Gtin: p.gtin, Quantity: busyUnits})
		}
	}
	for part := range slices.Chunk(lines, openingLines) {
		in := &storev1.ReceiveRequest{RequestId: newID(), Document: "OPENING-" + newID(), Lines: part}
		err := poll(ctx, startPatience, func() error { // until it has the catalogue
			return n.api.post(ctx, "/v1/receipts", in, new(storev1.ReceiveResponse))
		})
		if err != nil {
			return fmt.Errorf("opening delivery of store %d: %w", n.store, err)
		}
	}
	if i == silent {
		if err := w.stockPools(ctx); err != nil {
			return err
		}
	}
	return w.settled(ctx, n)
}

// stockPools lets carts ask the silent store for units, and give them up: the
// cloud keeps what it was granted.
func (w *world) stockPools(ctx context.Context) error {
	by := rand.New(rand.NewPCG(w.o.Seed, 7))
	lines := []*shopv1.CartLine{{Gtin: w.probe.gtin, Quantity: probeUnits / 4}}
	for _, p := range w.shelves {
		lines = append(lines, &shopv1.CartLine{Gtin: p.gtin,
			Quantity: int32(leastFree + by.IntN(mostFree-leastFree))})
	}
	shop := newREST(w.members[0].at(w.members[0].listen), adminWithin)
	defer shop.close()
	for part := range slices.Chunk(lines, askedLines) {
		id, base := newID(), fmt.Sprintf("/v1/stores/%d/holds", w.nodes[silent].store)
		err := poll(ctx, startPatience, func() error {
			return shop.post(ctx, base, &shopv1.CreateHoldRequest{RequestId: id, Lines: part},
				new(shopv1.Hold))
		})
		if err == nil {
			err = shop.post(ctx, base+"/"+id+":release", &shopv1.ReleaseHoldRequest{},
				new(shopv1.ReleaseHoldResponse))
		}
		if err != nil {
			return fmt.Errorf("ask store %d for units: %w", w.nodes[silent].store, err)
		}
	}
	return nil
}

// settled waits until nothing is under way between a store and the cloud.
func (w *world) settled(ctx context.Context, n *node) error {
	quiet, last := 0, uint64(0)
	return poll(ctx, settleWithin, func() error {
		leader := w.leader(ctx)
		if leader == nil {
			return errNoLeader
		}
		state, err := leader.state(ctx, n.store)
		if err != nil {
			return err
		}
		local, err := n.look(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name(), err)
		}
		link := local.GetLink()
		if link.GetState() != "online" || state.GetJournalApplied() != local.GetJournalLast() ||
			state.GetDirectivesAcked()+1 != state.GetDirectivesNext() || local.GetJournalLast() != last {
			quiet, last = 0, local.GetJournalLast()
			return fmt.Errorf("store %d: the cloud has record %d of %d, the store order %d of %d, "+
				"the line is %s %s", n.store, state.GetJournalApplied(), local.GetJournalLast(), state.GetDirectivesAcked(),
				state.GetDirectivesNext()-1, link.GetState(), link.GetRefused())
		}
		if quiet++; quiet < 10 {
			return fmt.Errorf("store %d may not be done yet", n.store)
		}
		return nil
	})
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }
