package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/internal/process"
	storev1 "holdfast.dev/proto/store/v1"
)

// scanPatience bounds how long the bytes of one scan may be under way.
const scanPatience = 5 * time.Second

// noise is what a scanner with a broken cable sends.
const noise = "\x80\xfe\x15\x02\xffqx\x00\x9d\r\n"

// action is one button: it reads its form and does it.
type action func(ctx context.Context, r *http.Request) error

// actions lists every button of the console.
func (c *Console) actions() map[string]action {
	return map[string]action{
		"/cable":   c.moveCable,
		"/power":   c.switchPower,
		"/paper":   c.changePaper,
		"/scanner": c.plugScanner,
		"/scan":    c.scan,
		"/mode":    c.setMode,
		"/finish":  c.finishBasket,
		"/scale":   c.loadScale,
		"/door":    c.moveDoor,
		"/drawer":  c.moveDrawer,
		"/labels":  c.changeLabels,
	}
}

// serveAction does it and answers nothing: the page changes by its events. A
// browser without scripts is sent back.
func (c *Console) serveAction(act action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, process.MaxBody)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "unreadable form", http.StatusBadRequest)
			return
		}
		if err := act(r.Context(), r); err != nil {
			c.room.Log.Add(0, "console.log.fault", "what", err.Error())
		}
		c.poke()
		if r.Header.Get("X-Fragment") == "" {
			http.Redirect(w, r, "/?at="+c.placeOf(r.PostForm.Get("at")).String(), http.StatusSeeOther)
		}
	}
}

func (c *Console) storeOf(r *http.Request) (*demo.Store, error) {
	id, err := strconv.ParseUint(r.PostForm.Get("store"), 10, 32)
	if err == nil {
		if s, ok := c.room.Store(uint32(id)); ok {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no store %.20q", r.PostForm.Get("store"))
}

// moveCable pulls the cable of a store, or puts it in.
func (c *Console) moveCable(_ context.Context, r *http.Request) error {
	s, err := c.storeOf(r)
	if err != nil {
		return err
	}
	if r.PostForm.Get("to") == "out" {
		s.Cable.Cut()
		c.room.Log.Add(s.ID, "console.log.cut")
		return nil
	}
	s.Cable.Plug()
	c.room.Log.Add(s.ID, "console.log.plugged")
	return nil
}

// switchPower kills a program, or starts it again.
func (c *Console) switchPower(_ context.Context, r *http.Request) error {
	if r.PostForm.Get("store") == "" {
		return c.switchMember(r)
	}
	s, err := c.storeOf(r)
	if err != nil {
		return err
	}
	if r.PostForm.Get("to") == "off" {
		c.room.Log.Add(s.ID, "console.log.killed")
		return s.Program.Kill()
	}
	c.room.Log.Add(s.ID, "console.log.started")
	return s.Program.Start()
}

// switchMember kills a process of the cloud, or starts it again.
func (c *Console) switchMember(r *http.Request) error {
	all := c.room.Head.Members
	n, err := strconv.Atoi(r.PostForm.Get("member"))
	if err != nil || n < 1 || n > len(all) {
		return fmt.Errorf("no member %.20q", r.PostForm.Get("member"))
	}
	m, key := all[n-1], "console.log."
	if len(all) > 1 {
		key += "member_"
	}
	if r.PostForm.Get("to") == "off" {
		c.room.Log.Add(0, key+"killed", "n", n)
		return m.Program.Kill()
	}
	c.room.Log.Add(0, key+"started", "n", n)
	return m.Program.Start()
}

// changePaper takes the printer's paper or opens its cover, and the reverse.
func (c *Console) changePaper(_ context.Context, r *http.Request) error {
	s, err := c.storeOf(r)
	if err != nil {
		return err
	}
	switch to := r.PostForm.Get("to"); to {
	case "out", "in":
		s.Printer.SetPaperOut(to == "out")
		c.room.Log.Add(s.ID, "console.log.paper_"+to)
	case "open", "closed":
		s.Printer.SetCover(to == "open")
		c.room.Log.Add(s.ID, "console.log.cover_"+to)
	}
	return nil
}

// plugScanner pulls the cable of a station's scanner, or puts it in.
func (c *Console) plugScanner(_ context.Context, r *http.Request) error {
	p := c.placeOf(r.PostForm.Get("at"))
	scanner := p.Store.Scanners[p.Station]
	if r.PostForm.Get("to") == "out" {
		scanner.Unplug()
		c.room.Log.Add(p.Store.ID, "console.log.scanner_out", "station", p.Station)
		return nil
	}
	c.room.Log.Add(p.Store.ID, "console.log.scanner_in", "station", p.Station)
	return scanner.Plug()
}

// scan lets a scanner send what was clicked: the bytes travel its line.
func (c *Console) scan(ctx context.Context, r *http.Request) error {
	ctx, cancel := context.WithTimeout(ctx, scanPatience)
	defer cancel()
	p := c.placeOf(r.PostForm.Get("at"))
	if r.PostForm.Get("noise") != "" {
		c.room.Log.Add(p.Store.ID, "console.log.noise", "station", p.Station, "n", len(noise))
		return p.Store.Scanners[p.Station].Raw(ctx, []byte(noise))
	}
	code := r.PostForm.Get("code")
	if gtin := r.PostForm.Get("gtin"); gtin != "" {
		c.watch(gtin)
		code = c.label(gtin)
		if c.weighed(p) {
			code = strings.TrimPrefix(gtin, "0")
		}
	}
	if code == "" {
		return nil
	}
	shown := code
	const most = 24
	if len(shown) > most {
		shown = shown[:most] + "…"
	}
	c.room.Log.Add(p.Store.ID, "console.log.scanned", "station", p.Station, "code", shown, "n", len(code)+2)
	return p.Store.Scan(ctx, p.Station, code)
}

// setMode says what the next scans at a station mean, as its kiosk does.
func (c *Console) setMode(ctx context.Context, r *http.Request) error {
	p := c.placeOf(r.PostForm.Get("at"))
	number, err := strconv.ParseInt(r.PostForm.Get("mode"), 10, 32)
	if err != nil {
		return fmt.Errorf("mode %.20q", r.PostForm.Get("mode"))
	}
	ask := &storev1.SetModeRequest{Station: p.Station, Mode: storev1.Mode(number),
		Reservation: r.PostForm.Get("reservation")}
	if ask.Mode == storev1.Mode_MODE_RECEIVE {
		ask.Document = "DEMO-" + time.Now().Format("0102-150405")
	}
	_, err = p.Store.Floor.SetMode(ctx, ask)
	return err
}

// finishBasket ends the basket at a station; its receipt prints.
func (c *Console) finishBasket(ctx context.Context, r *http.Request) error {
	p := c.placeOf(r.PostForm.Get("at"))
	_, err := p.Store.Floor.FinishBasket(ctx, &storev1.FinishBasketRequest{Station: p.Station,
		RequestId: uuid.Must(uuid.NewV7()).String()})
	return err
}
