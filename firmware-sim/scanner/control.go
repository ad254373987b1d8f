package scanner

import (
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what a client may ask for.
const (
	maxForm     = 64 << 10
	maxTimes    = 1000             // scans by one click
	maxScan     = 20 * time.Second // that one request may take
	maxProducts = 20000
	maxShown    = 120 // products on the page
	lastShown   = 12  // symbols sent, on the page and in the state
)

// Product is something to scan.
type Product struct {
	Code string
	AIM  string // empty: told from the code
	Name string
}

// ReadProducts reads a CSV file with a header line: the column code or gtin, and
// name and aim if there are.
func ReadProducts(from io.Reader) ([]Product, error) {
	rows := csv.NewReader(from)
	head, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	code := max(slices.Index(head, "code"), slices.Index(head, "gtin"))
	name, aim := slices.Index(head, "name"), slices.Index(head, "aim")
	if code < 0 {
		return nil, errors.New("read products: no column is called code or gtin")
	}
	var all []Product
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read products: %w", err)
		case len(all) == maxProducts:
			return nil, fmt.Errorf("read products: more than %d", maxProducts)
		}
		p := Product{Code: row[code], Name: row[code]}
		if name >= 0 {
			p.Name = row[name]
		}
		if aim >= 0 {
			p.AIM = row[aim]
		}
		all = append(all, p)
	}
}

// aimOf is what a scanner says of a symbol when nobody else does.
func aimOf(code string) string {
	digits := strings.Trim(code, "0123456789") == ""
	switch {
	case digits && len(code) == 13:
		return "]E0"
	case digits && len(code) == 8:
		return "]E4"
	case strings.HasPrefix(code, "http"):
		return "]Q1"
	case strings.ContainsRune(code, 0x1D):
		return "]d2"
	}
	return "]C0"
}

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle []byte

// Control is the hand that holds a scanner: pages and an API to scan with it
// and to break it. It trusts whoever can reach it.
type Control struct {
	scanner  *Scanner
	products []Product
	page     *template.Template

	mu   sync.Mutex
	said string // how the last order ended
}

// NewControl makes a control of a scanner, with products to scan.
func NewControl(s *Scanner, products []Product) *Control {
	page := template.Must(template.New("page").Parse(pageText))
	return &Control{scanner: s, products: products, page: page}
}

// Handler serves the page and the API. Orders are forms; the answer is the
// state as JSON, or the page for a browser.
func (c *Control) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", c.servePage)
	m.HandleFunc("GET /page.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write(pageStyle)
	})
	m.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		c.tell(w, http.StatusOK)
	})
	m.HandleFunc("POST /scan", c.order(c.scan))
	m.HandleFunc("POST /faults", c.order(c.setFaults))
	m.HandleFunc("POST /next", c.order(func(r *http.Request) (string, error) {
		fault := r.PostForm.Get("fault")
		return "The next symbol: " + fault, c.scanner.Next(fault)
	}))
	m.HandleFunc("POST /plug", c.order(func(*http.Request) (string, error) {
		return "Plugged in", c.scanner.Plug()
	}))
	m.HandleFunc("POST /unplug", c.order(func(*http.Request) (string, error) {
		c.scanner.Unplug()
		return "Unplugged", nil
	}))
	m.HandleFunc("POST /restart", c.order(func(*http.Request) (string, error) {
		c.scanner.Restart()
		return "Restarted", nil
	}))
	return http.NewCrossOriginProtection().Handler(m)
}

// order makes a handler of what a form asks for, which says how it ended.
func (c *Control) order(do func(*http.Request) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		said, status := "", http.StatusOK
		err := r.ParseForm()
		if err == nil {
			said, err = do(r)
		}
		if err != nil {
			said, status = "error: "+err.Error(), http.StatusConflict
		}
		c.mu.Lock()
		c.said = said
		c.mu.Unlock()
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.Redirect(w, r, "/?q="+template.URLQueryEscaper(r.PostForm.Get("q")),
				http.StatusSeeOther)
			return
		}
		c.tell(w, status)
	}
}

// scan reads a symbol, or several times the same.
func (c *Control) scan(r *http.Request) (string, error) {
	code, aim, times := r.PostForm.Get("code"), r.PostForm.Get("aim"), 1
	if text := r.PostForm.Get("times"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxTimes {
			return "", fmt.Errorf("times %q is not 1 to %d", text, maxTimes)
		}
		times = n
	}
	if code == "" {
		return "", errors.New("there is no code to scan")
	}
	if aim == "" {
		aim = aimOf(code)
	}
	began := time.Now()
	for n := range times {
		if time.Since(began) > maxScan {
			return fmt.Sprintf("Scanned %s %d times; there was no time for more", code, n), nil
		}
		if err := c.scanner.Scan(r.Context(), code, aim); err != nil {
			return "", err
		}
	}
	if times > 1 {
		return fmt.Sprintf("Scanned %s %d times", code, times), nil
	}
	return "Scanned " + code, nil
}

// setFaults replaces the faults. What the form does not name is off.
func (c *Control) setFaults(r *http.Request) (string, error) {
	named := map[string]any{}
	for name, values := range r.PostForm {
		if values[0] == "" || name == "q" {
			continue
		}
		number, err := strconv.ParseFloat(values[0], 64)
		switch {
		case name == "half_open":
			named[name] = values[0] == "on" || values[0] == "true"
		case name == "slow":
			slow, err := time.ParseDuration(values[0])
			if err != nil {
				return "", fmt.Errorf("slow: %w", err)
			}
			named[name] = slow
		case err != nil:
			return "", fmt.Errorf("%s %q is no number", name, values[0])
		default:
			named[name] = number
		}
	}
	text, err := json.Marshal(named)
	if err != nil {
		return "", err
	}
	var f Faults
	fields := json.NewDecoder(strings.NewReader(string(text)))
	fields.DisallowUnknownFields()
	if err := fields.Decode(&f); err != nil {
		return "", fmt.Errorf("faults: %w", err)
	}
	return "Faults are set", c.scanner.SetFaults(f)
}

// state is what the page shows.
type state struct {
	Path    string   `json:"path"`
	Mode    Mode     `json:"mode"`
	Baud    int      `json:"baud"`
	Plugged bool     `json:"plugged"`
	Faults  Faults   `json:"faults"`
	Beeps   int      `json:"beeps"`
	Count   int      `json:"count"` // of the symbols that left whole
	Last    []Symbol `json:"last"`  // the newest of them first
	Said    string   `json:"said"`
}

func (c *Control) state() state {
	sent := c.scanner.Sent()
	last := slices.Clone(sent[max(0, len(sent)-lastShown):])
	slices.Reverse(last)
	c.mu.Lock()
	defer c.mu.Unlock()
	return state{
		Path: c.scanner.Path(), Mode: c.scanner.opts.Mode, Baud: c.scanner.opts.Baud,
		Plugged: c.scanner.plugged() != nil, Faults: c.scanner.Faults(), Beeps: c.scanner.Beeps(),
		Count: len(sent), Last: last, Said: c.said,
	}
}

func (c *Control) tell(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(c.state()) // who has gone away hears nothing
}

// share is one fault on the page.
type share struct {
	Name  string
	Share float64
}

func (c *Control) servePage(w http.ResponseWriter, r *http.Request) {
	q := strings.ToLower(r.URL.Query().Get("q"))
	shown := []Product{}
	for _, p := range c.products {
		if len(shown) < maxShown && (strings.Contains(strings.ToLower(p.Name), q) ||
			strings.Contains(p.Code, q)) {
			shown = append(shown, p)
		}
	}
	now := c.state()
	shares := []share{}
	for _, name := range FaultNames() {
		shares = append(shares, share{name, now.Faults.shares()[name]})
	}
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.page.Execute(w, map[string]any{ // who has gone away sees nothing
		"State": now, "Products": shown, "Total": len(c.products), "Q": r.URL.Query().Get("q"),
		"Shares": shares,
	})
}
