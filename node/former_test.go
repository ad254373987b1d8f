package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast.dev/internal/identity"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// oldDisk is the folder of a store's node that received something.
func oldDisk(t *testing.T, store stock.StoreID) string {
	t.Helper()
	dir := t.TempDir()
	floor := shopfloor.New(shopfloor.Options{Store: store, Tenant: tenant, NodeID: shopfloor.ID{1},
		Catalogue: new(catalogue.Products), Steady: steady(),
		Epoch: stock.Epoch{Timeline: 1, Counter: 1}, Now: func() int64 { return time.Now().UnixMilli() },
		NewID: func() shopfloor.ID { return shopfloor.ID{2} }}, localTables()...)
	j, err := journal.Open(t.Context(), journal.Options{Path: filepath.Join(dir, journalFile),
		Machine: floor.Machine()})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := floor.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	_, err = floor.Receive(t.Context(), shopfloor.Cause{ID: shopfloor.ID{3}, Actor: "test"}, "DN-1",
		[]*recordv1.MovementLine{{Sku: 1, Units: 5}})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// asides are the folders of former nodes beside a new one.
func asides(t *testing.T, data string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(data, asideFolder+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheDiskOfAnotherStoreIsRefused(t *testing.T) {
	old, data := oldDisk(t, 2), t.TempDir()
	err := copyFormer(t.Context(), old, data, identity.Join{Store: 1})
	if err == nil || !strings.Contains(err.Error(), "no books of store 1") {
		t.Errorf("got %v", err)
	}
	if left := asides(t, data); len(left) != 0 {
		t.Errorf("the refused disk left %v", left)
	}
}

func TestADiskThatIsNoDatabaseIsRefused(t *testing.T) {
	old, data := t.TempDir(), t.TempDir()
	if err := copyFormer(t.Context(), old, data, identity.Join{Store: 1}); err == nil {
		t.Error("an empty folder was taken for a disk")
	}
	if err := os.WriteFile(filepath.Join(old, journalFile), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyFormer(t.Context(), old, data, identity.Join{Store: 1}); err == nil {
		t.Error("a damaged disk was taken")
	}
	if left := asides(t, data); len(left) != 0 {
		t.Errorf("the refused disks left %v", left)
	}
}

func TestADiskInUseIsRefused(t *testing.T) {
	old, data := oldDisk(t, 1), t.TempDir()
	unlock, err := journal.Lock(filepath.Join(old, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	err = copyFormer(t.Context(), old, data, identity.Join{Store: 1})
	if !errors.Is(err, journal.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func TestTheSameDiskIsCopiedOnce(t *testing.T) {
	old, data := oldDisk(t, 1), t.TempDir()
	for range 2 {
		if err := copyFormer(t.Context(), old, data, identity.Join{Store: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if got := asides(t, data); len(got) != 1 {
		t.Errorf("the copies are %v", got)
	}
}

func TestAFormerNodeThatCannotBeReplacedComesBack(t *testing.T) {
	data := oldDisk(t, 1)
	undo, err := putAside(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, journalFile)); err == nil {
		t.Error("the former node's journal is still in its place")
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, journalFile)); err != nil {
		t.Error(err)
	}
	if left := asides(t, data); len(left) != 0 {
		t.Errorf("there is still %v", left)
	}
}
