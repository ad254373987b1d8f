package scanner_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/scanner"
)

// shown is the state that the API tells.
type shown struct {
	Path    string
	Plugged bool
	Faults  scanner.Faults
	Count   int
	Last    []scanner.Symbol
	Said    string
}

// hand is a control and a way to order it about.
type hand struct {
	t      *testing.T
	server *httptest.Server
}

func control(t *testing.T, s *scanner.Scanner) hand {
	t.Helper()
	products := []scanner.Product{
		{Code: "4006381333931", Name: "Pen <blue>"}, {Code: "8710398500014", Name: "Crisps"},
	}
	server := httptest.NewServer(scanner.NewControl(s, products).Handler())
	t.Cleanup(server.Close)
	return hand{t, server}
}

func (h hand) order(path string, form url.Values) (int, shown) {
	h.t.Helper()
	answer, err := http.PostForm(h.server.URL+path, form)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	var now shown
	if err := json.NewDecoder(answer.Body).Decode(&now); err != nil {
		h.t.Fatalf("%s: %v", path, err)
	}
	return answer.StatusCode, now
}

func TestTheAPIScansAndBreaksTheScanner(t *testing.T) {
	s := start(t, scanner.Options{Baud: lineBaud, SendAIM: true})
	host := listen(t, s.Path(), lineBaud)
	h := control(t, s)

	status, now := h.order("/scan", url.Values{"code": {"4006381333931"}, "times": {"2"}})
	if status != http.StatusOK || now.Said != "Scanned 4006381333931 2 times" || now.Count != 2 {
		t.Errorf("scan = %d, %+v", status, now)
	}
	for range 2 {
		if r := host.next(t); r.AIM != "]E0" || string(r.Data) != "4006381333931" {
			t.Errorf("read %+v", r)
		}
	}
	_, now = h.order("/faults", url.Values{"double": {"1"}, "slow": {"1ms"}, "seed": {"7"},
		"split": {""}})
	want := scanner.Faults{Double: 1, Slow: 1e6, Seed: 7}
	if diff := cmp.Diff(want, now.Faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if _, now = h.order("/scan", url.Values{"code": {"A1"}, "aim": {"]X0"}}); now.Count != 4 {
		t.Errorf("a doubled scan makes %d", now.Count)
	}
	if r := host.next(t); r.AIM != "]X0" {
		t.Errorf("read %+v", r)
	}
	if _, now = h.order("/faults", url.Values{"half_open": {"on"}}); !now.Faults.HalfOpen {
		t.Errorf("faults = %+v", now.Faults)
	}
	h.order("/faults", nil)
	h.order("/next", url.Values{"fault": {"wrong_check"}})
	h.order("/scan", url.Values{"code": {"4006381333931"}})
	_, now = h.order("/scan", url.Values{"code": {"4006381333931"}})
	if now.Last[1].Code != "4006381333932" || now.Last[0].Code != "4006381333931" {
		t.Errorf("sent %+v, want the first with another last digit", now.Last)
	}
	if _, now = h.order("/restart", nil); !now.Plugged || now.Said != "Restarted" {
		t.Errorf("restart = %+v", now)
	}
	if _, now = h.order("/unplug", nil); now.Plugged {
		t.Error("still plugged in")
	}
	if status, now = h.order("/scan", url.Values{"code": {"x"}}); status != http.StatusConflict ||
		!strings.Contains(now.Said, "unplugged") {
		t.Errorf("scan while unplugged = %d, %q", status, now.Said)
	}
	if _, now = h.order("/plug", nil); !now.Plugged {
		t.Error("still unplugged")
	}
}

func TestTheAPIRefusesWhatCannotBe(t *testing.T) {
	h := control(t, start(t, scanner.Options{Baud: lineBaud}))
	for _, c := range []struct {
		path string
		form url.Values
		says string
	}{
		{"/scan", nil, "no code"},
		{"/scan", url.Values{"code": {"x"}, "times": {"0"}}, "not 1 to 1000"},
		{"/next", url.Values{"fault": {"fire"}}, "none of damage, double"},
		{"/faults", url.Values{"fire": {"1"}}, "fire"},
		{"/faults", url.Values{"split": {"2"}}, "no share from 0 to 1"},
		{"/faults", url.Values{"split": {"much"}}, "no number"},
		{"/faults", url.Values{"slow": {"1"}}, "slow"},
		{"/faults", url.Values{"slow": {"-1s"}}, "below zero"},
	} {
		if status, now := h.order(c.path, c.form); status != http.StatusConflict ||
			!strings.Contains(now.Said, c.says) {
			t.Errorf("%s %v = %d, %q; want it to say %q", c.path, c.form, status, now.Said, c.says)
		}
	}
	foreign, _ := http.NewRequest("POST", h.server.URL+"/unplug", nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	if answer, err := http.DefaultClient.Do(foreign); err != nil ||
		answer.StatusCode != http.StatusForbidden {
		t.Errorf("another page's order = %v, %v; want it forbidden", answer, err)
	}
}

// get asks as a browser does.
func (h hand) get(method, path string) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequest(method, h.server.URL+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer, string(text)
}

func TestThePageShowsProductsToClick(t *testing.T) {
	h := control(t, start(t, scanner.Options{Baud: lineBaud}))
	answer, page := h.get("GET", "/")
	for _, want := range []string{
		`<button name="code" value="4006381333931">`, "Pen &lt;blue&gt;", "Crisps", "2 of 2",
		"Pull the cable",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	csp := answer.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy = %q", csp)
	}
	_, page = h.get("GET", "/?q=CRI")
	if strings.Contains(page, "Pen") || !strings.Contains(page, "Crisps") {
		t.Error("the search does not find crisps alone")
	}
	answer, page = h.get("POST", "/unplug")
	if answer.Request.URL.Path != "/" || !strings.Contains(page, "Plug the cable in") {
		t.Errorf("after a click the browser is at %s", answer.Request.URL)
	}
	if answer, style := h.get("GET", "/page.css"); answer.StatusCode != http.StatusOK ||
		style == "" {
		t.Error("the page has no style")
	}
}

func TestProductsAreReadByTheirColumns(t *testing.T) {
	const file = "name,price,gtin,aim\nPen,100,4006381333931,]E0\n"
	got, err := scanner.ReadProducts(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	want := []scanner.Product{{Code: "4006381333931", AIM: "]E0", Name: "Pen"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}
	for name, text := range map[string]string{
		"no header": "", "no code": "name\nPen\n", "a short row": "code,name\n1\n",
	} {
		if _, err := scanner.ReadProducts(strings.NewReader(text)); err == nil {
			t.Errorf("a file with %s is read", name)
		}
	}
}
