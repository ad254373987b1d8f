package scanner

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Faults are what goes wrong, each with its share of symbols from 0 to 1. The
// same seed and the same scans give the same faults.
type Faults struct {
	Seed       uint64  `json:"seed"`
	Split      float64 `json:"split"`       // goes out in pieces, with pauses
	Merge      float64 `json:"merge"`       // waits and goes out together with the next
	Garbage    float64 `json:"garbage"`     // has noise on the line before it
	Damage     float64 `json:"damage"`      // has bytes that the line has changed
	DropAnswer float64 `json:"drop_answer"` // the host's ACK or NAK is not heard
	RefuseHost float64 `json:"refuse_host"` // a command of the host is answered with NAK
	Double     float64 `json:"double"`      // is scanned twice
	WrongCheck float64 `json:"wrong_check"` // was misread: its last digit is another

	// Slow is a pause after each byte or key.
	Slow time.Duration `json:"slow"`
	// HalfOpen is a scanner that works and is not heard, and hears nothing, on
	// a line that does not say so.
	HalfOpen bool `json:"half_open"`
}

// Check says what cannot be.
func (f Faults) Check() error {
	for name, share := range f.shares() {
		if share < 0 || share > 1 {
			return fmt.Errorf("%s %g is no share from 0 to 1", name, share)
		}
	}
	if f.Slow < 0 {
		return errors.New("slow cannot be below zero")
	}
	return nil
}

// FaultNames are what Next takes.
func FaultNames() []string {
	names := []string{}
	for name := range (Faults{}).shares() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (f Faults) shares() map[string]float64 {
	return map[string]float64{
		"split": f.Split, "merge": f.Merge, "garbage": f.Garbage, "damage": f.Damage,
		"drop_answer": f.DropAnswer, "refuse_host": f.RefuseHost, "double": f.Double,
		"wrong_check": f.WrongCheck,
	}
}

// faultsOnce is what goes wrong with one symbol.
type faultsOnce struct {
	split, merge, garbage, damage, double, wrongCheck bool

	rng *rand.Rand
}

// trouble decides what goes wrong. It is guarded by the scanner's lock.
type trouble struct {
	faults Faults
	// luck is one stream of chance for each fault, so that how often a host
	// asks for something does not change what happens to symbols.
	luck  map[string]*rand.Rand
	shape *rand.Rand      // of what goes wrong
	next  map[string]bool // goes wrong once, whatever its share
}

func newTrouble(f Faults) trouble {
	t := trouble{f, map[string]*rand.Rand{}, rand.New(rand.NewPCG(f.Seed, 0)), map[string]bool{}}
	for i, name := range FaultNames() {
		t.luck[name] = rand.New(rand.NewPCG(f.Seed, uint64(i)+1))
	}
	return t
}

// happens draws whether a fault happens now.
func (t *trouble) happens(name string) bool {
	drawn := t.luck[name].Float64() < t.faults.shares()[name]
	once := t.next[name]
	delete(t.next, name)
	return drawn || once
}

// SetFaults replaces what goes wrong from the next symbol on.
func (s *Scanner) SetFaults(f Faults) error {
	if err := f.Check(); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = newTrouble(f)
	return nil
}

// Faults tells what goes wrong.
func (s *Scanner) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble.faults
}

// Next makes a fault happen with the next symbol, once.
func (s *Scanner) Next(fault string) error {
	if !slices.Contains(FaultNames(), fault) {
		return fmt.Errorf("fault %q is none of %s", fault, strings.Join(FaultNames(), ", "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble.next[fault] = true
	return nil
}

// plan draws what goes wrong with a symbol.
func (s *Scanner) plan() faultsOnce {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.trouble
	return faultsOnce{
		split: t.happens("split"), merge: t.happens("merge"), garbage: t.happens("garbage"),
		damage: t.happens("damage"), double: t.happens("double"),
		wrongCheck: t.happens("wrong_check"),
		rng:        rand.New(rand.NewPCG(t.shape.Uint64(), t.shape.Uint64())),
	}
}

// happens draws a fault outside of a plan.
func (s *Scanner) happens(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble.happens(name)
}

// wrongCheck gives a code as a scanner without check digit would misread it.
func wrongCheck(code string) string {
	if code == "" {
		return code
	}
	last := code[len(code)-1]
	if last < '0' || last > '9' {
		return code
	}
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

// noiseBytes is how much noise comes at once: less than any packet.
const noiseBytes = 5

// noise is what a line carries that no scanner sent.
func noise(rng *rand.Rand) []byte {
	b := make([]byte, 1+rng.IntN(noiseBytes))
	for i := range b {
		b[i] = []byte{0x00, 0xFF, 0x80, 0xFE, 0x9D, 0x01}[rng.IntN(6)]
	}
	return b
}

// damaged gives data with up to three of its first bytes changed into what no
// text holds.
func damaged(data []byte, first int, rng *rand.Rand) []byte {
	changed := slices.Clone(data)
	for range 1 + rng.IntN(3) {
		at, to := rng.IntN(first), []byte{0x00, 0x80, 0x9D}[rng.IntN(3)]
		if data[at] == to {
			to = 0x01
		}
		changed[at] = to
	}
	return changed
}
