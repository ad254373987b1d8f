package scanner_test

import (
	"testing"
	"time"

	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/evdev"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/serial"
	"holdfast.dev/hardware/ssi"
	"holdfast.dev/hardware/tcp"
)

// lineBaud is fast enough for a burst, and slow enough to be a line.
const lineBaud = 115200

// gun is a simulator in a test's hand.
type gun struct{ *scanner.Scanner }

func (g gun) Sent() []string {
	var codes []string
	for _, s := range g.Scanner.Sent() {
		codes = append(codes, s.Code)
	}
	return codes
}

// faults are what the simulator does in each trouble.
var faults = map[hardwaretest.Trouble]scanner.Faults{
	hardwaretest.NoTrouble:  {},
	hardwaretest.Split:      {Split: 0.5},
	hardwaretest.Merged:     {Merge: 0.5},
	hardwaretest.Garbage:    {Garbage: 0.5},
	hardwaretest.Damage:     {Damage: 0.3},
	hardwaretest.NoAnswer:   {DropAnswer: 0.3},
	hardwaretest.Refusals:   {RefuseHost: 0.3},
	hardwaretest.Doubled:    {Double: 0.3},
	hardwaretest.WrongCheck: {WrongCheck: 0.3},
	hardwaretest.SlowLine:   {Slow: 500 * time.Microsecond},
	hardwaretest.Everything: {Split: 0.1, Merge: 0.1, Garbage: 0.1, Damage: 0.1, DropAnswer: 0.1,
		RefuseHost: 0.1, Double: 0.1, WrongCheck: 0.1},
}

// troubled starts a simulator in a trouble. Its seed is part of the claim: a
// seed that fails is a bug.
func troubled(
	t *testing.T, opts scanner.Options, what hardwaretest.Trouble, seed uint64,
) *scanner.Scanner {
	t.Helper()
	sim := start(t, opts)
	f := faults[what]
	f.Seed = seed
	if err := sim.SetFaults(f); err != nil {
		t.Fatal(err)
	}
	return sim
}

// seeds are how many runs there are of each trouble.
func seeds() uint64 {
	if testing.Short() {
		return 1
	}
	return 3
}

// inTrouble runs the contract with each seed.
func inTrouble(
	t *testing.T,
	open func(*testing.T, hardwaretest.Trouble, uint64) (hardware.Scanner, *scanner.Scanner),
) {
	for seed := range seeds() {
		hardwaretest.TestScannerInTrouble(t,
			func(t *testing.T, what hardwaretest.Trouble) (hardware.Scanner, hardwaretest.Gun) {
				driver, sim := open(t, what, seed+1)
				return driver, gun{sim}
			})
	}
}

// openSerial opens the simulator's line as the product does.
func openSerial(t *testing.T, sim *scanner.Scanner) *serial.Port {
	t.Helper()
	port, err := serial.Open(serial.Config{Path: sim.Path(), Baud: lineBaud})
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestASerialScannerDeliversWhatItSent(t *testing.T) {
	inTrouble(t, func(
		t *testing.T, what hardwaretest.Trouble, seed uint64,
	) (hardware.Scanner, *scanner.Scanner) {
		sim := troubled(t, scanner.Options{Baud: lineBaud, SendAIM: true}, what, seed)
		return barcode.New(openSerial(t, sim), barcode.Config{}), sim
	})
}

func TestASerialScannerWithHandshakeDeliversWhatItSent(t *testing.T) {
	inTrouble(t, func(
		t *testing.T, what hardwaretest.Trouble, seed uint64,
	) (hardware.Scanner, *scanner.Scanner) {
		sim := troubled(t, scanner.Options{Baud: lineBaud, SendAIM: true, Handshake: true,
			Prefix: "\x02", Suffix: "\x03", AnswerWait: 300 * time.Millisecond}, what, seed)
		cfg := barcode.Config{Suffix: barcode.ETX, Handshake: true, AIM: barcode.AIMAlways}
		return barcode.New(openSerial(t, sim), cfg), sim
	})
}

func TestAScannerOnTheNetworkDeliversWhatItSent(t *testing.T) {
	inTrouble(t, func(
		t *testing.T, what hardwaretest.Trouble, seed uint64,
	) (hardware.Scanner, *scanner.Scanner) {
		opts := scanner.Options{TCP: "127.0.0.1:0", Baud: lineBaud, SendAIM: true}
		sim := troubled(t, opts, what, seed)
		port, err := tcp.Open(t.Context(), tcp.Config{Addr: sim.Path()})
		if err != nil {
			t.Fatal(err)
		}
		return barcode.New(port, barcode.Config{}), sim
	})
}

func TestAnSSIScannerDeliversWhatItSent(t *testing.T) {
	inTrouble(t, func(
		t *testing.T, what hardwaretest.Trouble, seed uint64,
	) (hardware.Scanner, *scanner.Scanner) {
		// Longer than the silence by which a host finds a packet damaged.
		wait := 400 * time.Millisecond
		if what == hardwaretest.NoAnswer { // and nothing is
			wait = 200 * time.Millisecond
		}
		// Packets are short, so that each symbol needs two.
		sim := troubled(t, scanner.Options{Mode: scanner.SSI, Baud: lineBaud, Packets: true,
			PacketBytes: 10, AnswerWait: wait}, what, seed)
		return ssi.New(openSerial(t, sim), ssi.Config{AnswerWait: wait}), sim
	})
}

func TestAKeyboardScannerDeliversWhatItSent(t *testing.T) {
	keyTime := 100 * time.Microsecond
	if !testing.Short() {
		keyTime = 250 * time.Microsecond
	}
	inTrouble(t, func(
		t *testing.T, what hardwaretest.Trouble, seed uint64,
	) (hardware.Scanner, *scanner.Scanner) {
		device := hardwaretest.NewInput("ACME Barcode Scanner")
		keyboard, err := evdev.Take(device.Open(), evdev.Config{Layout: "dk"})
		if err != nil {
			t.Fatal(err)
		}
		sim := troubled(t, scanner.Options{Mode: scanner.Keyboard, Events: device, SendAIM: true,
			Layout: "dk", KeyTime: keyTime}, what, seed)
		return barcode.New(keyboard, barcode.Config{}), sim
	})
}
