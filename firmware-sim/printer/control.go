package printer

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed control.html
var controlPage []byte

// watchWait bounds how long a page waits for something new.
const watchWait = 3 * time.Second

// Handler serves a page that shows the receipt as it prints, and the API behind
// it:
//
//	GET  /state             what State says, and the receipts
//	GET  /state?since=n     the same, once it is newer than n or time is up
//	GET  /paper.png         the paper behind the knife and under the head
//	GET  /receipts/7.png    a receipt; .txt its transcript, .json its commands
//	GET  /commands.md       what the printer understands
//	POST /do/paper-out      a fault or its end, by name; ?on=false takes it back
//	POST /after/unplug?bytes=100
//
// It trusts whoever can reach it, so it belongs on the loopback.
func (p *Printer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(controlPage)
	})
	mux.HandleFunc("GET /state", p.serveState)
	mux.HandleFunc("GET /paper.png", p.servePaper)
	mux.HandleFunc("GET /receipts/{file}", p.serveReceipt)
	mux.HandleFunc("GET /commands.md", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
		fmt.Fprint(w, CommandsText())
	})
	mux.HandleFunc("POST /do/{fault}", p.serveDo)
	mux.HandleFunc("POST /after/{fault}", p.serveAfter)
	return mux
}

// snapshot is the answer to GET /state.
type snapshot struct {
	State
	Version  uint64     `json:"version"`
	Dots     int        `json:"dots"`
	Language string     `json:"language"`
	Fault    string     `json:"fault,omitempty"`
	Text     string     `json:"text"`     // on the paper that is not cut yet
	Commands []Parsed   `json:"commands"` // the last of them
	Receipts []numbered `json:"receipts"` // newest first
}

type numbered struct {
	Number   int      `json:"number"`
	Text     string   `json:"text"`
	Warnings []string `json:"warnings"`
	At       string   `json:"at"`
}

// shownReceipts and shownCommands bound what a page gets.
const shownReceipts, shownCommands = 20, 200

func (p *Printer) serveState(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.ParseUint(r.URL.Query().Get("since"), 10, 64)
	if err == nil {
		p.waitNewer(r, since)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(p.snapshot())
}

func (p *Printer) waitNewer(r *http.Request, than uint64) {
	late := time.NewTimer(watchWait)
	defer late.Stop()
	for {
		changed := p.Watch()
		if p.version() > than {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (p *Printer) version() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changes
}

func (p *Printer) snapshot() snapshot {
	s := snapshot{Version: p.version(), Dots: p.options.Dots, Commands: []Parsed{},
		Receipts: []numbered{}}
	p.order(func() {
		strip := p.machine.strip
		s.Text = strip.text(len(strip.rows) + 1)
		s.Commands = append(s.Commands, strip.done[max(0, len(strip.done)-shownCommands):]...)
		s.Language = p.machine.lang.name
	})
	s.State = p.State()
	if s.State.Fault != nil {
		s.Fault = s.State.Fault.Error()
	}
	all := p.Receipts()
	for i := len(all) - 1; i >= max(0, len(all)-shownReceipts); i-- {
		s.Receipts = append(s.Receipts, numbered{all[i].Number, all[i].Text, all[i].Warnings,
			all[i].At.Format(time.TimeOnly)})
	}
	return s
}

func (p *Printer) servePaper(w http.ResponseWriter, _ *http.Request) {
	var picture *bitmap
	p.order(func() { picture = p.machine.strip.picture(len(p.machine.strip.rows)) })
	if picture == nil {
		http.Error(w, "the printer is gone", http.StatusGone)
		return
	}
	file, err := encodePNG(picture)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(file)
}

func (p *Printer) serveReceipt(w http.ResponseWriter, r *http.Request) {
	name, kind, _ := strings.Cut(r.PathValue("file"), ".")
	number, err := strconv.Atoi(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	for _, receipt := range p.Receipts() {
		if receipt.Number != number {
			continue
		}
		switch kind {
		case "png":
			http.ServeFile(w, r, receipt.PNG)
		case "txt":
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprint(w, receipt.Text)
		case "json":
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(receipt.Commands)
		default:
			http.NotFound(w, r)
		}
		return
	}
	http.NotFound(w, r)
}

var errUnknownDeed = errors.New("nothing is called so")

// deeds are what can be done to a printer by name; on is false to undo it.
func (p *Printer) deeds() map[string]func(on bool) error {
	plain := func(do func(bool)) func(bool) error {
		return func(on bool) error { do(on); return nil }
	}
	return map[string]func(bool) error{
		"paper-out":  plain(p.SetPaperOut),
		"paper-low":  plain(p.SetPaperLow),
		"cover":      plain(p.SetCover),
		"cutter-jam": plain(p.SetCutterJam),
		"stalled":    plain(p.SetStalled),
		"hot":        plain(p.SetHot),
		"broken":     plain(p.SetBroken),
		"feed":       plain(p.SetFeeding),
		"stuck":      plain(p.SetDrawerStuck),
		"wrong-page": plain(p.SetWrongPage),
		"mute":       plain(p.SetMute),
		"tear": plain(func(on bool) {
			if on {
				p.Tear()
			}
		}),
		"drawer": plain(func(on bool) {
			if on {
				p.OpenDrawer()
				return
			}
			p.CloseDrawer()
		}),
		"power-off": func(on bool) error {
			if on {
				p.PowerOff()
				return nil
			}
			return p.PowerOn()
		},
		"unplug": func(on bool) error {
			if on {
				p.Unplug()
				return nil
			}
			return p.Plug()
		},
	}
}

func (p *Printer) serveDo(w http.ResponseWriter, r *http.Request) {
	do, ok := p.deeds()[r.PathValue("fault")]
	if !ok {
		http.Error(w, errUnknownDeed.Error(), http.StatusNotFound)
		return
	}
	if err := do(r.URL.Query().Get("on") != "false"); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p *Printer) serveAfter(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("bytes")
	bytes, err := strconv.Atoi(text)
	if err != nil {
		err = fmt.Errorf("bytes %q: want a whole number", text)
	} else {
		err = p.After(bytes, Fault(r.PathValue("fault")))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
