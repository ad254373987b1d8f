package console

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock/words"
)

// idle is a demo whose programs do nothing, with real cables and devices.
func idle(t *testing.T) *Console { return idleOf(t, 1) }

// idleOf is one whose cloud has so many members.
func idleOf(t *testing.T, members int) *Console {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"holdfast-cloud", "holdfast-node"} {
		script := []byte("#!/bin/sh\nexec sleep 600\n")
		if err := os.WriteFile(filepath.Join(bin, name), script, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	room, err := demo.New(demo.Options{Bin: bin, Data: t.TempDir(), FreePorts: true, Members: members})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := room.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(room)
}

func press(t *testing.T, c *Console, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Fragment", "true")
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s answers %d", path, w.Code)
	}
	return w
}

func TestAClickSendsTheBytesOfTheCodeOverTheLine(t *testing.T) {
	c := idle(t)
	line, err := os.OpenFile(filepath.Join(c.room.Stores[1].Dir, "dev", demo.Desk), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	read := bufio.NewReader(line)
	apples := c.opening[0]
	for _, tt := range []struct {
		name string
		form url.Values
		want string
	}{
		{"product", url.Values{"gtin": {apples.GTIN}}, apples.Label(740) + "\r\n"},
		{"shelf", url.Values{"code": {"SHELF-A1"}}, "SHELF-A1\r\n"},
		{"noise", url.Values{"noise": {"1"}}, noise},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.form.Set("at", "2.desk")
			press(t, c, "/scan", tt.form)
			got := make([]byte, len(tt.want))
			if _, err := io.ReadFull(read, got); err != nil || string(got) != tt.want {
				t.Errorf("the line carries %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	if c.watched != apples.GTIN {
		t.Errorf("the cards show %s after %s was scanned", c.watched, apples.GTIN)
	}
}

func TestButtonsMoveCablesPaperAndPower(t *testing.T) {
	c := idle(t)
	s := c.room.Stores[0]
	plugged := func() bool { in, _ := s.Cable.Plugged(); return in }
	for _, tt := range []struct {
		path, to string
		done     func() bool
	}{
		{"/cable", "out", func() bool { return !plugged() }},
		{"/cable", "in", plugged},
		{"/paper", "out", func() bool { return s.Printer.State().PaperOut }},
		{"/paper", "in", func() bool { return !s.Printer.State().PaperOut }},
		{"/paper", "open", func() bool { return s.Printer.State().CoverOpen }},
		{"/paper", "closed", func() bool { return !s.Printer.State().CoverOpen }},
		{"/scanner", "out", func() bool { return !s.ScannerPlugged(demo.Till) }},
		{"/scanner", "in", func() bool { return s.ScannerPlugged(demo.Till) }},
		{"/power", "on", func() bool { return s.Program.State().Running }},
		{"/power", "off", func() bool { return s.Program.State().Killed && !s.Program.State().Running }},
	} {
		press(t, c, tt.path, url.Values{"store": {"1"}, "at": {"1.till"}, "to": {tt.to}})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := program.Poll(ctx, time.Millisecond, func() error {
			if !tt.done() {
				return context.DeadlineExceeded
			}
			return nil
		})
		cancel()
		if err != nil {
			t.Errorf("%s %s: nothing happened", tt.path, tt.to)
		}
	}
	if last := c.room.Log.Last(1); len(last) != 1 || last[0].Key != "console.log.killed" || last[0].Store != 1 {
		t.Errorf("the log ends with %+v", last)
	}
}

func TestEachMemberHasAPowerSwitch(t *testing.T) {
	c := idleOf(t, 3)
	for i, to := range []string{"on", "off", "on"} {
		press(t, c, "/power", url.Values{"store": {""}, "member": {"2"}, "to": {to}})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := program.Poll(ctx, time.Millisecond, func() error {
			if p := c.room.Head.Members[1].Program.State(); p.Running != (to == "on") {
				return context.DeadlineExceeded
			}
			return nil
		})
		cancel()
		if err != nil {
			t.Errorf("step %d, %s: nothing happened", i, to)
		}
	}
	for _, other := range []int{0, 2} {
		if c.room.Head.Members[other].Program.State().Running {
			t.Errorf("member %d was switched on too", other+1)
		}
	}
	press(t, c, "/power", url.Values{"store": {""}, "member": {"4"}, "to": {"off"}})
	if last := c.room.Log.Last(1); last[0].Key != "console.log.fault" {
		t.Errorf("a member that there is not: %+v", last)
	}
}

func TestWhatDoesNotWorkIsSaidInTheLog(t *testing.T) {
	c := idle(t)
	press(t, c, "/cable", url.Values{"store": {"77"}, "to": {"out"}})
	if last := c.room.Log.Last(1); len(last) != 1 || last[0].Key != "console.log.fault" {
		t.Errorf("the log ends with %+v", last)
	}
}

func TestForeignPagesPressNoButtons(t *testing.T) {
	c := idle(t)
	r := httptest.NewRequest(http.MethodPost, "/cable", strings.NewReader("store=1&to=out"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, r)
	if in, _ := c.room.Stores[0].Cable.Plugged(); w.Code != http.StatusForbidden || !in {
		t.Errorf("a foreign page got %d", w.Code)
	}
}

func TestThePageStandsWhileAllProgramsAreDown(t *testing.T) {
	c := idle(t)
	r := httptest.NewRequest(http.MethodGet, "/?at=3.stockroom", nil)
	r.Header.Set("Accept-Language", "da")
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, r)
	page := w.Body.String()
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, page)
	}
	for _, want := range []string{`lang="da"`, "Odense", "butikscomputeren svarer ikke", "3 butikker, ét løfte"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// busy is a snapshot in which everything that the page can say happens.
func busy(c *Console) *snapshot {
	now := timestamppb.New(time.Now())
	seen := &snapshot{Product: "09520001000010", Names: map[words.Lang]string{words.NL: "Roggeknäcke",
		words.DA: "Knækbrød", words.DE: "Knäckebrot", words.EN: "Crispbread"},
		Members: c.lookAtMembers(context.Background())}
	for i, s := range []demo.Standing{{ID: "a", Voter: true, Leader: true, Applied: 1234}, {ID: "b", Voter: true, Applied: 1230},
		{ID: "c", Applied: 7}, {ID: "d", Problem: "no"}, {}}[:len(seen.Members)] {
		seen.Members[i].Program = program.State{Running: i != 4, Restarts: i}
		seen.Members[i].Standing = s
	}
	for i, s := range c.room.Stores {
		seen.Stores = append(seen.Stores, storeNow{Store: s, Plugged: i > 0, Changed: time.Now(),
			Node: program.State{Running: i > 0, Killed: i == 0, Restarts: i},
			Info: &storev1.Node{Link: &storev1.Link{State: []string{"offline", "catching_up", "online"}[i],
				Since: now, Backlog: uint64(3 - i)}},
			Stock:    &storev1.Stock{Sellable: 4, Online: 3, Reserved: 2, Staged: 1},
			Online:   &shopv1.Availability{Available: int32(i), Connected: i > 0},
			State:    &shopv1.StoreState{},
			Stations: map[string]*storev1.Station{demo.Till: {Mode: storev1.Mode(i + 1), Basket: []*storev1.BasketLine{{}}}},
			Heard:    heard{Station: demo.Till, At: time.Now(), Answer: &storev1.Answer{Ok: i > 0, Sentence: "<b>said</b>"}},
			Paper:    printer.State{PaperOut: i == 1, CoverOpen: i == 2},
			Receipts: []printer.Receipt{{Number: 7, Text: "Tjalk", At: time.Now()}},
			Extras:   lookAtExtras(s.Extras)})
	}
	for state := range shopv1.ReservationState_name {
		if state != 0 {
			seen.Stores[0].Orders = append(seen.Stores[0].Orders, &shopv1.Reservation{Code: "7K3M-2Q9A",
				State: shopv1.ReservationState(state), FirstName: "Mette",
				Lines: []*shopv1.ReservationLine{{Name: "Crispbread", Quantity: 2}}})
		}
	}
	return seen
}

func TestEveryWordOfThePageIsThereInEveryLanguage(t *testing.T) {
	c := idleOf(t, 5)
	c.room.Log.Add(0, "console.log.member_killed", "n", 2)
	c.room.Log.Add(0, "console.log.member_started", "n", 2)
	for _, s := range c.room.Stores {
		for _, to := range []string{"cut", "plugged", "killed", "started", "paper_out", "paper_in", "cover_open", "cover_closed",
			"drawer_open", "drawer_shut", "labels_in", "labels_out"} {
			c.room.Log.Add(s.ID, "console.log."+to)
		}
	}
	c.room.Log.Add(1, "console.log.scanned", "station", demo.Till, "code", "SHELF-A1", "n", 10)
	c.room.Log.Add(1, "console.log.load", "n", 350)
	for _, to := range []string{"shut", "jam", "free"} {
		c.room.Log.Add(1, "console.log.door_"+to, "door", "L0-1")
	}
	c.room.Log.Add(1, "console.log.noise", "station", demo.Desk, "n", 11)
	c.room.Log.Add(0, "console.log.fault", "what", "no")
	c.seen = busy(c)
	for _, lang := range words.Langs() {
		for _, mode := range []storev1.Mode{0, 1, 2, 3, 4, 5, 6, 7, 8} {
			c.seen.Stores[0].Stations[demo.Till].Mode = mode
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: langCookie, Value: string(lang)})
			all, err := pieces(c.view(r))
			if err != nil {
				t.Fatal(err)
			}
			for id, html := range all {
				if i := strings.Index(html, "console."); i >= 0 {
					t.Errorf("%s in %s has no words for %.40s", id, lang, html[i:])
				}
				if strings.Contains(html, "<b>said") {
					t.Errorf("%s does not escape what others say", id)
				}
				if !strings.Contains(html, `id="`+id+`"`) {
					t.Errorf("%s would not be found again", id)
				}
			}
		}
	}
}

func TestEventsBringThePartsThatChanged(t *testing.T) {
	c := idle(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go c.Run(ctx)
	server := httptest.NewServer(c.Handler())
	defer server.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events?at=1.till", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	c.room.Stores[0].Cable.Cut()
	c.room.Log.Add(1, "console.log.cut")
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"id":"store-1"`) && strings.Contains(lines.Text(), "is-cut") {
			return
		}
	}
	t.Errorf("no event says that the cable is out: %v", lines.Err())
}

func TestReceiptsAreServedAsTheyWerePrinted(t *testing.T) {
	c := idle(t)
	device, err := os.OpenFile(c.room.Stores[0].Printer.State().Address, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	const cut = "\x1dV\x42\x00" // GS V 66 0: feed and cut
	if _, err := io.WriteString(device, "Tjalk Utrecht\nTOTAAL 8,27\n\n\n\n"+cut); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	err = program.Poll(ctx, time.Millisecond, func() error {
		if w := get("/receipts/1/1.txt"); !strings.Contains(w.Body.String(), "TOTAAL 8,27") {
			return os.ErrNotExist
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := get("/receipts/1/1.png"); w.Header().Get("Content-Type") != "image/png" || w.Body.Len() == 0 {
		t.Errorf("the picture is %s of %d bytes", w.Header().Get("Content-Type"), w.Body.Len())
	}
	for _, path := range []string{"/receipts/1/2.png", "/receipts/9/1.png", "/receipts/1/..%2f1.png"} {
		if w := get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s answers %d", path, w.Code)
		}
	}
}
