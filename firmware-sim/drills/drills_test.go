package drills

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

func TestEveryDrillHasItsOwnNameAndCanBeChosen(t *testing.T) {
	seen := make(map[string]bool)
	for _, name := range Names() {
		if seen[name] {
			t.Errorf("two drills are called %s", name)
		}
		seen[name] = true
	}
	chosen, err := choose([]string{"void", "clone"})
	if err != nil || len(chosen) != 2 || chosen[0].name != "void" || chosen[1].name != "clone" {
		t.Errorf("chose %v, %v", chosen, err)
	}
	if _, err := choose([]string{"voit"}); err == nil || !strings.Contains(err.Error(), "void") {
		t.Errorf("a drill that there is not: %v", err)
	}
}

func TestGoodsHaveNumbersThatScan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "products.csv")
	const n = 1000
	if err := writeProducts(path, n); err != nil {
		t.Fatal(err)
	}
	got, err := demo.ReadCatalogue(path)
	if err != nil || len(got) != n {
		t.Fatalf("%d products of %d, %v", len(got), n, err)
	}
	if got[7].Code != goods(7) {
		t.Errorf("product 7 is %s, want %s", got[7].Code, goods(7))
	}
}

func TestAnAnswerIsTheSameWhereverItIsKept(t *testing.T) {
	pickup := func(state string) *storev1.Pickup {
		return &storev1.Pickup{Reservation: "r", State: state}
	}
	for _, tt := range []struct {
		name string
		a, b proto.Message
		same bool
	}{
		{"another number", &storev1.SellResponse{Seq: 7, TotalMinor: 5},
			&storev1.SellResponse{Seq: 9, TotalMinor: 5}, true},
		{"another amount", &storev1.SellResponse{TotalMinor: 5},
			&storev1.SellResponse{TotalMinor: 6}, false},
		{"repeated", &storev1.ReceiveResponse{Seq: 1},
			&storev1.ReceiveResponse{Seq: 1, Repeated: true}, true},
		{"the order went on", &storev1.CollectResponse{Pickup: pickup("collected")},
			&storev1.CollectResponse{Pickup: pickup("released")}, true},
		{"unheard", &storev1.CollectResponse{Pickup: pickup("")},
			&storev1.CollectResponse{Pickup: pickup(""), Unheard: true}, false},
	} {
		if got := proto.Equal(placeless(tt.a), placeless(tt.b)); got != tt.same {
			t.Errorf("%s: same is %t", tt.name, got)
		}
	}
}

func TestBooksThatDifferAreFound(t *testing.T) {
	own := func() *storev1.Stock {
		return &storev1.Stock{Granted: 3, Assigned: 1,
			Accounts: map[string]int64{"sellable": 4, "sold": 0}}
	}
	for _, tt := range []struct {
		name string
		seen *shopv1.BookRow
		want string // part of what is said; empty: nothing
	}{
		{"equal", &shopv1.BookRow{StoreGranted: 3, StoreAssigned: 1,
			Accounts: map[string]int64{"sellable": 4}}, ""},
		{"other units", &shopv1.BookRow{StoreGranted: 3, StoreAssigned: 1,
			Accounts: map[string]int64{"sellable": 5}}, "sellable"},
		{"an account that the cloud lacks", &shopv1.BookRow{StoreGranted: 3, StoreAssigned: 1},
			"the cloud none"},
		{"other rights", &shopv1.BookRow{StoreGranted: 2, StoreAssigned: 1,
			Accounts: map[string]int64{"sellable": 4}}, "rights"},
	} {
		err := sameBook(own(), tt.seen)
		if err == nil != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestATillForgetsWhatHeadOfficeHas(t *testing.T) {
	tl := &till{kept: []keptSale{{epoch: "1.3", seq: 7}, {epoch: "1.3", seq: 9},
		{epoch: "1.2", seq: 5}}}
	tl.learn(readAnswer(metadata.Pairs(metaHead, "1.3/12/00ff", metaAcked, "8")))
	want := []keptSale{{epoch: "1.3", seq: 9}, {epoch: "1.2", seq: 5}}
	if diff := cmp.Diff(want, tl.kept, cmp.AllowUnexported(keptSale{})); diff != "" {
		t.Error(diff)
	}
	if tl.seen != "1.3/12/00ff" {
		t.Errorf("the till has seen %q", tl.seen)
	}
}

func TestADiskIsSavedLostAndPutBack(t *testing.T) {
	b := &box{data: t.TempDir(), program: &daemon{Program: program.New(program.Options{Name: "box"})}}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(b.data, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	saved := filepath.Join(t.TempDir(), "saved")
	write("store.db", "old")
	write("node.key", "key")
	if err := b.saveDisk(saved); err != nil {
		t.Fatal(err)
	}
	write("store.db", "new")
	write("store.db-wal", "newer")
	if err := b.oldDisk(saved); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(b.data, "store.db"))
	if err != nil || string(text) != "old" {
		t.Errorf("the disk says %q, %v", text, err)
	}
	left, err := filepath.Glob(filepath.Join(b.data, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("there are %v, %v", left, err)
	}
}
