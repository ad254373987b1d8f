package wire

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Panel is the page and the API of a simulated device. It trusts whoever can
// reach it, so it belongs on the loopback.
type Panel struct {
	Title string
	View  func() View
	// Picture gives a PNG, if the device has something to look at.
	Picture func() []byte
	// Do are the things that a person can do, by name, with their fields.
	Do map[string]func(fields url.Values) error
	// Cable, if not nil, adds what can be done to the line.
	Cable *Cable
}

// View is what a page shows of a device at a moment.
type View struct {
	Facts   []Fact   `json:"facts"`
	Cells   []Cell   `json:"cells,omitempty"`
	Actions []Action `json:"actions,omitempty"`
	Picture string   `json:"picture,omitempty"` // changes when the picture does
}

// Fact is one line about the device.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Bad   bool   `json:"bad,omitempty"`
}

// Cell is one of many equal parts, such as a door.
type Cell struct {
	Name    string   `json:"name"`
	Value   string   `json:"value"`
	Lit     bool     `json:"lit,omitempty"`
	Bad     bool     `json:"bad,omitempty"`
	Actions []Action `json:"actions,omitempty"`
}

// Action is a button; Fields with an empty value are asked for on the page.
type Action struct {
	Label  string            `json:"label"`
	Do     string            `json:"do"`
	Fields map[string]string `json:"fields,omitempty"`
}

//go:embed panel.html
var panelPage []byte

// Handler serves the page, its picture and its API: GET /view, GET /picture.png,
// POST /do/{name} with form fields, GET and POST /faults.
func (p Panel) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(panelPage)
	})
	mux.HandleFunc("GET /view", p.serveView)
	mux.HandleFunc("GET /picture.png", p.servePicture)
	mux.HandleFunc("POST /do/{name}", p.serveDo)
	if p.Cable != nil {
		mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, p.Cable.Faults())
		})
		mux.HandleFunc("POST /faults", p.setFaults)
	}
	return http.NewCrossOriginProtection().Handler(mux)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}

func (p Panel) serveView(w http.ResponseWriter, _ *http.Request) {
	view := p.View()
	if p.Cable != nil {
		view.Facts = append(view.Facts, p.lineFacts()...)
		view.Actions = append(view.Actions, p.lineActions()...)
	}
	answer(w, struct {
		Title string `json:"title"`
		View
	}{p.Title, view})
}

func (p Panel) lineFacts() []Fact {
	address := p.Cable.Address()
	if !p.Cable.Plugged() {
		return []Fact{{Name: "cable", Value: "pulled", Bad: true}}
	}
	facts := []Fact{{Name: "cable", Value: address}}
	if f := p.Cable.Faults(); f != (Faults{}) {
		facts = append(facts, Fact{Name: "line", Value: fmt.Sprintf("%+v", f), Bad: true})
	}
	return facts
}

func (p Panel) lineActions() []Action {
	faults := p.Cable.Faults()
	cable := Action{Label: "Pull the cable", Do: "unplug"}
	if !p.Cable.Plugged() {
		cable = Action{Label: "Plug the cable in", Do: "plug"}
	}
	noise := Action{Label: "Noise on the line", Do: "line",
		Fields: map[string]string{"flip": "20", "lose": "20"}}
	mute := Action{Label: "No answer", Do: "line", Fields: map[string]string{"mute": "true"}}
	if faults != (Faults{}) {
		return []Action{cable, {Label: "Good line", Do: "line"}}
	}
	return []Action{cable, noise, mute}
}

func (p Panel) servePicture(w http.ResponseWriter, _ *http.Request) {
	if p.Picture == nil {
		http.Error(w, "this device shows nothing", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(p.Picture())
}

func (p Panel) serveDo(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	do, ok := p.Do[r.PathValue("name")]
	if !ok {
		do, ok = p.cableDo(r.PathValue("name"))
	}
	if !ok {
		http.Error(w, "nothing is called that", http.StatusNotFound)
		return
	}
	if err := do(r.PostForm); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p Panel) cableDo(name string) (func(url.Values) error, bool) {
	if p.Cable == nil {
		return nil, false
	}
	switch name {
	case "plug":
		return func(url.Values) error { return p.Cable.Plug() }, true
	case "unplug":
		return func(url.Values) error { p.Cable.Unplug(); return nil }, true
	case "line":
		return p.line, true
	}
	return nil, false
}

// line sets faults from form fields; without any the line is good.
func (p Panel) line(fields url.Values) error {
	f := Faults{Deaf: fields.Get("deaf") == "true", Mute: fields.Get("mute") == "true",
		Echo: fields.Get("echo") == "true"}
	for name, to := range map[string]*int{
		"flip": &f.Flip, "lose": &f.Lose, "burst": &f.Burst, "cut": &f.Cut,
	} {
		n, err := Number(fields, name, 0)
		if err != nil {
			return err
		}
		*to = n
	}
	delay, err := Number(fields, "delay_ms", 0)
	if err != nil {
		return err
	}
	f.Delay = time.Duration(delay) * time.Millisecond
	p.Cable.SetFaults(f)
	return nil
}

func (p Panel) setFaults(w http.ResponseWriter, r *http.Request) {
	var f Faults
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&f); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.Cable.SetFaults(f)
	answer(w, p.Cable.Faults())
}

// Number reads a whole number of a form; absent gives otherwise.
func Number(fields url.Values, name string, otherwise int) (int, error) {
	text := fields.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s %q: want a whole number", name, text)
	}
	return n, nil
}
