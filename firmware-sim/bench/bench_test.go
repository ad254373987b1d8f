package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock/gtin"
)

var tinySizes = sizes{rounds: 1, span: 20 * time.Millisecond, scans: 15, backlog: 1000,
	products: 300, records: 2000, little: hoard{2, 10}, much: hoard{3, 20},
	stores: 4, nodes: 20, storm: 5, calm: 20 * time.Millisecond, kills: 1, hangs: 1}

// programFolder names where the programs are built that are measured as a whole.
const programFolder = "HOLDFAST_BENCH_BIN"

var build = sync.OnceValue(func() error {
	for _, program := range []string{"../../node/cmd/holdfast-node", "../../cloud/cmd/holdfast-cloud"} {
		out, err := exec.Command("go", "build", "-o", os.Getenv(programFolder), program).CombinedOutput()
		if err != nil {
			return fmt.Errorf("build %s: %w: %s", program, err, out)
		}
	}
	return nil
})

func programs(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return os.Getenv(programFolder)
}

func TestEveryRowIsMeasuredAndPrinted(t *testing.T) {
	var out bytes.Buffer
	o := Options{JSON: true, Bin: programs(t), Out: &out, Progress: t.Output()}
	if err := run(t.Context(), o, tinySizes); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range got {
		names = append(names, row["name"].(string))
		if row["missing"] == true && row["note"] != nil {
			continue
		}
		mayBeNone := strings.Contains(row["name"].(string), "errors")
		if value, ok := row["value"].(float64); !ok || value < 0 || value == 0 && !mayBeNone {
			t.Errorf("%s is %v", row["name"], row["value"])
		}
		for _, key := range []string{"unit", "limit", "ratio", "goal", "met"} {
			if row[key] == nil {
				t.Errorf("%s has no %s", row["name"], key)
			}
		}
	}
	want := []string{"durable sale, one till", "durable sales, 8 tills", "durable sales, 64 callers",
		"scan in to answer out, p99", "availability over REST", "availability over gRPC",
		"uplink catch-up after a cut", "reservations, 1 member, 1 client",
		"reservations, 1 member, 64 clients", "reservations, 1 member, 256 clients",
		"reservations, 3 members, 1 client", "reservations, 3 members, 64 clients",
		"reservations, 3 members, 256 clients",
		"reservations by three processes over HTTP, against rqlite",
		"journal entries applied from 4 stores at once", "one reservation with 60 stock rows, against 20",
		"cloud memory for each of 20 idle nodes", "reconnect storm of 5 nodes drained",
		"shoppers' errors during a storm of 5 nodes", "leader killed to next accepted write, worst of 1",
		"leader's disk hung to next accepted write, worst of 1", "node RSS at its peak, 300 products, 2000 records",
		"node start to first accepted scan, 300 products, 2000 records",
		"holdfast-node binary", "holdfast-cloud binary"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestOnlyChoosesRows(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), Options{Only: "ONE till", Out: &out}, tinySizes); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "one till") {
		t.Errorf("got\n%s", out.String())
	}
	if err := Run(t.Context(), Options{Only: "(", Out: &out}); err == nil {
		t.Error("a broken expression was taken")
	}
}

func TestMissingProgramIsAFaultThatNamesIt(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), Options{Only: "binary", Bin: t.TempDir(), Out: &out}, tinySizes)
	if err == nil || !strings.Contains(err.Error(), "holdfast-node") {
		t.Errorf("got %v", err)
	}
}

func TestTableSaysWhichGoalsAreMet(t *testing.T) {
	var out bytes.Buffer
	b := &bench{o: Options{Out: &out}, figures: []Figure{
		atLeast("sales", "sales/s", pair{1500, 1000}, 2),
		atMost("wait", "ms", pair{0.25, 0.125}, 3),
	}}
	if err := b.print(); err != nil {
		t.Fatal(err)
	}
	want := "       value  limit  unit     ratio  goal  \n" +
		"sales  1500   1000   sales/s  1.50   ≥ 2   ✗\n" +
		"wait   0.250  0.125  ms       2.00   ≤ 3   ✓\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNoFiguresAreAnEmptyArray(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), Options{JSON: true, Only: "no such row", Out: &out}, tinySizes); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != "[]" {
		t.Errorf("got %s", got)
	}
}

func TestTheRoundInTheMiddleCounts(t *testing.T) {
	got := median([]pair{{9, 1}, {10, 5}, {1, 100}, {8, 2}, {3, 3}})
	if want := (pair{10, 5}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestProductsAreWhatAScannerAccepts(t *testing.T) {
	for _, p := range products(200) {
		if _, err := gtin.Parse(p.GetGtin()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestScratchIsOnADisk(t *testing.T) {
	t.Setenv("TMPDIR", "/dev/shm")
	dir, err := scratch()
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if strings.HasPrefix(dir, "/dev/shm") && inMemory("/dev/shm") {
		t.Errorf("measures in memory, in %s", filepath.Dir(dir))
	}
}

// BenchmarkSale is for profiles; make bench compares sales with their limit.
func BenchmarkSale(b *testing.B) {
	s, limit, err := openOrdinary(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { limit.Close(); s.Close() })
	s.start(b.Context())
	t := s.tills(1)[0]
	b.ReportAllocs()
	for b.Loop() {
		if err := t.sell(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
