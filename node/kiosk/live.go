package kiosk

import (
	"context"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"time"

	"holdfast.dev/internal/process"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock/words"
)

// settle is how long a page waits for more of the same before it is drawn
// again; an answer to a scan does not wait.
const settle = 50 * time.Millisecond

// watcher keeps one open page up to date.
type watcher struct {
	*view
	stream *process.Stream
	sent   map[string]template.HTML // each part as it stands in the browser, without its sound
	heard  int64                    // the newest answer whose sound was made
}

// live pushes the parts of one page whenever they change.
func (k *Kiosk) live(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i := slices.IndexFunc(k.screens(), func(s screen) bool { return s.name == q.Get("page") })
	lang, known := words.ParseLang(q.Get("lang"))
	if i < 0 || !known || !k.configured(q.Get("station")) {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	events, leave := k.events.subscribe(q.Get("station"))
	defer leave()
	stream, ctx, err := process.OpenStream(w, r)
	if err != nil {
		return // the browser went away
	}
	p := &watcher{view: k.newView(lang), stream: stream, sent: make(map[string]template.HTML)}
	p.RequestID = "" // the script of the page makes one for each try
	p.screen, p.arg, p.Station.Name = k.screens()[i], q.Get("arg"), q.Get("station")
	if err := p.run(ctx, events); err != nil && ctx.Err() == nil {
		k.log.Debug("live page ended", "path", p.screen.path, "err", err)
	}
}

func (p *watcher) run(ctx context.Context, events <-chan *storev1.Event) error {
	if err := p.push(ctx, true); err != nil {
		return err
	}
	quiet := time.NewTicker(beat)
	defer quiet.Stop()
	if err := p.stream.Send("", "beat", "{}"); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-quiet.C:
			if err := p.stream.Send("", "beat", "{}"); err != nil {
				return err
			}
		case e, open := <-events:
			if !open {
				return nil // too slow: the browser comes back
			}
			if !p.matters(e, events) {
				continue
			}
			if err := p.push(ctx, false); err != nil {
				return err
			}
		}
	}
}

// matters tells whether the page must be drawn again. It takes what else
// happened at the same time, so that a burst is drawn once.
func (p *watcher) matters(e *storev1.Event, events <-chan *storev1.Event) bool {
	wanted := false
	wait := time.NewTimer(settle)
	defer wait.Stop()
	for {
		if e.GetKind() == "answer" {
			p.Fault = e.GetAnswer().GetCode() == codeFault
			return true
		}
		wanted = wanted || !slices.Contains(p.screen.deaf, e.GetKind())
		if !wanted {
			return false
		}
		select {
		case next, open := <-events:
			if !open {
				return true
			}
			e = next
		case <-wait.C:
			return true
		}
	}
}

// push sends the parts that differ from what the browser has. The first time
// it sends all, silently: the page was just loaded.
func (p *watcher) push(ctx context.Context, first bool) error {
	if err := p.k.seat(ctx, p.view); err != nil {
		return err
	}
	if err := p.screen.load(ctx, p.view); err != nil {
		return err
	}
	loud := p.Fault
	if last := p.Station.Last; last != nil && last.At != p.heard {
		p.heard, loud = last.At, true
	}
	for _, part := range append([]string{"status", "banner"}, p.screen.parts...) {
		p.Sound = false
		quiet, err := p.render(part)
		if err != nil {
			return err
		}
		if p.sent[part] == quiet {
			continue
		}
		p.sent[part] = quiet
		out := quiet
		if p.Sound = loud && !first; p.Sound {
			if out, err = p.render(part); err != nil {
				return err
			}
		}
		if err := p.send(part, out); err != nil {
			return err
		}
	}
	return nil
}

func (p *watcher) send(part string, html template.HTML) error {
	raw, err := json.Marshal(map[string]string{"id": part, "html": string(html)})
	if err != nil {
		return err
	}
	return p.stream.Send("", "html", string(raw))
}
