package kiosk

import (
	"bufio"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/node/devices"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/words"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// counter is a shop with a scanner and a printer on its desk.
type counter struct {
	*shop
	gun    *scanner.Scanner
	paper  *printer.Printer
	events *bufio.Scanner
}

func openCounter(t *testing.T, lang words.Lang, path string) *counter {
	t.Helper()
	dir := t.TempDir()
	gun, err := scanner.Start(scanner.Options{Link: filepath.Join(dir, "gun"), Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gun.Close() })
	roll, err := printer.Start(printer.Options{TCP: "127.0.0.1:0", OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { roll.Close() })
	s := openShop(t, shopOptions{lang: lang, path: path, devices: []devices.Config{
		{Name: "gun", Kind: devices.Scanner, Driver: "serial", Path: gun.Path(), Baud: 115200},
		{Name: "paper", Kind: devices.Printer, Driver: "escpos-tcp", Path: roll.State().Address}}})
	c := &counter{shop: s, gun: gun, paper: roll}
	ctx := t.Context()
	for range s.o.Devices.Watch(ctx) {
		all := s.o.Devices.States()
		if all[0].Phase == devices.Ready && all[1].Phase == devices.Ready {
			break
		}
	}
	res, err := http.Get(s.url + "/v1/events?station=counter")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	c.events = bufio.NewScanner(res.Body)
	c.next("hello")
	return c
}

// next reads events until one of a kind.
func (c *counter) next(kind string) map[string]any {
	c.t.Helper()
	for c.events.Scan() {
		data, ok := strings.CutPrefix(c.events.Text(), "data: ")
		var e map[string]any
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			c.t.Fatal(err)
		}
		if at(e, "kind") == kind {
			return e
		}
	}
	c.t.Fatal("the events ended")
	return nil
}

// pull scans one code and returns the answer.
func (c *counter) pull(code string) any {
	c.t.Helper()
	if err := c.gun.Scan(c.t.Context(), code, ""); err != nil {
		c.t.Fatal(err)
	}
	return at(c.next("answer"), "answer")
}

// papers waits until so many papers were cut.
func (c *counter) papers(n int) []printer.Receipt {
	c.t.Helper()
	late := time.After(patience)
	for {
		changed := c.paper.Watch()
		if all := c.paper.Receipts(); len(all) >= n {
			return all
		}
		select {
		case <-changed:
		case <-late:
			_, jobs := c.get("/v1/printJobs")
			c.t.Fatalf("%d papers, want %d; jobs: %v", len(c.paper.Receipts()), n, jobs)
		}
	}
}

// jobs lists the jobs as "kind state", oldest first.
func (c *counter) jobs() (all []string) {
	_, out := c.get("/v1/printJobs")
	for _, j := range at(out, "jobs").([]any) {
		all = append([]string{at(j, "kind").(string) + " " + at(j, "state").(string)}, all...)
	}
	return all
}

// settled waits until no job is queued or under way.
func (c *counter) settled() []string {
	c.t.Helper()
	for {
		all := c.jobs()
		if !strings.Contains(strings.Join(all, ","), "queued") && !strings.Contains(strings.Join(all, ","), "sent") {
			return all
		}
		c.next("print")
	}
}

func TestTheWholeCounter(t *testing.T) {
	c := openCounter(t, words.NL, "")
	c.receive(9, breadGTIN)
	for range 3 {
		if a := c.pull("9521234500001"); at(a, "ok") != true || at(a, "sound") != "yes" {
			t.Fatalf("a scan: %v", a)
		}
	}
	if a := c.pull("95212345"); at(a, "ok") != false || at(a, "sound") != "no" {
		t.Errorf("a bad scan: %v", a)
	}
	c.must("/v1/stations/counter:finishBasket", `{}`)
	receipt := c.papers(1)[0]
	for _, want := range []string{"Roggekn", "TOTAAL", "8,97", "Bon R7-"} {
		if !strings.Contains(receipt.Text, want) {
			t.Errorf("the receipt lacks %q:\n%s", want, receipt.Text)
		}
	}
	id := c.order("7K3M2Q9A", &recordv1.ReservedLine{Sku: 1, Units: 1, Name: "Rye"})
	slip := c.papers(2)[1]
	if !cmp.Equal(slip.Symbols, []string{"7K3M2Q9A"}) || strings.Contains(slip.Text, "KOPIE") {
		t.Errorf("the slip has %v:\n%s", slip.Symbols, slip.Text)
	}
	c.must("/v1/stations/counter:setMode", `{"mode":"MODE_PICK"}`)
	for _, code := range []string{"7K3M2Q9A", "9521234500001", "SHELF-A7"} {
		if a := c.pull(code); at(a, "ok") != true {
			t.Fatalf("scan %s: %v", code, a)
		}
	}
	c.must("/v1/stations/counter:setMode", `{"mode":"MODE_COLLECT"}`)
	if a := c.pull("7K3M2Q9A"); at(a, "ok") != true || at(a, "args", "reservation") != id {
		t.Fatalf("collect: %v", a)
	}
	c.papers(3)
	want := []string{"receipt printed", "pick_slip printed", "collect_receipt printed"}
	if diff := cmp.Diff(want, c.settled()); diff != "" {
		t.Error(diff)
	}
	again := c.must("/v1/printJobs/1:reprint", `{}`)
	if at(again, "copyOf") != "1" || !strings.Contains(c.papers(4)[3].Text, "KOPIE") {
		t.Errorf("the copy: %v", again)
	}
}

func TestPaperThatRunsOutLosesNothing(t *testing.T) {
	c := openCounter(t, words.EN, "")
	c.receive(9, breadGTIN)
	c.paper.SetPaperOut(true)
	for range c.o.Devices.Watch(t.Context()) {
		if p := c.o.Devices.States()[1].Printer; p != nil && p.PaperOut {
			break
		}
	}
	c.pull("9521234500001")
	c.must("/v1/stations/counter:finishBasket", `{}`)
	if diff := cmp.Diff([]string{"receipt queued"}, c.jobs()); diff != "" {
		t.Error(diff)
	}
	for range c.o.Devices.Watch(t.Context()) { // until a printer that is asked in turns has said all
		if _, page := c.browser().open("/sell"); strings.Contains(page, "No paper") {
			break
		}
	}
	c.paper.SetPaperOut(false)
	c.papers(1)
	if diff := cmp.Diff([]string{"receipt printed"}, c.settled()); diff != "" {
		t.Error(diff)
	}
}

func TestAPulledCableLeavesNoDoubt(t *testing.T) {
	c := openCounter(t, words.EN, "")
	c.receive(9, breadGTIN)
	c.pull("9521234500001")
	c.paper.UnplugAfter(60)
	c.must("/v1/stations/counter:finishBasket", `{}`)
	if diff := cmp.Diff([]string{"receipt unknown"}, c.settled()); diff != "" {
		t.Fatal(diff)
	}
	if err := c.paper.Plug(); err != nil {
		t.Fatal(err)
	}
	before := len(c.paper.Receipts())
	c.must("/v1/printJobs/1:reprint", `{}`)
	if all := c.papers(before + 1); !strings.Contains(all[len(all)-1].Text, "POSSIBLE DUPLICATE") {
		t.Errorf("the repeat says:\n%s", all[len(all)-1].Text)
	}
}

func TestAPickSlipComesOnceAcrossRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	t.Run("before", func(t *testing.T) {
		c := openCounter(t, words.EN, path)
		c.receive(9, breadGTIN)
		c.order("7K3M2Q9A", &recordv1.ReservedLine{Sku: 1, Units: 1, Name: "Rye"})
		c.papers(1)
		c.settled()
	})
	t.Run("after", func(t *testing.T) {
		c := openCounter(t, words.EN, path)
		c.receive(1, breadGTIN)
		c.pull("9521234500001")
		c.must("/v1/stations/counter:finishBasket", `{}`)
		c.papers(1)
		if diff := cmp.Diff([]string{"pick_slip printed", "receipt printed"}, c.settled()); diff != "" {
			t.Error(diff)
		}
	})
}
