package process

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	barWidth      = 30
	redrawEvery   = 100 * time.Millisecond
	printLineEach = 5 * time.Second
)

// Progress shows how far a long job is: as a bar that moves on a terminal, as a
// plain line every few seconds elsewhere. Its methods may be called from any
// goroutine.
type Progress struct {
	w        io.Writer
	label    string
	total    int64
	terminal bool

	mu      sync.Mutex
	done    int64
	started time.Time
	shown   time.Time
	told    int64 // what the last line said
}

// NewProgress shows label and a bar of total steps on w; a total of zero means
// that nobody knows.
func NewProgress(w io.Writer, label string, total int64) *Progress {
	p := &Progress{w: w, label: label, total: total, terminal: isTerminal(w), started: time.Now()}
	p.shown = p.started
	if p.terminal {
		p.show()
	}
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Add counts n more steps.
func (p *Progress) Add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	every := printLineEach
	if p.terminal {
		every = redrawEvery
	}
	if now := time.Now(); now.Sub(p.shown) >= every {
		p.shown = now
		p.show()
	}
}

// Close shows the final count and leaves the line.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		p.show()
		fmt.Fprintln(p.w)
	} else if p.told != p.done || p.done == 0 {
		p.show()
	}
}

func (p *Progress) show() {
	p.told = p.done
	if !p.terminal {
		fmt.Fprintln(p.w, p.label+": "+p.count())
		return
	}
	const clear = "\r\x1b[K" // to the start of the line, erase it
	fmt.Fprint(p.w, clear+p.label+" "+p.bar()+p.count())
}

func (p *Progress) bar() string {
	if p.total <= 0 {
		return ""
	}
	full := int(min(p.done, p.total) * barWidth / p.total)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] "
}

func (p *Progress) count() string {
	spent := time.Since(p.started)
	if p.total <= 0 {
		return fmt.Sprintf("%d, %s", p.done, spent.Round(time.Second))
	}
	text := fmt.Sprintf("%d of %d (%d %%)", p.done, p.total, p.done*100/p.total)
	if p.done >= p.total {
		return text + ", " + spent.Round(100*time.Millisecond).String()
	}
	if p.done > 0 && spent >= time.Second {
		left := time.Duration(float64(spent) * float64(p.total-p.done) / float64(p.done))
		text += ", about " + left.Round(time.Second).String() + " left"
	}
	return text
}
