// Package scanner is the firmware of a serial barcode scanner, on a pseudo
// terminal: for demos and tests without a device. It shares no code with the
// driver, so that the two do not agree on a mistake.
package scanner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// ErrUnplugged says that the cable is out, or was pulled during the call.
var ErrUnplugged = errors.New("scanner unplugged")

// ErrNotRead says that the host has stopped taking bytes.
var ErrNotRead = errors.New("host does not read the scanner's line")

// Factory settings.
const (
	DefaultBaud   = 9600
	DefaultSuffix = "\r\n"
)

const (
	bitsPerByte  = 10              // start, eight data, stop
	hostPatience = 2 * time.Second // the host response time-out of most scanners
)

// Options says how the scanner is set up.
type Options struct {
	Link     string // stable name to point at the line, as udev would; may be empty
	Baud     int    // zero: DefaultBaud
	Suffix   string // sent after each symbol; empty: DefaultSuffix
	NoSuffix bool   // send no suffix
	SendAIM  bool   // send the AIM identifier before each symbol
}

// Scanner is a scanner that is switched on. Its methods may be called together;
// it sends one symbol at a time.
type Scanner struct {
	opts    Options
	sending chan struct{} // holds a token while a symbol is being sent

	mu    sync.Mutex
	cable *cable // nil while unplugged
}

// cable is one plugging-in of the scanner.
type cable struct {
	master *os.File
	line   *os.File      // the host's end; held open so that a host may come and go
	quiet  chan struct{} // closed when nothing reads the master any more
}

// Start switches a scanner on and plugs it in.
func Start(opts Options) (*Scanner, error) {
	if opts.Baud == 0 {
		opts.Baud = DefaultBaud
	}
	if opts.Suffix == "" {
		opts.Suffix = DefaultSuffix
	}
	if opts.NoSuffix {
		opts.Suffix = ""
	}
	if _, ok := speeds[opts.Baud]; !ok {
		return nil, fmt.Errorf("start scanner: no line runs at %d baud", opts.Baud)
	}
	s := &Scanner{opts: opts, sending: make(chan struct{}, 1)}
	if err := s.Plug(); err != nil {
		return nil, err
	}
	return s, nil
}

// Path is the name by which a host opens the line: the link if there is one.
// It is empty for a scanner that is unplugged and has no link.
func (s *Scanner) Path() string {
	if s.opts.Link != "" {
		return s.opts.Link
	}
	if c := s.plugged(); c != nil {
		return c.line.Name()
	}
	return ""
}

// Plug plugs the cable in: a new device appears, and the link points at it.
func (s *Scanner) Plug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cable != nil {
		return nil
	}
	c, err := plugIn(s.opts.Baud)
	if err != nil {
		return fmt.Errorf("plug scanner in: %w", err)
	}
	if err := point(s.opts.Link, c.line.Name()); err != nil {
		c.pull()
		return fmt.Errorf("plug scanner in: %w", err)
	}
	s.cable = c
	return nil
}

// Unplug pulls the cable: the host's device hangs up and its link vanishes.
func (s *Scanner) Unplug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cable == nil {
		return
	}
	if target, err := os.Readlink(s.opts.Link); err == nil && target == s.cable.line.Name() {
		os.Remove(s.opts.Link)
	}
	s.cable.pull()
	s.cable = nil
}

// Close switches the scanner off.
func (s *Scanner) Close() error {
	s.Unplug()
	return nil
}

// Scan sends a symbol as the firmware does when the trigger is pulled, at the
// pace of the line. The AIM identifier, such as "]E0", is sent if so set up.
func (s *Scanner) Scan(ctx context.Context, code string, aim string) error {
	frame := code + s.opts.Suffix
	if s.opts.SendAIM {
		frame = aim + frame
	}
	return s.Raw(ctx, []byte(frame))
}

// Raw sends bytes as they are, at the pace of the line. A host that has set
// another speed receives what its hardware would make of the signal.
func (s *Scanner) Raw(ctx context.Context, data []byte) error {
	select {
	case s.sending <- struct{}{}:
		defer func() { <-s.sending }()
	case <-ctx.Done():
		return fmt.Errorf("scan: %w", ctx.Err())
	}
	c := s.plugged()
	if c == nil {
		return fmt.Errorf("scan: %w", ErrUnplugged)
	}
	if host := c.hostBaud(); host != s.opts.Baud {
		data = resample(data, s.opts.Baud, host)
	}
	if err := c.send(ctx, data, s.opts.Baud); err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	return nil
}

func (s *Scanner) plugged() *cable {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cable
}

func plugIn(baud int) (*cable, error) {
	blocking, line, err := pty.Open()
	if err != nil {
		return nil, err
	}
	master, err := unblock(blocking)
	if err != nil {
		line.Close()
		return nil, err
	}
	if err := setRaw(line, baud); err != nil {
		line.Close()
		master.Close()
		return nil, err
	}
	c := &cable{master, line, make(chan struct{})}
	go func() {
		defer close(c.quiet)
		io.Copy(io.Discard, master) // what a host says to a scanner without commands
	}()
	return c, nil
}

func (c *cable) pull() {
	c.master.Close() // hangs up the host
	c.line.Close()
	<-c.quiet
}

// send writes each byte when the line would have carried its stop bit.
func (c *cable) send(ctx context.Context, data []byte, baud int) error {
	began := time.Now()
	tick := time.NewTimer(0)
	defer tick.Stop()
	for sent := 0; sent < len(data); {
		tick.Reset(time.Until(began.Add(lineTime(sent+1, baud))))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		due := min(bytesIn(time.Since(began), baud), len(data))
		if err := c.write(data[sent:due]); err != nil {
			return err
		}
		sent = max(sent, due)
	}
	return nil
}

func (c *cable) write(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if err := c.master.SetWriteDeadline(time.Now().Add(hostPatience)); err != nil {
		return ErrUnplugged
	}
	_, err := c.master.Write(data)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrNotRead
	case errors.Is(err, fs.ErrClosed), errors.Is(err, unix.EIO):
		return ErrUnplugged
	}
	return err
}

// lineTime is how long a line takes to carry n bytes.
func lineTime(n, baud int) time.Duration {
	return time.Duration(n) * bitsPerByte * time.Second / time.Duration(baud)
}

func bytesIn(d time.Duration, baud int) int {
	return int(d * time.Duration(baud) / (bitsPerByte * time.Second))
}

// point makes link lead to target at once, with no moment without a link.
func point(link, target string) error {
	if link == "" {
		return nil
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("%s exists and is no link", link)
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	fresh := fmt.Sprintf("%s.%d", link, os.Getpid())
	os.Remove(fresh)
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}
