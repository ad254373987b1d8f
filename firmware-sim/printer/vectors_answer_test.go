package printer

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/receipt/session"
	"holdfast.dev/hardware/star"
)

// mouth is a port at whose other end a test speaks as a printer would.
type mouth struct {
	answer func(question []byte) []byte
	say    chan []byte

	mu     sync.Mutex
	closed chan struct{}
	down   bool // guarded by mu
}

func (m *mouth) Read(p []byte) (int, error) {
	select {
	case said := <-m.say:
		return copy(p, said), nil
	case <-m.closed:
		return 0, hardware.ErrGone
	}
}

func (m *mouth) Write(p []byte) (int, error) {
	if said := m.answer(p); len(said) > 0 {
		m.say <- said
	}
	return len(p), nil
}

func (m *mouth) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.down {
		m.down = true
		close(m.closed)
	}
	return nil
}

// conversation is a driver that listens to what a test says.
type conversation struct {
	*mouth
	statuses chan hardware.PrinterStatus
}

const patience = 10 * time.Second

// converse starts a driver. Answers are given by the question.
func converse(t *testing.T, answer func([]byte) []byte,
	open func(hardware.Port) *session.Printer) *conversation {
	t.Helper()
	c := &conversation{&mouth{answer: answer, say: make(chan []byte, 100),
		closed: make(chan struct{})},
		make(chan hardware.PrinterStatus, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	driver := open(c.mouth)
	go func() { done <- driver.Run(ctx, func(s hardware.PrinterStatus) { c.statuses <- s }) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return c
}

func (c *conversation) status(t *testing.T) hardware.PrinterStatus {
	t.Helper()
	select {
	case s := <-c.statuses:
		return s
	case <-time.After(patience):
		t.Fatal("the driver tells no state")
		return hardware.PrinterStatus{}
	}
}

func openEpson(port hardware.Port) *session.Printer {
	p := escpos.Profiles[0]
	p.Timing = session.Timing{Answer: patience, Poll: time.Hour}
	return escpos.New(port, p)
}

func openStar(port hardware.Port) *session.Printer {
	p := star.Profiles[0]
	p.Timing = session.Timing{Answer: patience, Poll: time.Hour}
	return star.New(port, p)
}

// healthy answers as an Epson that is well, but for question n.
func healthy(n, b byte) func([]byte) []byte {
	return func(q []byte) []byte {
		switch {
		case bytes.HasPrefix(q, []byte("\x10\x14\x08")):
			return []byte("\x37\x25\x00")
		case bytes.HasPrefix(q, []byte("\x10\x04")) && q[2] == n:
			return []byte{b}
		case bytes.HasPrefix(q, []byte("\x10\x04")):
			return []byte{0x12}
		}
		return nil
	}
}

// means says what a driver must make of the words of a row. What the words do
// not speak of is not compared.
func (r row) means(t *testing.T, got hardware.PrinterStatus) {
	t.Helper()
	words := strings.ToLower(r.expected)
	has := func(s string) bool { return strings.Contains(words, s) }
	noNear := strings.ReplaceAll(strings.ReplaceAll(words, "no near-end sensor", ""), "near end",
		"")
	for what, c := range map[string]struct{ said, got, want bool }{
		"online": {has("offline") || has("online") && !has("recovery") || has("all well"),
			got.Online, !has("offline")},
		"cover open": {has("cover"), got.CoverOpen, has("cover open")},
		"paper low":  {has("near end") || has("paper ok"), got.PaperLow, has("near end")},
		"paper out": {has("end") || has("paper ok"), got.PaperOut,
			paperEnd.MatchString(noNear) && r.speaksOfPaper()},
		"knife":  {has("cutter"), got.CutterError, has("cutter")},
		"drawer": {has("pin"), got.DrawerOpen, has("pin high")},
	} {
		if c.said && c.got != c.want {
			t.Errorf("the driver says that %s is %v, want %v", what, c.got, c.want)
		}
	}
}

// speaksOfPaper is false where paper end is only why it is offline.
func (r row) speaksOfPaper() bool { return !strings.Contains(r.meaning, "10 04 02") }

var paperEnd = regexp.MustCompile(`\bend\b`)

// become brings a simulated printer into the state that a row tells of.
func (r row) become(m *machine) {
	words := strings.ToLower(r.expected)
	has := func(s string) bool { return strings.Contains(words, s) }
	end := strings.ReplaceAll(strings.ReplaceAll(words, "no near-end sensor", ""), "near end", "")
	m.paperOut = paperEnd.MatchString(end)
	m.paperLow = strings.Contains(strings.ReplaceAll(words, "no near-end sensor", ""), "near end")
	m.model.NoNearEnd = m.paperOut && !m.paperLow
	m.cover = has("cover open")
	m.jammed = has("cutter")
	m.stalled = has("mechanical")
	m.broken = has("unrecoverable") || has("error present")
	m.hot = has("auto-recoverable") || has("automatic recovery") || has("hot head")
	m.feeding = has("feed button") || has("feeding")
	m.drawer.open = has("pin high")
	if (has("offline") || has("waiting")) && !m.offline() {
		m.cover = true // some cause that the answer does not name
	}
}

var asked = regexp.MustCompile(`answer to ((?:[0-9A-F]{2} )+[0-9A-F]{2})`)

// checkAnswer checks bytes that an ESC/POS printer says: what the driver makes
// of them, and that the simulated printer says the same in the same state.
func (r row) checkAnswer(t *testing.T) {
	switch r.area {
	case "DLE-EOT":
		r.checkStatusByte(t)
	case "ASB":
		r.checkAutomatic(t)
	case "GS-R":
		r.checkSensor(t)
	case "GS-I":
		r.checkIdentity(t)
	case "GS-(H":
		m := newBench(escposLanguage)
		m.feed([]byte("x\n\x1d(H\x06\x0000" + string(r.bytes[2:6])))
		r.equals(t, m.out)
		if id := regexp.MustCompile(`id (\S+)`).FindStringSubmatch(r.expected); id != nil &&
			id[1] != string(r.bytes[2:6]) {
			t.Errorf("id %q, want %q", r.bytes[2:6], id[1])
		}
	case "FLOW":
		r.checkFlow(t)
	case "ROBUST":
		r.checkGarbage(t)
	default:
		t.Errorf("no rule for what a printer says in area %s", r.area)
	}
}

func (r row) equals(t *testing.T, got []byte) {
	t.Helper()
	if !bytes.Equal(got, r.bytes) {
		t.Errorf("the printer says % X, want % X", got, r.bytes)
	}
}

var namedBits = regexp.MustCompile(`\(bits? (\d)(?:,(\d))?\)`)

func (r row) checkStatusByte(t *testing.T) {
	question := asked.FindStringSubmatch(r.meaning)
	if question == nil || len(r.bytes) != 1 {
		t.Fatalf("which question? %q", r.meaning)
	}
	n, b := unhex(question[1])[2], r.bytes[0]
	if b&0x93 != 0x12 {
		t.Errorf("%02X has not the pattern of an answer", b)
	}
	for _, said := range namedBits.FindAllStringSubmatch(r.expected, -1) {
		for _, bit := range said[1:] {
			if fixed := bit == "0" || bit == "1" || bit == "4" || bit == "7"; bit != "" &&
				(fixed || b>>number(bit)&1 == 0) {
				t.Errorf("bit %s of %02X says nothing", bit, b)
			}
		}
	}
	c := converse(t, healthy(n, b), openEpson)
	r.means(t, c.status(t))

	m := newBench(escposLanguage)
	r.become(m.machine)
	m.answerStatus(n)
	ignored := byte(0)
	if n == 1 { // why it is offline, and the drawer, if the words leave that open
		ignored |= bit(!strings.Contains(r.expected, "pin"), 0x04) | bit(m.feeding, 0x08)
		ignored |= bit(strings.Contains(r.expected, "waiting"), 0x20)
	}
	if got := m.out[0]; got&^ignored != b&^ignored {
		t.Errorf("the printer says %02X, want %02X", got, b)
	}
}

func (r row) checkAutomatic(t *testing.T) {
	c := converse(t, healthy(0, 0), openEpson)
	c.status(t)
	c.say <- r.bytes
	r.means(t, c.status(t))

	m := newBench(escposLanguage)
	deselected := strings.Contains(r.meaning, "deselected")
	if deselected {
		m.feed([]byte("\x1da\x0f\x1b=\x02"))
	}
	r.become(m.machine)
	got := m.statusESC()
	if deselected { // its words do not name the state
		m.out, m.paperOut, m.paperLow = nil, r.bytes[2]&0x0c != 0, r.bytes[2]&0x03 != 0
		m.cover, m.feeding, m.hot = r.bytes[0]&0x20 != 0, r.bytes[0]&0x40 != 0, r.bytes[1]&0x40 != 0
		m.step(m.clock)
		got = m.out
	}
	ignored := []byte{bit(!strings.Contains(r.expected, "pin"),
		0x04) | bit(!strings.Contains(r.expected, "offline"), 0x08),
		0x01, 0, 0xff}
	if len(got) != 4 {
		t.Fatalf("the printer says % X", got)
	}
	for i := range got {
		if got[i]&^ignored[i] != r.bytes[i]&^ignored[i] {
			t.Errorf("the printer says % X, want % X", got, r.bytes)
			break
		}
	}
}

// checkSensor compares GS r. Paper that ended has no near end where the row
// says so by its bits alone.
func (r row) checkSensor(t *testing.T) {
	question := asked.FindStringSubmatch(r.meaning)
	if question == nil {
		t.Fatalf("which question? %q", r.meaning)
	}
	m := newBench(escposLanguage)
	r.become(m.machine)
	m.transmit(unhex(question[1])[2])
	r.equals(t, m.out)
}

func (r row) checkIdentity(t *testing.T) {
	said := regexp.MustCompile(`"([^"]+)"`).FindStringSubmatch(r.expected)
	m := newBench(escposLanguage)
	if said != nil {
		m.model.Name = said[1]
		m.identify(67)
		r.equals(t, m.out)
	}
	if len(r.bytes) > 1 && (r.bytes[0] != 0x5f || r.bytes[len(r.bytes)-1] != 0) {
		t.Errorf("% X is not a text of GS I", r.bytes)
	}
}

var thresholds = regexp.MustCompile(`(?:<=|>=) ?(\d+)(?: bytes)?(?: \(4 KB buffer\))? (?:or|\(or) (\d+)`)

// checkFlow fills a buffer and empties it, and looks at what is free when the
// printer says the byte.
func (r row) checkFlow(t *testing.T) {
	said := thresholds.FindStringSubmatch(r.expected)
	if said == nil {
		said = []string{"", "", ""}
	}
	for i, size := range []int{4096, 45} {
		m := newBench(escposLanguage)
		m.size, m.model.Flow, m.cover = size, FlowXON, true
		at := -1
		for at < 0 && m.free() > 0 {
			m.feed([]byte("x"))
			if bytes.Contains(m.out, r.bytes) {
				at = m.free()
			}
		}
		for m.cover = false; at < 0 && len(m.queue) > 0; {
			m.queue = m.queue[1:]
			m.flow(0)
			if bytes.Contains(m.out, r.bytes) {
				at = m.free()
			}
		}
		if want := said[1+i]; at < 0 || want != "" && fmt.Sprint(at) != want {
			t.Errorf("buffer of %d bytes: said with %d free, want %s", size, at, want)
		}
	}
}

// checkGarbage says what is no status to a driver: its state must not change.
func (r row) checkGarbage(t *testing.T) {
	c := converse(t, healthy(0, 0), openEpson)
	first := c.status(t)
	c.say <- r.bytes
	c.say <- []byte("\x10\x00\x00\x0f") // the next that makes sense
	second := c.status(t)
	first.At, second.At = time.Time{}, time.Time{}
	if first != second {
		t.Errorf("garbage made %+v of %+v", second, first)
	}
	select {
	case s := <-c.statuses:
		t.Errorf("garbage was told as %+v", s)
	default:
	}
}
