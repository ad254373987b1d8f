//go:build faults

package cloud

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk gives a process a disk of its own. It needs root, as CI is.
func smallDisk(t *testing.T, p *place) {
	t.Helper()
	if err := unix.Mount("tmpfs", p.o.Data, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(p.o.Data, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill takes all of a disk but so much.
func fill(t *testing.T, dir string, but int64) {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, int64(s.Bavail)*s.Bsize-but), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskPromisesNothingNewAndGoesOn(t *testing.T) {
	p := newPlace(t, "")
	smallDisk(t, p)
	p.start(t)
	list := func() (string, error) { return Members(t.Context(), p.admin()) }
	until(t, "it leads", list, func(s string) bool { return strings.Contains(s, "leads") })
	if _, err := os.Stat(filepath.Join(p.o.Data, "ballast")); err != nil {
		t.Errorf("no ballast: %v", err)
	}
	fill(t, p.o.Data, 1<<20)
	until(t, "operators see it", list, func(s string) bool { return strings.Contains(s, "all but full") })
	products := filepath.Join(t.TempDir(), "products.csv")
	if err := os.WriteFile(products, []byte("gtin,name\n4006381333931,Pencil\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said, bar strings.Builder
	err := Import(t.Context(), ImportOptions{AdminAt: p.admin(), File: products}, &said, &bar)
	if err == nil || !strings.Contains(err.Error(), "Nothing new can be reserved") {
		t.Errorf("an import on a full disk: %v", err)
	}
	_, err = PutStore(t.Context(), StoreOptions{AdminAt: p.admin(), ID: 7, Name: "Tjalk", Town: "Utrecht",
		Country: "NL", Timezone: "Europe/Amsterdam", Language: "nl", Currency: "EUR"})
	if err != nil {
		t.Errorf("what cannot wait: %v", err)
	}
	if err := os.Remove(filepath.Join(p.o.Data, "filler")); err != nil {
		t.Fatal(err)
	}
	until(t, "there is room again", list, func(s string) bool { return !strings.Contains(s, "all but full") })
	if err := Import(t.Context(), ImportOptions{AdminAt: p.admin(), File: products}, &said, &bar); err != nil {
		t.Errorf("an import with room: %v", err)
	}
}

func TestAFullDiskGivesUpItsBallastAtTheStart(t *testing.T) {
	p := newPlace(t, "")
	smallDisk(t, p)
	ballast := filepath.Join(p.o.Data, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	fill(t, p.o.Data, 0)
	p.start(t)
	list := func() (string, error) { return Members(t.Context(), p.admin()) }
	until(t, "it leads", list, func(s string) bool { return strings.Contains(s, "leads") })
	if _, err := os.Stat(ballast); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the ballast is still there: %v", err)
	}
}
