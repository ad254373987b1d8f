package drills

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"

	"holdfast.dev/firmware-sim/demo"
	storev1 "holdfast.dev/proto/store/v1"
)

// box is one machine that is, or was, the node of the store.
type box struct {
	site    *site
	data    string // its folder
	admin   string
	program *daemon
	cable   *demo.Cable // to the cloud
	floor   floor
	conn    *grpc.ClientConn
}

// journalFiles are the files of a node's database.
var journalFiles = []string{"store.db", "store.db-wal", "store.db-shm"}

// newBox puts a machine into the store; it is not enrolled and does not run.
func (s *site) newBox() (b *box, err error) {
	name := "box-" + string(rune('a'+len(s.boxes)))
	b = &box{site: s, data: filepath.Join(s.dir, name)}
	if err := os.MkdirAll(b.data, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", name, err)
	}
	var pages string
	if err := s.ports.Fill(&pages, &b.admin); err != nil {
		return nil, err
	}
	config := filepath.Join(s.dir, name+".toml")
	text := fmt.Sprintf("[[staff]]\nname = %q\nrole = \"manager\"\npin-hash = %q\n", boss, s.staff)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of %s: %w", name, err)
	}
	if b.cable, err = demo.LayCable(0, s.nodes()...); err != nil {
		return nil, err
	}
	if b.conn, err = dial(pages); err != nil {
		return nil, errors.Join(err, b.cable.Close())
	}
	b.floor = storev1.NewStoreFloorClient(b.conn)
	b.program = s.newDaemon(name, "holdfast-node", b.admin, "run", "--config", config, "--data", b.data,
		"--listen", pages, "--admin", b.admin, "--cloud", b.cable.Addr(), "--reconnect-cap", reconnectCap)
	s.boxes = append(s.boxes, b)
	return b, nil
}

func (b *box) close() {
	_ = b.conn.Close() // nothing is under way on it any more
	_ = b.cable.Close()
}

// enrol makes the box the store's node.
func (b *box) enrol(ctx context.Context) error {
	join, err := b.site.join(ctx)
	if err != nil {
		return err
	}
	_, err = b.site.command(ctx, "holdfast-node", "enrol", "--data", b.data,
		"--cloud", b.cable.Addr(), join)
	return err
}

// rebuild makes the box the store's node after a loss.
func (b *box) rebuild(ctx context.Context, join string, args ...string) (string, error) {
	all := append([]string{"rebuild", "--data", b.data, "--cloud", b.cable.Addr()}, args...)
	return b.site.command(ctx, "holdfast-node", append(all, join)...)
}

// enrolled tells whether the box has a certificate.
func (b *box) enrolled() bool {
	_, err := os.Stat(filepath.Join(b.data, "membership.json"))
	return err == nil
}

// opened puts a box into the store, enrols it, starts it, and waits until it
// stands well with the cloud.
func (s *site) opened(ctx context.Context) (*box, error) {
	b, err := s.newBox()
	if err != nil {
		return nil, err
	}
	if err := b.enrol(ctx); err != nil {
		return nil, err
	}
	return b, b.startSettled(ctx)
}

func (b *box) startSettled(ctx context.Context) error {
	if err := b.program.startReady(ctx); err != nil {
		return err
	}
	return b.settled(ctx)
}

// node is what the box says of itself.
func (b *box) node(ctx context.Context) (*storev1.Node, error) {
	n, err := b.floor.GetNode(ctx, &storev1.GetNodeRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", b.program.Name(), err)
	}
	return n, nil
}

// settled waits until nothing is under way: the box is connected and has the
// catalogue, the cloud has all its records, and it has all the cloud's orders.
func (b *box) settled(ctx context.Context) error {
	return eventually(ctx, func() error {
		if err := b.program.Alive(); err != nil {
			return err
		}
		state, err := b.site.state(ctx)
		if err != nil {
			return err
		}
		n, err := b.node(ctx)
		if err != nil {
			return err
		}
		link := n.GetLink()
		switch {
		case link.GetState() != "online" || !state.GetStore().GetConnected(),
			state.GetEpoch() != n.GetEpoch():
			return fmt.Errorf("the link is %s %s, epoch %s and %s", link.GetState(), link.GetRefused(),
				n.GetEpoch(), state.GetEpoch())
		case state.GetJournalApplied() != n.GetJournalLast():
			return fmt.Errorf("the cloud has record %d of %d", state.GetJournalApplied(), n.GetJournalLast())
		case state.GetDirectivesAcked()+1 != state.GetDirectivesNext() ||
			link.GetDirectivesApplied() != state.GetDirectivesAcked():
			return fmt.Errorf("the store has order %d, confirmed is %d of %d", link.GetDirectivesApplied(),
				state.GetDirectivesAcked(), state.GetDirectivesNext()-1)
		case n.GetProducts() != int64(b.site.products) || n.GetCatalogueVersion() == 0:
			return fmt.Errorf("the store has %d products of %d", n.GetProducts(), b.site.products)
		}
		return nil
	})
}

// refused waits until the cloud refuses the box with this code.
func (b *box) refused(ctx context.Context, code string) error {
	return eventually(ctx, func() error {
		n, err := b.node(ctx)
		if err == nil && n.GetLink().GetRefused() != code {
			err = fmt.Errorf("%s is %s, refused %q, want %s", b.program.Name(), n.GetLink().GetState(),
				n.GetLink().GetRefused(), code)
		}
		return err
	})
}

// mode waits until the box trusts its own state so far.
func (b *box) mode(ctx context.Context, want string) error {
	return eventually(ctx, func() error {
		n, err := b.node(ctx)
		if err == nil && n.GetMode() != want {
			err = fmt.Errorf("%s is %s, want %s", b.program.Name(), n.GetMode(), want)
		}
		return err
	})
}

// settle lets a manager say that all tills have spoken.
func (b *box) settle(ctx context.Context) error {
	if err := b.mode(ctx, modeSuspect); err != nil {
		return err
	}
	_, err := b.floor.Settle(ctx, &storev1.SettleRequest{Name: boss, Pin: bossPIN})
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	if err := b.mode(ctx, modeNormal); err != nil {
		return err
	}
	return b.settled(ctx)
}

// Modes of a node, as its API names them.
const (
	modeNormal  = "normal"
	modeSuspect = "suspect"
	modeSafe    = "safe"
)

// saveDisk copies the box's database while the box is stopped.
func (b *box) saveDisk(to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("save the disk of %s: %w", b.program.Name(), err)
	}
	for _, name := range journalFiles {
		raw, err := os.ReadFile(filepath.Join(b.data, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), raw, 0o600)
		}
		if err != nil {
			return fmt.Errorf("save the disk of %s: %w", b.program.Name(), err)
		}
	}
	return nil
}

// loseDisk removes the box's database.
func (b *box) loseDisk() error {
	for _, name := range journalFiles {
		if err := os.Remove(filepath.Join(b.data, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("lose the disk of %s: %w", b.program.Name(), err)
		}
	}
	return nil
}

// oldDisk puts a saved database in the place of the present one.
func (b *box) oldDisk(from string) error {
	if err := b.loseDisk(); err != nil {
		return err
	}
	if err := os.CopyFS(b.data, os.DirFS(from)); err != nil {
		return fmt.Errorf("restore the disk of %s: %w", b.program.Name(), err)
	}
	return nil
}

// verify lets the box prove its books from its journal.
func (b *box) verify(ctx context.Context) (string, error) {
	said, err := b.site.command(ctx, "holdfast-node", "verify", "--data", b.data, "--admin", b.admin)
	return strings.TrimSpace(said), err
}
