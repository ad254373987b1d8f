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

// maxNAKs is how often in a row a scanner is asked to send again.
const maxNAKs = 3

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
	"": Auto, "auto": Auto, "cr": CR, "lf": LF, "crlf": CRLF, "tab": TAB, "etx": ETX,
	"none": Silent,
}

// ParseSuffix returns the suffix that a configuration names: auto, cr, lf,
// crlf, tab, etx or none; empty is auto.
func ParseSuffix(name string) (Suffix, error) {
	if s, ok := suffixNames[name]; ok {
		return s, nil
	}
	return Auto, fmt.Errorf("suffix %q is none of auto, cr, lf, crlf, tab, etx, none", name)
}

// AIM says whether a scanner puts the AIM identifier of ISO/IEC 15424, such as
// "]E0", before each symbol.
type AIM uint8

// AIM settings. A scanner that always sends it shows that no frame has lost
// its beginning.
const (
	AIMAuto   AIM = iota // taken off where there is one
	AIMAlways            // a frame without it is garbage
	AIMNever             // what looks like one is data
)

var aimNames = map[string]AIM{"": AIMAuto, "auto": AIMAuto, "always": AIMAlways, "never": AIMNever}

// ParseAIM returns the setting that a configuration names: auto, always or
// never; empty is auto.
func ParseAIM(name string) (AIM, error) {
	if a, ok := aimNames[name]; ok {
		return a, nil
	}
	return AIMAuto, fmt.Errorf("AIM setting %q is none of auto, always, never", name)
}

// Config says how a scanner is set up. The zero value suits most.
type Config struct {
	Suffix Suffix
	// Prefix is what the scanner sends before each symbol. A frame without it
	// has lost its beginning and is garbage.
	Prefix string
	AIM    AIM
	// CodeIDs tells which AIM identifier each of the vendor's own code
	// identifiers stands for; "" drops one that stands for none. They are told
	// from data by this table only, since most are plain letters.
	CodeIDs map[string]string
	// Handshake answers each symbol with ACK once it was delivered, and noise
	// with NAK, for a scanner that waits for this.
	Handshake bool
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
	suppressed atomic.Uint64
	naks       int   // in a row
	unanswered error // why an answer could not be sent
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

// Chunk is what one read of a port gave.
type Chunk struct {
	Data   []byte
	At     time.Time
	Waited time.Duration // how long the line was silent before, at least
}

// Run delivers reads until ctx ends (nil) or the port fails (a fault). A frame
// that was not complete by then is dropped.
func (s *Scanner) Run(ctx context.Context, deliver func(hardware.Read)) error {
	ctx, cancel := context.WithCancel(ctx)
	chunks, failed := make(chan Chunk), make(chan error, 1)
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		failed <- Listen(ctx, s.port, chunks)
	}()
	defer func() {
		cancel()
		s.port.Close() // wakes Listen
		<-listened
	}()
	return s.frame(ctx, chunks, failed, deliver)
}

// frame cuts chunks into reads. Silence is time that Listen waited for the
// port: when deliver blocks, bytes wait in the kernel, and that is no silence.
func (s *Scanner) frame(
	ctx context.Context, chunks <-chan Chunk, failed <-chan error, deliver func(hardware.Read),
) error {
	deliver = s.answered(ctx, Distinct(deliver, s.cfg.MinRescan, &s.suppressed))
	frames := framer{cfg: s.cfg, deliver: deliver}
	var last time.Time
	silence := time.NewTimer(s.cfg.IdleGap)
	defer silence.Stop()
	take := func(c Chunk) {
		if c.Waited >= s.cfg.IdleGap {
			frames.gap(last)
		}
		for _, b := range c.Data {
			frames.push(b, c.At)
		}
		last = c.At
		silence.Reset(s.cfg.IdleGap)
	}
	for s.unanswered == nil {
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
	return fmt.Errorf("answer scanner: %w", s.unanswered)
}

// Listen hands on what a port reads, until the port fails or ctx ends.
func Listen(ctx context.Context, port hardware.Port, chunks chan<- Chunk) error {
	buffer := make([]byte, chunkBytes)
	for {
		began := time.Now()
		n, err := port.Read(buffer)
		if err != nil {
			return fmt.Errorf("read scanner: %w", err)
		}
		now := time.Now()
		select {
		case chunks <- Chunk{bytes.Clone(buffer[:n]), now, now.Sub(began)}:
		case <-ctx.Done():
			return nil
		}
	}
}

// answered wraps deliver so that a scanner with a handshake hears of each read
// after it was delivered. A scanner drops what was refused three times, so
// noise is not refused for ever.
func (s *Scanner) answered(
	ctx context.Context, deliver func(hardware.Read),
) func(hardware.Read) {
	if !s.cfg.Handshake {
		return deliver
	}
	return func(read hardware.Read) {
		deliver(read)
		if ctx.Err() != nil {
			return // nobody may have taken it: the scanner must complain
		}
		answer := byte(ack)
		if read.Garbage {
			answer = nak
			s.naks++
		} else {
			s.naks = 0
		}
		if s.naks > maxNAKs || s.unanswered != nil {
			return
		}
		_, s.unanswered = s.port.Write([]byte{answer})
	}
}

// Distinct wraps deliver so that a read which equals the one before and comes
// within this time is counted instead of delivered. Zero drops none.
func Distinct(
	deliver func(hardware.Read), within time.Duration, suppressed *atomic.Uint64,
) func(hardware.Read) {
	if within == 0 {
		return deliver
	}
	var last hardware.Read
	return func(read hardware.Read) {
		again := read.AIM == last.AIM && bytes.Equal(read.Data, last.Data) &&
			read.At.Sub(last.At) < within
		last = read
		if again {
			suppressed.Add(1)
			return
		}
		deliver(read)
	}
}
