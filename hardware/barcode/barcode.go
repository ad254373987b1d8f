// Package barcode drives scanners that send each symbol as a frame of bytes
// over a serial line or a network: it finds the frames and tells noise apart.
package barcode

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast.dev/hardware"
)

// Defaults of a Config's fields that are zero.
const (
	DefaultMaxFrame = 8 << 10 // the largest QR code holds 7089 characters
	// DefaultIdleGap ends a frame of a scanner without suffix: ten times what
	// a scanner at 300 baud needs between two bytes.
	DefaultIdleGap = 100 * time.Millisecond
	// DefaultTornGap ends a frame whose suffix does not come. It is long, since
	// a machine that was busy for a moment must not tear a symbol in two.
	DefaultTornGap = time.Second
)

// chunkBytes is how many bytes are taken from the port at a time.
const chunkBytes = 1024

// Suffix says what ends a symbol, as the scanner is set up.
type Suffix uint8

// Suffixes. Any other byte is data, such as a line feed inside a QR code with
// suffix ETX.
const (
	Auto   Suffix = iota // CR, LF or CR LF; most scanners as they come
	CR                   // carriage return, 0D
	LF                   // line feed, 0A
	CRLF                 // the two, in this order
	TAB                  // horizontal tab, 09
	ETX                  // 03; an STX, 02, before the symbol is dropped
	Silent               // nothing: silence ends a symbol
)

var suffixNames = map[string]Suffix{
	"": Auto, "auto": Auto, "cr": CR, "lf": LF, "crlf": CRLF, "tab": TAB, "etx": ETX, "none": Silent,
}

// ParseSuffix returns the suffix that a configuration names: auto, cr, lf,
// crlf, tab, etx or none; empty is auto.
func ParseSuffix(name string) (Suffix, error) {
	if s, ok := suffixNames[name]; ok {
		return s, nil
	}
	return Auto, fmt.Errorf("suffix %q is none of auto, cr, lf, crlf, tab, etx, none", name)
}

// Config says how a scanner is set up. The zero value suits most.
type Config struct {
	Suffix Suffix
	// IdleGap is the silence that ends a frame without its suffix. With suffix
	// Silent the frame is a symbol; otherwise it is garbage. Zero: the default.
	IdleGap  time.Duration
	MaxFrame int // longest symbol in bytes; zero: DefaultMaxFrame
	// MinRescan drops a read that equals the one before and comes within this
	// time, for a presentation scanner that sees an item again while it lies
	// there. Zero delivers each.
	MinRescan time.Duration
}

// Scanner reads symbols from a port. It is a hardware.Scanner.
type Scanner struct {
	port       hardware.Port
	cfg        Config
	last       hardware.Read
	suppressed atomic.Uint64
}

// New makes a scanner of a port that is open. It serves one Run, which closes
// the port.
func New(port hardware.Port, cfg Config) *Scanner {
	if cfg.MaxFrame == 0 {
		cfg.MaxFrame = DefaultMaxFrame
	}
	if cfg.IdleGap == 0 {
		cfg.IdleGap = DefaultTornGap
		if cfg.Suffix == Silent {
			cfg.IdleGap = DefaultIdleGap
		}
	}
	return &Scanner{port: port, cfg: cfg}
}

// Suppressed counts the reads that MinRescan dropped.
func (s *Scanner) Suppressed() uint64 { return s.suppressed.Load() }

// chunk is what one read of the port gave.
type chunk struct {
	data   []byte
	at     time.Time
	waited time.Duration // how long the line was silent before, at least
}

// Run delivers reads until ctx ends (nil) or the port fails (a fault). A frame
// that was not complete by then is dropped.
func (s *Scanner) Run(ctx context.Context, deliver func(hardware.Read)) error {
	ctx, cancel := context.WithCancel(ctx)
	chunks, failed := make(chan chunk), make(chan error, 1)
	pumped := make(chan struct{})
	go func() {
		defer close(pumped)
		failed <- s.pump(ctx, chunks)
	}()
	defer func() {
		cancel()
		s.port.Close() // wakes the pump
		<-pumped
	}()
	return s.frame(ctx, chunks, failed, deliver)
}

// frame cuts chunks into reads. Silence is time that the pump waited for the
// port: when deliver blocks, bytes wait in the kernel, and that is no silence.
func (s *Scanner) frame(
	ctx context.Context, chunks <-chan chunk, failed <-chan error, deliver func(hardware.Read),
) error {
	frames := framer{suffix: s.cfg.Suffix, maxFrame: s.cfg.MaxFrame, deliver: s.unlessRescan(deliver)}
	var last time.Time
	silence := time.NewTimer(s.cfg.IdleGap)
	defer silence.Stop()
	take := func(c chunk) {
		if c.waited >= s.cfg.IdleGap {
			frames.gap(last)
		}
		for _, b := range c.data {
			frames.push(b, c.at)
		}
		last = c.at
		silence.Reset(s.cfg.IdleGap)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-chunks:
			take(c)
		case err := <-failed:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-silence.C:
			select {
			case c := <-chunks: // it came before the silence was noticed
				take(c)
			default:
				frames.gap(last)
			}
		}
	}
}

// pump hands on what the port reads, until the port fails or ctx ends.
func (s *Scanner) pump(ctx context.Context, chunks chan<- chunk) error {
	buffer := make([]byte, chunkBytes)
	for {
		began := time.Now()
		n, err := s.port.Read(buffer)
		if err != nil {
			return fmt.Errorf("read scanner: %w", err)
		}
		now := time.Now()
		select {
		case chunks <- chunk{bytes.Clone(buffer[:n]), now, now.Sub(began)}:
		case <-ctx.Done():
			return nil
		}
	}
}

// unlessRescan wraps deliver so that it passes over what MinRescan forbids.
func (s *Scanner) unlessRescan(deliver func(hardware.Read)) func(hardware.Read) {
	if s.cfg.MinRescan == 0 {
		return deliver
	}
	return func(read hardware.Read) {
		again := read.AIM == s.last.AIM && bytes.Equal(read.Data, s.last.Data) &&
			read.At.Sub(s.last.At) < s.cfg.MinRescan
		s.last = read
		if again {
			s.suppressed.Add(1)
			return
		}
		deliver(read)
	}
}
