package scanner

import (
	"context"
	"time"
)

// Answers of a host in plain mode.
const (
	ack = 0x06
	nak = 0x15
)

// resends is how often a symbol is sent again.
const resends = 2

// mergePatience is how long a symbol waits for another to be sent with.
const mergePatience = 50 * time.Millisecond

// piece is what goes out together.
type piece struct {
	data   []byte
	symbol Symbol
}

// scanOnce sends one symbol in the way that the scanner is set up for.
func (s *Scanner) scanOnce(ctx context.Context, symbol Symbol, t faultsOnce) error {
	switch s.opts.Mode {
	case SSI:
		return s.sendPackets(ctx, symbol, t)
	case Keyboard:
		return s.typeSymbol(ctx, symbol, t)
	}
	return s.sendFrame(ctx, symbol, t)
}

// sendFrame sends a symbol as a frame, and with a handshake until the host has
// it. A scanner drops a symbol that is not answered.
func (s *Scanner) sendFrame(ctx context.Context, symbol Symbol, t faultsOnce) error {
	frame := s.opts.Prefix
	if s.opts.SendAIM {
		frame += symbol.AIM
	}
	frame += symbol.Code + s.opts.Suffix
	if t.garbage {
		if err := s.noiseBefore(ctx, t); err != nil {
			return err
		}
	}
	if !s.opts.Handshake {
		return s.out(ctx, piece{[]byte(frame), symbol}, t)
	}
	for try := 0; try <= resends; try++ {
		t.merge = false // an answer comes first
		if err := s.out(ctx, piece{[]byte(frame), symbol}, t); err != nil {
			return err
		}
		t.damage = false
		switch s.answer(ctx) {
		case ack:
			return nil
		case nak:
		default:
			return ErrNotAcknowledged
		}
	}
	return ErrNotAcknowledged
}

// noiseBefore is noise with an end, such as what a plug makes on its way in.
func (s *Scanner) noiseBefore(ctx context.Context, t faultsOnce) error {
	end := s.opts.Suffix
	if err := s.transmit(ctx, append(noise(t.rng), end...), faultsOnce{}); err != nil {
		return err
	}
	if s.opts.Handshake {
		s.answer(ctx)
	}
	if end != "" {
		return nil
	}
	return s.pause(ctx, 200*time.Millisecond) // silence ends what has no suffix
}

func (s *Scanner) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// out transmits a piece with what was held before, or holds it for the next.
func (s *Scanner) out(ctx context.Context, p piece, t faultsOnce) error {
	if t.damage { // not the suffix: the next symbol would be lost as well
		p.data = damaged(p.data, len(p.data)-len(s.opts.Suffix), t.rng)
		p.symbol = Symbol{}
	}
	s.mu.Lock()
	all := append(s.held, p)
	s.held = nil
	if t.merge {
		s.held = all
	}
	s.mu.Unlock()
	if t.merge {
		time.AfterFunc(mergePatience, func() { s.flush() })
		return nil
	}
	return s.transmitAll(ctx, all, t)
}

// flush sends what was held when nothing came to be sent with it.
func (s *Scanner) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), hostPatience)
	defer cancel()
	s.hold(ctx, func() error {
		s.mu.Lock()
		all := s.held
		s.held = nil
		s.mu.Unlock()
		return s.transmitAll(ctx, all, faultsOnce{})
	})
}

// transmitAll sends pieces as one.
func (s *Scanner) transmitAll(ctx context.Context, all []piece, t faultsOnce) error {
	var data []byte
	for _, p := range all {
		data = append(data, p.data...)
	}
	if len(all) == 0 || s.Faults().HalfOpen {
		return nil
	}
	if err := s.transmit(ctx, data, t); err != nil {
		return err
	}
	for _, p := range all {
		if p.symbol != (Symbol{}) {
			s.record(p.symbol)
		}
	}
	return nil
}

// transmit puts bytes on the line that belong together.
func (s *Scanner) transmit(ctx context.Context, data []byte, t faultsOnce) error {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	l := s.plugged()
	faults := s.Faults()
	switch {
	case l == nil:
		return ErrUnplugged
	case faults.HalfOpen:
		return nil
	}
	p := s.pace()
	pieces := [][]byte{data}
	switch {
	case faults.Slow > 0:
		pieces = cut(data, p.grain)
	case t.split:
		pieces = split(data, p.grain, t.rng)
	}
	for i, piece := range pieces {
		if i > 0 {
			wait := faults.Slow
			if t.split && wait == 0 {
				wait = minSplit + time.Duration(t.rng.Int64N(int64(maxSplit-minSplit)))
			}
			if err := s.pause(ctx, wait); err != nil {
				return err
			}
			s.lineFree = time.Time{} // the pause was meant
		}
		if i < len(pieces)-1 || !s.waits() || t.merge {
			if err := s.carry(ctx, l, piece, p); err != nil {
				return err
			}
			continue
		}
		// What the host says before the last byte is no answer to it.
		end := len(piece) - min(p.grain, len(piece))
		if err := s.carry(ctx, l, piece[:end], p); err != nil {
			return err
		}
		s.forgetAnswers()
		if err := s.carry(ctx, l, piece[end:], p); err != nil {
			return err
		}
	}
	return nil
}

// waits tells whether the scanner waits for answers.
func (s *Scanner) waits() bool { return s.opts.Mode == SSI || s.opts.Handshake }

func cut(data []byte, grain int) [][]byte {
	var pieces [][]byte
	for len(data) > 0 {
		n := min(grain, len(data))
		pieces = append(pieces, data[:n])
		data = data[n:]
	}
	return pieces
}

// hear takes what the host says.
func (s *Scanner) hear(b []byte) {
	if s.Faults().HalfOpen {
		return
	}
	if s.opts.Mode == SSI {
		s.hearPackets(b)
		return
	}
	for _, c := range b {
		if c == ack || c == nak {
			s.tellAnswer(c)
		}
	}
}

// tellAnswer hands the host's answer to the symbol that waits for it.
func (s *Scanner) tellAnswer(answer byte) {
	if s.happens("drop_answer") {
		return
	}
	select {
	case s.answers <- answer:
	default: // one is there that nobody has taken
	}
}

func (s *Scanner) forgetAnswers() {
	for {
		select {
		case <-s.answers:
		default:
			return
		}
	}
}

// answer waits for what the host says, or gives 0.
func (s *Scanner) answer(ctx context.Context) byte {
	late := time.NewTimer(s.opts.AnswerWait)
	defer late.Stop()
	select {
	case a := <-s.answers:
		return a
	case <-late.C:
	case <-ctx.Done():
	}
	return 0
}
