package scale

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast.dev/hardware"
)

// Dialog 06, the protocol of retail scales of Bizerba, Mettler-Toledo, Dibal and
// DIGI: 9600 baud (older ones 4800 or 2400), seven bits, odd parity.
const (
	etx = 0x03
	eot = "\x04"
	ack = 0x06
	nak = 0x15

	askResult   = eot + "\x05"          // EOT ENQ: record 02, or NAK
	sendPrice   = eot + "\x02" + "01"   // record 01: ESC unit price ESC ETX
	askStatus   = eot + "\x0208\x03"    // record 08: record 09 comes back
	resultIs    = "\x0202\x1b3\x1b"     // record 02, kilograms
	statusIs    = "\x0209\x1b"          // record 09
	checksumIs  = "\x0211\x1b"          // record 11: a certified scale wants a checksum
	resultBytes = 6 + 5 + 1 + 6 + 1 + 6 // up to ETX
)

// MaxUnitPrice is the highest price per kilogram, in minor units.
const MaxUnitPrice = 999999

// statuses are the numbers of record 09.
var statuses = map[string]struct {
	state hardware.ScaleState
	cause error
}{
	"00": {hardware.ScaleMoving, ErrMoving}, // nothing is wrong, but no weight yet
	"01": {hardware.ScaleMoving, ErrRecord}, "02": {hardware.ScaleMoving, ErrRecord},
	"10": {hardware.ScaleMoving, ErrRecord}, "11": {hardware.ScaleMoving, ErrRecord},
	"12": {hardware.ScaleMoving, ErrRecord}, "13": {hardware.ScaleMoving, ErrRecord},
	"20": {hardware.ScaleMoving, ErrMoving}, "21": {hardware.ScaleMoving, ErrSameLoad},
	"22": {hardware.ScaleMoving, ErrNoPrice},
	"30": {hardware.ScaleUnder, ErrUnder}, "31": {hardware.ScaleUnder, ErrUnder},
	"32": {hardware.ScaleOver, ErrOver},
}

// Dialog06 is a hardware.Scale that computes the amount by itself.
type Dialog06 struct {
	*bench
	price atomic.Int64
}

// NewDialog06 makes a driver of a scale on a port that is open. It serves one
// Run, which closes the port.
func NewDialog06(port hardware.Port, cfg Config) *Dialog06 {
	if !cfg.EightBits {
		port = sevenBits{Port: port, odd: 1}
	}
	return &Dialog06{bench: newBench(port, cfg)}
}

// SetUnitPrice says what a kilogram costs, in minor units, in the weighings to
// come. Zero sends no price: a person then sets one on the scale.
func (s *Dialog06) SetUnitPrice(minor int) error {
	if minor < 0 || minor > MaxUnitPrice {
		return fmt.Errorf("unit price %d: want 0 to %d", minor, MaxUnitPrice)
	}
	s.price.Store(int64(minor))
	return nil
}

// Run asks for the scale's status again and again and reports what changed,
// until ctx ends (nil) or the port fails (a fault). Weights come from Weigh
// alone, since the scale gives each once.
func (s *Dialog06) Run(ctx context.Context, changed func(hardware.Weight)) error {
	return s.run(ctx, changed, func(ctx context.Context) hardware.Weight {
		w, _ := s.status(ctx)
		return w
	})
}

// Weigh sends the unit price and asks for the result until the scale has one.
func (s *Dialog06) Weigh(ctx context.Context) (hardware.Weight, error) {
	if err := s.begin(ctx); err != nil {
		return silent(time.Now()), err
	}
	defer s.end()
	limit := time.Now().Add(s.cfg.Settle)
	price := int(s.price.Load())
	for {
		w, err := s.try(ctx, price)
		if err == nil {
			s.tell(ctx, w)
			return w, nil
		}
		s.tell(ctx, w)
		if ctx.Err() != nil || !time.Now().Before(limit) {
			return w, fmt.Errorf("weigh: %w", err)
		}
		if err := s.line.Sleep(ctx, between); err != nil {
			return silent(time.Now()), fmt.Errorf("weigh: %w", err)
		}
	}
}

// try asks for a result once, and for the reason when there is none.
func (s *Dialog06) try(ctx context.Context, price int) (hardware.Weight, error) {
	if price > 0 {
		taken, err := s.send(ctx, fmt.Sprintf("%s\x1b%06d\x1b\x03", sendPrice, price))
		if err != nil {
			return silent(time.Now()), err
		}
		if !taken {
			return s.reason(ctx)
		}
	}
	var w hardware.Weight
	var kind byte
	_, err := s.line.Ask(ctx, []byte(askResult), s.cfg.Answer, func(heard []byte) bool {
		w, kind = parseDialog06(heard)
		return kind != 0
	})
	switch {
	case err != nil:
		return silent(time.Now()), err
	case kind == checksum:
		return hardware.Weight{State: hardware.ScaleMoving, At: time.Now()}, ErrChecksum
	case kind != result:
		return s.reason(ctx)
	case price > 0 && w.UnitPrice != price:
		return hardware.Weight{State: hardware.ScaleMoving, At: time.Now()},
			fmt.Errorf("%w: unit price %d came back as %d", ErrRecord, price, w.UnitPrice)
	}
	w.At = time.Now()
	return w, nil
}

// send sends a record and tells whether the scale took it.
func (s *Dialog06) send(ctx context.Context, record string) (taken bool, err error) {
	heard, err := s.line.Ask(ctx, []byte(record), s.cfg.Answer, func(heard []byte) bool {
		return bytes.ContainsAny(heard, "\x06\x15")
	})
	return err == nil && bytes.IndexByte(heard, ack) >= 0 && bytes.IndexByte(heard, nak) < 0, err
}

// reason asks why there is no weight; it never comes without an error.
func (s *Dialog06) reason(ctx context.Context) (hardware.Weight, error) {
	w, err := s.status(ctx)
	if err == nil {
		err = ErrMoving
	}
	return w, err
}

// status asks what the scale thinks of its load.
func (s *Dialog06) status(ctx context.Context) (hardware.Weight, error) {
	code := ""
	_, err := s.line.Ask(ctx, []byte(askStatus), s.cfg.Answer, func(heard []byte) bool {
		code = statusDialog06(heard)
		return code != ""
	})
	if err != nil {
		return silent(time.Now()), err
	}
	known := statuses[code]
	return hardware.Weight{State: known.state, At: time.Now()}, known.cause
}

// statusDialog06 finds the number of record 09 in what was heard; empty if it is
// not there, or means nothing.
func statusDialog06(heard []byte) string {
	for {
		_, rest, ok := bytes.Cut(heard, []byte(statusIs))
		if !ok {
			return ""
		}
		if len(rest) >= 3 && rest[2] == etx {
			if _, known := statuses[string(rest[:2])]; known {
				return string(rest[:2])
			}
		}
		heard = rest
	}
}

// Kinds of answers to ENQ.
const (
	result   byte = 1 + iota // record 02
	refused                  // NAK
	checksum                 // record 11
)

// parseDialog06 finds the answer to ENQ in what was heard; 0 if there is none.
func parseDialog06(heard []byte) (w hardware.Weight, kind byte) {
	for from := 0; ; {
		at := bytes.Index(heard[from:], []byte(resultIs))
		if at < 0 {
			break
		}
		from += at + 1
		if body := heard[from-1:]; len(body) > resultBytes && body[resultBytes] == etx {
			if w, ok := readResult(body[len(resultIs):resultBytes]); ok {
				return w, result
			}
		}
	}
	switch {
	case bytes.Contains(heard, []byte(checksumIs)):
		return w, checksum
	case bytes.IndexByte(heard, nak) >= 0:
		return w, refused
	}
	return w, 0
}

// readResult reads weight, unit price and amount, with ESC between them.
func readResult(body []byte) (w hardware.Weight, ok bool) {
	if len(body) != 5+1+6+1+6 || body[5] != 0x1b || body[12] != 0x1b {
		return w, false
	}
	grams, right := number(body[:5])
	price, right2 := number(body[6:12])
	amount, right3 := number(body[13:])
	return hardware.Weight{
		State: hardware.ScaleStable, Grams: grams, UnitPrice: price, Amount: amount,
	}, right && right2 && right3
}
