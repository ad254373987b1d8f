package kiosk

import (
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/display"
	"holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/firmware-sim/locker"
	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/firmware-sim/scale"
	"holdfast.dev/firmware-sim/wire"
	"holdfast.dev/hardware/drawer"
	"holdfast.dev/node/devices"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/words"
)

// fitted is a shop whose counter has every device but a scanner, and a second
// station that has none.
type fitted struct {
	*shop
	eyes  *display.Display
	pan   *scale.Scale
	tags  *labelprinter.Printer
	wall  *locker.Locker
	paper *printer.Printer
}

func openFitted(t *testing.T, lang words.Lang) *fitted {
	t.Helper()
	f := &fitted{}
	tcp := wire.Options{TCP: "127.0.0.1:0"}
	var err [5]error
	f.eyes, err[0] = display.Start(display.Options{Options: tcp})
	f.pan, err[1] = scale.Start(scale.Options{Options: tcp})
	f.tags, err[2] = labelprinter.Start(labelprinter.Options{Options: tcp, Chatty: true})
	f.wall, err[3] = locker.Start(locker.Options{Options: tcp, Doors: 3})
	f.paper, err[4] = printer.Start(printer.Options{TCP: tcp.TCP, OutDir: t.TempDir()})
	for _, e := range err {
		if e != nil {
			t.Fatal(e)
		}
	}
	for _, c := range []interface{ Close() error }{f.eyes, f.pan, f.tags, f.wall, f.paper} {
		t.Cleanup(func() { c.Close() })
	}
	const soon = 50 * time.Millisecond
	f.shop = openShop(t, shopOptions{lang: lang, devices: []devices.Config{
		{Name: "eyes", Kind: devices.Display, Driver: "epson-tcp", Path: f.eyes.Cable.Address(), Page: 858},
		{Name: "pan", Kind: devices.Scale, Driver: "8217-tcp", Path: f.pan.Cable.Address(), Settle: time.Second, Poll: soon},
		{Name: "tags", Kind: devices.LabelPrinter, Driver: "zpl-tcp", Path: f.tags.Cable.Address(), Poll: soon},
		{Name: "wall", Kind: devices.Locker, Driver: "cu16-tcp", Path: f.wall.Cable.Address(), Poll: soon,
			OpenWait: 300 * time.Millisecond, Boards: []devices.Board{{Address: 0, Locks: 3}}},
		{Name: "paper", Kind: devices.Printer, Driver: "escpos-tcp", Path: f.paper.State().Address},
	}, stations: []Station{
		{Name: "counter", Printer: "paper", Display: "eyes", Scale: "pan", Labels: "tags", BagLabels: true, Drawer: 1},
		{Name: "back"},
	}})
	f.until("every device", func() bool {
		for _, d := range f.o.Devices.States() {
			if d.Phase != devices.Ready {
				return false
			}
		}
		return true
	})
	return f
}

// until waits for something to become true.
func (s *shop) until(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: not in time", what)
		}
	}
}

func (f *fitted) state(name string) (found devices.State) {
	for _, d := range f.o.Devices.States() {
		if d.Name == name {
			found = d
		}
	}
	return found
}

// put lays a load on the scale and waits until the node sees it at rest.
func (f *fitted) put(grams int) {
	f.t.Helper()
	f.pan.Put(grams)
	f.until("the load", func() bool {
		d := f.state("pan")
		return d.Weight != nil && d.Weight.Grams == grams && !d.Taken
	})
}

func (f *fitted) scan(code string) map[string]any {
	f.t.Helper()
	return f.must("/v1/stations/counter:scan", `{"data":"`+code+`"}`)
}

func TestWeighedGoodsTakeTheirWeightFromTheScale(t *testing.T) {
	f := openFitted(t, words.EN)
	f.receive(9000, cheeseGTIN)
	if a := f.scan(cheeseGTIN); at(a, "answer", "code") != "NEED_WEIGHT" {
		t.Errorf("with nothing on the scale: %v", at(a, "answer"))
	}
	f.put(350)
	a := f.scan(cheeseGTIN)
	if at(a, "answer", "ok") != true || at(a, "station", "basket", 0, "quantity") != 350.0 ||
		at(a, "station", "totalMinor") != "452" {
		t.Errorf("with 350 g on the scale: %v", a)
	}
	if a := f.scan(cheeseGTIN); at(a, "answer", "code") != "NEED_WEIGHT" {
		t.Errorf("the same load once more: %v", at(a, "answer"))
	}
	b := f.browser()
	if _, page := b.open("/sell"); !strings.Contains(page, "Take the weight from the scale") {
		t.Error("the page has no button for the scale")
	}
	if status, page := b.send("/weigh", "code", cheeseGTIN, "to", "/sell"); status != 200 || !strings.Contains(page, "350") {
		t.Errorf("the button: %d", status)
	}
	f.pan.Put(40_000)
	f.until("too much", func() bool { return !f.state("pan").Taken })
	a = f.scan(cheeseGTIN)
	if at(a, "answer", "code") != "SCALE_DOWN" || !strings.Contains(at(a, "answer", "sentence").(string), "too much lies on it") {
		t.Errorf("with too much on the scale: %v", at(a, "answer"))
	}
	if status, page := b.send("/weigh", "code", cheeseGTIN); status != 503 || !strings.Contains(page, "too much lies on it") {
		t.Errorf("the button with too much on the scale: %d", status)
	}
	if _, st := f.get("/v1/stations/counter"); len(at(st, "basket").([]any)) != 2 {
		t.Errorf("the basket holds %v", at(st, "basket"))
	}
	a = f.must("/v1/stations/back:scan", `{"data":"`+cheeseGTIN+`"}`)
	if at(a, "answer", "code") != "NEED_WEIGHT" {
		t.Errorf("a station without a scale: %v", at(a, "answer"))
	}
}

func TestTheCustomerReadsTheLastLineAndTheTotal(t *testing.T) {
	f := openFitted(t, words.NL)
	f.receive(9, breadGTIN)
	shows := func(top, bottom string) {
		t.Helper()
		f.until(top, func() bool {
			now := f.eyes.State().Lines
			return strings.TrimRight(now[0], " ") == top && strings.TrimRight(now[1], " ") == bottom
		})
	}
	shows("  Holdfast Utrecht", "       Welkom")
	f.scan(breadGTIN)
	shows("Roggeknäckebröd 2,99", "Totaal          2,99")
	f.scan(breadGTIN)
	shows("Roggeknäckebröd 2,99", "Totaal          5,98")
	f.must("/v1/stations/counter:finishBasket", `{}`)
	shows("  Holdfast Utrecht", "       Welkom")
}

func TestOnlyCashOpensTheDrawerOfTheStationThatHasOne(t *testing.T) {
	f := openFitted(t, words.EN)
	f.receive(9, breadGTIN)
	b := f.browser()
	sell := func(station string, paid ...string) {
		t.Helper()
		b.open("/?station=" + station)
		f.must("/v1/stations/"+station+":scan", `{"data":"`+breadGTIN+`"}`)
		if status, _ := b.send("/finish", paid...); status != 200 {
			t.Errorf("finish at %s: %d", station, status)
		}
	}
	sell("back", "paid", "cash")
	sell("counter", "paid", "card")
	f.until("two receipts", func() bool { return len(f.paper.Receipts()) == 2 })
	if got := f.paper.State().Pulses; got != 0 {
		t.Errorf("the coil was driven %d times", got)
	}
	f.scan(breadGTIN)
	f.must("/v1/stations/counter:finishBasket", `{"tender":"TENDER_CARD"}`)
	f.until("three receipts", func() bool { return len(f.paper.Receipts()) == 3 })
	if got := f.paper.State().Pulses; got != 0 {
		t.Errorf("the coil was driven %d times for a card", got)
	}
	f.scan(breadGTIN)
	f.must("/v1/stations/counter:finishBasket", `{"tender":"TENDER_CASH"}`)
	f.until("the drawer, asked by a till", func() bool { return f.paper.State().DrawerOpen })
	f.paper.CloseDrawer()
	sell("counter", "paid", "cash", "request_id", idString(newID()))
	f.until("the drawer", func() bool { return f.paper.State().DrawerOpen })
	f.until("its switch", func() bool {
		_, page := b.open("/devices")
		return strings.Contains(page, "<dt>Cash drawer</dt><dd>open</dd>")
	})
}

func TestADrawerThatIsLeftOpenShowsInTheBar(t *testing.T) {
	f := openFitted(t, words.EN)
	f.paper.OpenDrawer()
	f.until("its switch", func() bool { return f.state("paper").Drawer().String() == "open" })
	looks := map[string]*drawer.Ajar{}
	now := time.Now()
	f.lookAtDrawer(looks, f.state("paper"), now)
	bar := func() string { _, page := f.browser().open("/"); return page }
	if strings.Contains(bar(), "Drawer open") {
		t.Error("a drawer that has just been opened is in the bar")
	}
	f.lookAtDrawer(looks, f.state("paper"), now.Add(2*time.Minute))
	if !strings.Contains(bar(), "Drawer open") {
		t.Error("a drawer that was left open is not in the bar")
	}
	f.paper.CloseDrawer()
	f.until("its switch", func() bool { return f.state("paper").Drawer().String() == "closed" })
	f.lookAtDrawer(looks, f.state("paper"), now.Add(3*time.Minute))
	if strings.Contains(bar(), "Drawer open") {
		t.Error("a drawer that was closed is in the bar")
	}
}

// picked is an order whose one unit is off the shelf.
func (f *fitted) picked(code string) string {
	f.t.Helper()
	id := f.order(code, &recordv1.ReservedLine{Sku: 1, Units: 1, Name: "Rye"})
	f.must("/v1/stations/counter:setMode", `{"mode":"MODE_PICK","reservation":"`+id+`"}`)
	f.must("/v1/pickups/"+id+":pick", `{"gtin":"`+breadGTIN+`"}`)
	return id
}

func TestAnOrderWaitsInACompartmentAndOpensItByItsCode(t *testing.T) {
	f := openFitted(t, words.EN)
	f.receive(50, breadGTIN)
	b := f.browser()
	first := f.picked("7K3M2Q9A")
	if _, page := b.open("/orders/" + first); !strings.Contains(page, "3 compartments free") {
		t.Error("the page does not offer the compartments")
	}
	request := idString(newID())
	for range 2 { // the same request again is the same compartment
		status, page := b.send("/orders/"+first+"/assign", "request_id", request)
		if status != 200 || !strings.Contains(page, "L0-1") {
			t.Fatalf("assign: %d", status)
		}
	}
	if f.wall.Doors()[0].Closed {
		t.Error("the door of the compartment is closed")
	}
	if err := f.wall.Shut(0, 1); err != nil {
		t.Fatal(err)
	}
	second := f.picked("8XXM2Q9B")
	if a := f.scan("SHELF-L0-1"); at(a, "answer", "code") != "SHELF_TAKEN" {
		t.Errorf("a compartment that is taken: %v", at(a, "answer"))
	}
	if a := f.scan("SHELF-L0-2"); at(a, "answer", "ok") != true || f.wall.Doors()[1].Closed {
		t.Errorf("scan of a compartment: %v", at(a, "answer"))
	}
	f.until("the bag labels", func() bool { return len(f.tags.Labels()) == 2 })
	if got := f.tags.Labels()[0].Text; !strings.Contains(got, "7K3M-2Q9A") || !strings.Contains(got, "L0-1") {
		t.Errorf("the first label says %q", got)
	}
	f.must("/v1/stations/counter:setMode", `{"mode":"MODE_COLLECT"}`)
	if err := f.wall.Stick(0, 1, true); err != nil {
		t.Fatal(err)
	}
	a := f.scan("7K3M2Q9A")
	if at(a, "answer", "code") != "LOCKER_DOWN" || !strings.Contains(at(a, "answer", "sentence").(string), "L0-1") {
		t.Errorf("a stuck door: %v", at(a, "answer"))
	}
	if _, order := f.get("/v1/pickups/" + first); at(order, "state") != "ready" {
		t.Errorf("behind a stuck door the order is %v", at(order, "state"))
	}
	if _, page := b.open("/devices"); !strings.Contains(page, "A door did not open for sure") {
		t.Error("the page of devices does not show the stuck door")
	}
	if err := f.wall.Stick(0, 1, false); err != nil {
		t.Fatal(err)
	}
	if a := f.scan("7K3M2Q9A"); at(a, "answer", "ok") != true || f.wall.Doors()[0].Closed {
		t.Errorf("collect: %v", at(a, "answer"))
	}
	f.must("/v1/pickups/"+second+":release", `{}`)
	if all, err := f.o.Floor.Compartments(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("compartments still hold %v, %v", all, err)
	}
}

func TestACompartmentOpensByHandOnlyEmptyAndForSomebody(t *testing.T) {
	f := openFitted(t, words.EN)
	f.receive(50, breadGTIN)
	b := f.browser()
	id := f.picked("7K3M2Q9A")
	b.send("/orders/" + id + "/assign")
	if status, _ := b.send("/lockers/L0-2/open"); status != 401 {
		t.Errorf("nobody opens a door: %d", status)
	}
	b.send("/signin", "name", "Anna", "pin", "1234", "to", "/")
	if status, _ := b.send("/lockers/L0-1/open"); status != 409 {
		t.Errorf("the door of an order: %d", status)
	}
	if status, _ := b.send("/lockers/L0-2/open"); status != 200 || f.wall.Doors()[1].Closed {
		t.Errorf("an empty compartment: %d", status)
	}
	if status, _ := b.send("/lockers/L9-9/open"); status != 503 {
		t.Errorf("no compartment: %d", status)
	}
}

func TestLabelsForShelvesAndProductsAreJobsLikeReceipts(t *testing.T) {
	f := openFitted(t, words.NL)
	b := f.browser()
	if _, page := b.open("/stock?gtin=" + breadGTIN); !strings.Contains(page, "Etiket printen") {
		t.Error("the page of a product offers no label")
	}
	for _, c := range []struct {
		gtin, kind string
		status     int
	}{
		{breadGTIN, kindShelf, 200}, {cheeseGTIN, kindShelf, 200}, {breadGTIN, kindProduct, 200},
		{jamGTIN, kindShelf, 409}, {breadGTIN, "flag", 400},
	} {
		if status, page := b.send("/labels", "gtin", c.gtin, "kind", c.kind); status != c.status {
			t.Errorf("%s for %s: %d %s", c.kind, c.gtin, status, page)
		}
	}
	f.until("three labels", func() bool { return len(f.tags.Labels()) == 3 })
	var symbols []string
	for _, l := range f.tags.Labels() {
		symbols = append(symbols, l.Symbols...)
	}
	if diff := cmp.Diff([]string{"9521234500001", "9521234500018", "9521234500001"}, symbols); diff != "" {
		t.Errorf("symbols (-want +got):\n%s", diff)
	}
	if got := f.tags.Labels()[1].Text; !strings.Contains(got, "1 kg = € 12,90") {
		t.Errorf("the label of weighed goods says %q", got)
	}
	if status, _ := b.send("/jobs/1/reprint"); status != 200 {
		t.Errorf("again: %d", status)
	}
	f.until("a fourth label", func() bool { return len(f.tags.Labels()) == 4 })
	if a, z := f.tags.Labels()[0].Text, f.tags.Labels()[3].Text; a != z {
		t.Errorf("the repeated label says %q, want %q", z, a)
	}
}

func TestAPortThatIsBarredIsNotSaidToBeMissing(t *testing.T) {
	for _, why := range []string{devices.BarredInUse, devices.BarredNoRights} {
		word, level := Condition(devices.State{Phase: devices.Lost, LastError: "x", Barred: why})
		if word != why || level != "bad" {
			t.Errorf("Condition = %s, %s, want %s, bad", word, level, why)
		}
		for _, lang := range words.Langs() {
			for _, part := range []string{"devices.word.", "devices.help."} {
				if bareKey.MatchString(words.T(lang, part+word)) {
					t.Errorf("%s%s has no text in %s", part, word, lang)
				}
			}
		}
	}
}

func TestATroubleThatIsOverIsNamedInEveryLanguage(t *testing.T) {
	f := openFitted(t, words.EN)
	f.paper.SetPaperOut(true)
	f.until("no paper", func() bool { return f.state("paper").Trouble() == "paper_out" })
	f.paper.SetPaperOut(false)
	f.until("paper again", func() bool { return f.state("paper").Phase == devices.Ready })
	b := f.browser()
	for _, lang := range words.Langs() {
		_, page := b.open("/devices?lang=" + string(lang))
		want := template.HTMLEscapeString(words.T(lang, "devices.word.paper_out"))
		if !strings.Contains(page, want) || strings.Contains(page, ">paper_out<") {
			t.Errorf("the page in %s does not call the last trouble %q", lang, want)
		}
	}
}

func TestThePageOfDevicesSaysWhatToDoInEveryLanguage(t *testing.T) {
	f := openFitted(t, words.EN)
	f.receive(50, breadGTIN)
	f.picked("7K3M2Q9A")
	f.scan("SHELF-L0-2")
	b := f.browser()
	troubles := []struct {
		name string
		make func()
		word string
	}{
		{"all is well", func() {}, ""},
		{"paper", func() { f.paper.SetPaperOut(true) }, "paper_out"},
		{"labels", func() { f.tags.SetMedia(false) }, "labels_out"},
		{"head", func() { f.tags.SetMedia(true); f.tags.SetHead(true) }, "head_open"},
		{"board", func() { f.wall.SetBoard(0, false) }, "board_silent"},
		{"scale", func() { f.pan.SetPower(false) }, "silent"},
		{"display", func() { f.eyes.Cable.Unplug() }, "offline"},
	}
	for _, c := range troubles {
		c.make()
		for _, lang := range words.Langs() {
			want := template.HTMLEscapeString(words.T(lang, "devices.help."+c.word))
			f.until(c.name+" in "+string(lang), func() bool {
				_, page := b.open("/devices?lang=" + string(lang))
				if found := bareKey.FindAllString(page, -1); found != nil {
					t.Fatalf("%s: texts are missing: %v", c.name, found)
				}
				return c.word == "" || strings.Contains(page, want)
			})
		}
	}
}
