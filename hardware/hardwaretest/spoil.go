package hardwaretest

import (
	"sync"
	"time"

	"holdfast.dev/hardware"
)

// Spoil is what happens on the line between a driver and its device. The zero
// value is a good line.
type Spoil struct {
	CutAfter int           // the cable is pulled after so many bytes, both ways together; 0: never
	FlipAt   int           // the received byte of this number, from 1, has its lowest bit turned
	Split    bool          // each byte comes alone
	Noise    string        // comes in before the first byte after each Write
	Hold     time.Duration // every received piece comes so much later

	mu       sync.Mutex
	muted    bool // guarded by mu
	received int  // guarded by mu; bytes that came in
}

// Mute lets nothing come in any more, or again.
func (s *Spoil) Mute(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = on
}

func (s *Spoil) mute() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muted
}

// flip counts a byte that came in, and tells whether its bit turns.
func (s *Spoil) flip() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received++
	return s.received == s.FlipAt
}

func (s *Spoil) flipped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received >= s.FlipAt
}

// On puts what happens on a line.
func (s *Spoil) On(port hardware.Port) hardware.Port { return &spoiled{Port: port, spoil: s} }

// spoiled is a port on a bad line.
type spoiled struct {
	hardware.Port
	spoil *Spoil

	mu     sync.Mutex
	passed int    // guarded by mu; bytes so far, both ways
	noisy  bool   // guarded by mu; noise is due
	held   []byte // guarded by mu; received, and not given yet
}

func (p *spoiled) Write(b []byte) (int, error) {
	p.mu.Lock()
	room, cut := p.room(len(b))
	p.noisy = p.spoil.Noise != ""
	p.mu.Unlock()
	n, err := p.Port.Write(b[:room])
	if cut && err == nil {
		p.Port.Close()
		err = hardware.ErrGone
	}
	return n, err
}

// room tells how many bytes still pass, and whether the cable is pulled then.
func (p *spoiled) room(n int) (int, bool) {
	p.passed += n
	if over := p.passed - p.spoil.CutAfter; p.spoil.CutAfter > 0 && over >= 0 {
		return max(0, n-over), true
	}
	return n, false
}

func (p *spoiled) cut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spoil.CutAfter > 0 && p.passed >= p.spoil.CutAfter
}

func (p *spoiled) Read(b []byte) (int, error) {
	for {
		if n := p.take(b); n > 0 {
			return n, nil
		}
		if p.cut() {
			return 0, hardware.ErrGone
		}
		in := make([]byte, 512)
		n, err := p.Port.Read(in)
		if err != nil {
			if p.cut() {
				err = hardware.ErrGone
			}
			return 0, err
		}
		if p.spoil.Hold > 0 {
			time.Sleep(p.spoil.Hold)
		}
		if !p.spoil.mute() {
			p.keep(in[:n])
		}
	}
}

// keep stores what came in, spoiled.
func (p *spoiled) keep(in []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.noisy {
		p.held = append(p.held, p.spoil.Noise...)
		p.noisy = false
	}
	room, cut := p.room(len(in))
	for _, b := range in[:room] {
		if p.spoil.flip() {
			b ^= 1
		}
		p.held = append(p.held, b)
	}
	if cut {
		p.Port.Close()
	}
}

func (p *spoiled) take(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spoil.Split && len(b) > 1 {
		b = b[:1]
	}
	n := copy(b, p.held)
	p.held = p.held[n:]
	return n
}
