package scale

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"holdfast.dev/hardware"
)

// The 8217 protocol of Mettler-Toledo: 9600 baud, seven bits, even parity.
const (
	askWeight = "W" // answered by STX weight CR, or by STX ? status CR
	stx       = 0x02
	cr        = 0x0d

	statusMoving  = 1 << 0
	statusOver    = 1 << 1
	statusUnder   = 1 << 2
	statusNotZero = 1 << 3 // outside the range that it takes for zero
	statusZero    = 1 << 4
	statusNet     = 1 << 5
	statusAlways  = 1 << 6
)

// longestAnswer is how many bytes an answer has at most, STX and CR included.
const longestAnswer = 12

// Toledo is a hardware.Scale that speaks the 8217 protocol.
type Toledo struct{ *bench }

// NewToledo makes a driver of a scale on a port that is open. It serves one Run,
// which closes the port.
func NewToledo(port hardware.Port, cfg Config) *Toledo {
	if !cfg.EightBits {
		port = sevenBits{Port: port}
	}
	return &Toledo{newBench(port, cfg)}
}

// Run asks for the weight again and again and reports what changed, until ctx
// ends (nil) or the port fails (a fault).
func (s *Toledo) Run(ctx context.Context, changed func(hardware.Weight)) error {
	return s.run(ctx, changed, func(ctx context.Context) hardware.Weight {
		w, err := s.ask(ctx)
		if err != nil {
			return silent(time.Now())
		}
		return w
	})
}

// Weigh waits until the scale gave one weight twice in a row.
func (s *Toledo) Weigh(ctx context.Context) (hardware.Weight, error) {
	if err := s.begin(ctx); err != nil {
		return silent(time.Now()), err
	}
	defer s.end()
	limit := time.Now().Add(s.cfg.Settle)
	var before hardware.Weight
	for {
		w, err := s.ask(ctx)
		if err != nil {
			w = silent(time.Now())
		}
		s.tell(ctx, w)
		if w.State == hardware.ScaleStable && same(w, before) {
			return w, nil
		}
		before = w
		if err == nil {
			err = causes[w.State]
		}
		if !time.Now().Before(limit) {
			if err == nil { // one weight, and no second to confirm it
				err = ErrMoving
			}
			w.State, w.Grams = unconfirmed(w.State), 0
			return w, fmt.Errorf("weigh: %w", err)
		}
		if err := s.line.Sleep(ctx, between); err != nil {
			return silent(time.Now()), fmt.Errorf("weigh: %w", err)
		}
	}
}

func same(a, b hardware.Weight) bool {
	a.At = b.At
	return a == b
}

// unconfirmed is the state of a weight that came only once.
func unconfirmed(s hardware.ScaleState) hardware.ScaleState {
	if s == hardware.ScaleStable {
		return hardware.ScaleMoving
	}
	return s
}

func (s *Toledo) ask(ctx context.Context) (hardware.Weight, error) {
	var w hardware.Weight
	var wrong error
	_, err := s.line.Ask(ctx, []byte(askWeight), s.cfg.Answer, func(heard []byte) bool {
		var found bool
		w, found, wrong = parseToledo(heard)
		return found
	})
	if err != nil {
		return hardware.Weight{}, err
	}
	w.At = time.Now()
	return w, wrong
}

// parseToledo finds the first whole answer in what was heard.
func parseToledo(heard []byte) (w hardware.Weight, found bool, wrong error) {
	for {
		at := bytes.IndexByte(heard, stx)
		if at < 0 {
			return w, false, nil
		}
		heard = heard[at+1:]
		// A second STX before the CR says that the first one was noise.
		end := bytes.IndexAny(heard, "\x02\x0d")
		if end < 0 || heard[end] != cr || end > longestAnswer-2 {
			continue
		}
		if w, found, wrong = readToledo(heard[:end]); found {
			return w, true, wrong
		}
	}
}

// readToledo reads what stands between STX and CR.
func readToledo(body []byte) (w hardware.Weight, found bool, wrong error) {
	if len(body) == 2 && body[0] == '?' {
		return statusToledo(body[1])
	}
	body = bytes.TrimLeft(body, " ")
	if n, ok := bytes.CutSuffix(body, []byte("N")); ok {
		w.Net, body = true, n
	}
	whole, part, ok := bytes.Cut(body, []byte("."))
	if !ok || len(whole) < 1 || len(whole) > 3 {
		return w, false, nil
	}
	grams, digits := number(append(bytes.Clone(whole), part...))
	switch {
	case !digits:
		return w, false, nil
	case len(part) == 2:
		return w, true, ErrPounds
	case len(part) != 3:
		return w, false, nil
	}
	w.State, w.Grams = hardware.ScaleStable, grams
	return w, true, nil
}

func statusToledo(b byte) (w hardware.Weight, found bool, wrong error) {
	if b&statusAlways == 0 || b&0x80 != 0 {
		return w, false, nil
	}
	w.Net = b&statusNet != 0
	switch {
	case b&statusOver != 0:
		w.State = hardware.ScaleOver
	case b&statusUnder != 0:
		w.State = hardware.ScaleUnder
	case b&statusMoving != 0:
		w.State = hardware.ScaleMoving
	case b&statusNotZero != 0:
		w.State = hardware.ScaleNotZero
	case b&statusZero != 0:
		w.State = hardware.ScaleStable // at zero
	default:
		w.State = hardware.ScaleMoving // nothing is wrong, but no weight came
	}
	return w, true, nil
}

// number reads digits alone, at most nine.
func number(digits []byte) (n int, ok bool) {
	if len(digits) == 0 || len(digits) > 9 {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int(d-'0')
	}
	return n, true
}
