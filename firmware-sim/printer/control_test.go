package printer_test

import (
	"encoding/json"
	"flag"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/printer"
)

var update = flag.Bool("update", false, "write COMMANDS.md and the golden pictures anew")

func TestTheListOfCommandsIsThatOfTheCode(t *testing.T) {
	const path = "COMMANDS.md"
	if *update {
		if err := os.WriteFile(path, []byte(printer.CommandsText()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), printer.CommandsText()); diff != "" {
		t.Error(diff)
	}
}

// panel is a printer with its page.
type panel struct {
	*printer.Printer
	t   *testing.T
	url string
}

func openPanel(t *testing.T) *panel {
	p := start(t, printer.Options{})
	server := httptest.NewServer(p.Handler())
	t.Cleanup(server.Close)
	return &panel{p, t, server.URL}
}

func (p *panel) get(path string) *http.Response {
	p.t.Helper()
	r, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { r.Body.Close() })
	return r
}

func (p *panel) post(path string) int {
	p.t.Helper()
	r, err := http.Post(p.url+path, "", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}

func (p *panel) state(query string) (s struct {
	Version  uint64
	PaperOut bool
	Text     string
	Commands []printer.Parsed
	Receipts []struct{ Number int }
}) {
	p.t.Helper()
	if err := json.NewDecoder(p.get("/state" + query).Body).Decode(&s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

func TestThePageShowsTheReceiptWhileItPrints(t *testing.T) {
	p := openPanel(t)
	conn := dial(t, p.Printer)
	print(t, conn, "\x1b@half a receipt\n")
	s := p.state("")
	if s.Text != "half a receipt\n" || len(s.Receipts) != 0 {
		t.Errorf("state %+v", s)
	}
	want := []printer.Parsed{{Name: "ESC @", Bytes: "1B 40"},
		{Name: "text", Text: "half a receipt"},
		{Name: "LF", Bytes: "0A"}}
	if diff := cmp.Diff(want, s.Commands[:3]); diff != "" {
		t.Error(diff)
	}
	if img, err := png.Decode(p.get("/paper.png").Body); err != nil || img.Bounds().Dx() != 576 {
		t.Errorf("paper: %v", err)
	}
	print(t, conn, cut)
	if s := p.state("?since=" + decimal(s.Version)); len(s.Receipts) != 1 || s.Version == 0 {
		t.Errorf("state %+v", s)
	}
	for path, kind := range map[string]string{
		"/receipts/1.png": "image/png", "/receipts/1.txt": "text/plain; charset=utf-8",
		"/receipts/1.json": "application/json", "/": "text/html; charset=utf-8",
		"/commands.md": "text/markdown; charset=utf-8",
	} {
		if r := p.get(path); r.StatusCode != 200 || r.Header.Get("Content-Type") != kind {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/receipts/2.png", "/receipts/x", "/receipts/1.exe", "/nothing"} {
		if r := p.get(path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestQuestionsOfAHostDoNotBuryWhatItPrints(t *testing.T) {
	p := openPanel(t)
	conn := dial(t, p.Printer)
	const rounds = 3000
	send(t, conn, strings.Repeat("\x10\x04\x01\x10\x04\x02", rounds))
	expect(t, conn, strings.Repeat("\x12", 2*rounds))
	print(t, conn, "\x1b@text\n")
	want := []printer.Parsed{
		{Name: "DLE EOT", Bytes: "10 04 01", Times: rounds}, {Name: "DLE EOT", Bytes: "10 04 02", Times: rounds},
		{Name: "ESC @", Bytes: "1B 40"}, {Name: "text", Text: "text"}, {Name: "LF", Bytes: "0A"},
	}
	if diff := cmp.Diff(want, p.state("").Commands[:len(want)]); diff != "" {
		t.Error(diff)
	}
	if r := p.post("/after/unplug?bytes=x"); r != http.StatusBadRequest {
		t.Errorf("a number that is none: %d", r)
	}
}

func decimal(n uint64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestWhateverThePageDoesCanBeUndone(t *testing.T) {
	p := openPanel(t)
	before := p.State()
	for _, name := range strings.Fields("paper-out paper-low cover cutter-jam stalled hot broken feed drawer stuck " +
		"wrong-page mute unplug power-off") {
		if got := p.post("/do/" + name); got != 204 {
			t.Errorf("%s: %d", name, got)
		}
		if p.State() == before && name != "wrong-page" && name != "mute" {
			t.Errorf("%s changed nothing", name)
		}
		if got := p.post("/do/" + name + "?on=false"); got != 204 {
			t.Errorf("%s undone: %d", name, got)
		}
		if diff := cmp.Diff(before, p.State()); diff != "" {
			t.Errorf("%s is not undone: %s", name, diff)
		}
	}
	for path, want := range map[string]int{
		"/do/magic": 404, "/after/magic?bytes=1": 400, "/after/unplug": 400, "/after/unplug?bytes=9": 204,
	} {
		if got := p.post(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}
