package demo

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

func TestATakenPortIsNamedWithItsFlag(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	free, err := plan(Options{Stores: 3, Members: 3, FreePorts: true})
	if err != nil {
		t.Fatal(err)
	}
	first := free.members[0]
	fixed := Ports{Shop: first.shop, Nodes: first.nodes, Admin: first.admin, Members: first.members,
		Kiosk: free.stores[0].pages, Console: free.console}
	for flag, change := range map[string]func(*Ports){
		"shop-port":    func(p *Ports) { p.Shop = taken },
		"nodes-port":   func(p *Ports) { p.Nodes = taken },
		"admin-port":   func(p *Ports) { p.Admin = taken },
		"console-port": func(p *Ports) { p.Console = taken },
		"kiosk-port":   func(p *Ports) { p.Kiosk = taken },
		"members-port": func(p *Ports) { p.Members = taken },
	} {
		ports := fixed
		change(&ports)
		_, err := plan(Options{Ports: ports, Stores: 1, Members: 3})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(taken)) ||
			!strings.Contains(err.Error(), "--"+flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
	twice := fixed
	twice.Nodes = twice.Shop
	if _, err := plan(Options{Ports: twice, Stores: 1, Members: 1}); err == nil || !strings.Contains(err.Error(), "--nodes-port") {
		t.Errorf("one port for two: %v", err)
	}
}

func TestFreePortsAreAllDifferent(t *testing.T) {
	for _, members := range []int{1, 3} {
		l, err := plan(Options{Stores: 3, Members: members, FreePorts: true})
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[int]bool)
		for _, n := range l.named() {
			seen[*n.port] = true
		}
		if want := map[int]int{1: 10, 3: 19}[members]; len(seen) != want {
			t.Errorf("%d ports of %d: %+v", len(seen), want, l)
		}
	}
}

func TestTwoDemosDoNotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	first, err := lockData(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockData(dir); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a second demo: %v", err)
	}
	if err := Reset(dir); err == nil {
		t.Error("a running demo was deleted")
	}
	first.Close()
	if err := Reset(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("after the reset: %v", err)
	}
	if err := Reset(dir); err != nil {
		t.Errorf("a second reset: %v", err)
	}
}

func TestResetDeletesNothingButDemos(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Reset(dir); err == nil {
		t.Error("no complaint")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestOnlyProductsThatOneScanSellsAreTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalogue.csv")
	csv := "\uFEFFname,GTIN,price_minor,unit\n" +
		"Rye crispbread,9520001000010,199,each\n" +
		"Wrong digit,9520001000011,199,\n" +
		"Free,9520001000027,0,\n" +
		"Weighed in store,2112345006783,199,g\n" +
		"Apples,9520001000034,249,g\n" +
		"Again,9520001000010,99,\n" +
		"short row\n"
	if err := os.WriteFile(path, []byte(csv), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadCatalogue(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Product{
		{GTIN: "09520001000010", Code: "9520001000010", Name: "Rye crispbread", Unit: "each", Price: 199},
		{GTIN: "09520001000034", Code: "9520001000034", Name: "Apples", Unit: "g", Price: 249},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWeighedGoodsAreScannedByTheLabelOfTheScale(t *testing.T) {
	apples := Product{Code: "9520001000034", Unit: "g", PLU: "10003"}
	if got, want := apples.Label(1250), "2110003012509"; got != want {
		t.Errorf("label %s, want %s", got, want)
	}
	bread := Product{Code: "9520001000010", Unit: "each"}
	if got := bread.Label(1250); got != bread.Code {
		t.Errorf("label %s of what is sold by the piece", got)
	}
}

func TestSpreadTakesFromAllOver(t *testing.T) {
	var all []Product
	for i := range 10 {
		all = append(all, Product{Price: int64(i)})
	}
	got := Spread(all, 3)
	want := []Product{{Price: 0}, {Price: 3}, {Price: 6}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARefusalIsKnownByItsCode(t *testing.T) {
	s, err := status.New(codes.FailedPrecondition, "no").WithDetails(
		&errdetails.ErrorInfo{Reason: "SHORT", Domain: "holdfast.dev", Metadata: map[string]string{"available": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	code, args := RefusalOf(s.Err())
	if code != "SHORT" || args["available"] != "2" || !Refused(s.Err(), "SHORT") {
		t.Errorf("got %s %v", code, args)
	}
	if code, _ := RefusalOf(os.ErrNotExist); code != "" {
		t.Errorf("a fault is %s", code)
	}
}

func TestTheLogKeepsTheNewest(t *testing.T) {
	told := 0
	l := &Log{changed: func() { told++ }}
	for i := range maxLog + 5 {
		l.Add(1, "console.log.cut", "n", i)
	}
	last := l.Last(2)
	if told != maxLog+5 || len(last) != 2 || last[0].Args[1] != maxLog+4 || len(l.Last(10*maxLog)) != maxLog {
		t.Errorf("told %d times, last %+v", told, last)
	}
}
