package serial

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
)

// Parity is the check bit after each byte.
type Parity uint8

// Parities that tarm/serial can set.
const (
	NoParity Parity = iota
	Even
	Odd
)

var parityNames = map[string]Parity{"none": NoParity, "even": Even, "odd": Odd}

// ParseParity returns the parity that a configuration names: none, even or
// odd; empty is none.
func ParseParity(name string) (Parity, error) {
	if p, ok := parityNames[name]; ok || name == "" {
		return p, nil
	}
	return NoParity, fmt.Errorf("parity %q is none of %s", name, names(parityNames))
}

// Flow says how a device tells that it can take no more bytes.
type Flow uint8

// Kinds of flow control.
const (
	NoFlow  Flow = iota
	RTSCTS       // by the lines of these names
	XONXOFF      // by the bytes 11 and 13, which Read then never gives
)

var flowNames = map[string]Flow{"none": NoFlow, "rtscts": RTSCTS, "xonxoff": XONXOFF}

// ParseFlow returns the flow control that a configuration names: none, rtscts
// or xonxoff; empty is none.
func ParseFlow(name string) (Flow, error) {
	if f, ok := flowNames[name]; ok || name == "" {
		return f, nil
	}
	return NoFlow, fmt.Errorf("flow control %q is none of %s", name, names(flowNames))
}

func names[V any](table map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(table)), ", ")
}

// xon and xoff are the bytes of XONXOFF.
const (
	xon  = 0x11
	xoff = 0x13
)

// Rates that tarm does not name, but the kernel can be asked for.
const (
	minOddBaud = 300
	maxOddBaud = 4_000_000
	// baudTolerance is how far a line may be off, in percent: half of what two
	// receivers with ten bits a byte can bear together.
	baudTolerance = 2
)

// tarmBauds are the rates that tarm knows.
var tarmBauds = []int{
	50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600,
	115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000,
	3000000, 3500000, 4000000,
}

// settingsOf gives what tarm is asked for. A rate that tarm does not know is
// set by finish.
func settingsOf(cfg Config) (*serial.Config, error) {
	s := &serial.Config{Baud: cfg.Baud, ReadTimeout: tarmReadTimeout}
	if !slices.Contains(tarmBauds, cfg.Baud) {
		if cfg.Baud < minOddBaud || cfg.Baud > maxOddBaud {
			return nil, fmt.Errorf("no serial line runs at this rate")
		}
		s.Baud = DefaultBaud
	}
	switch cfg.DataBits {
	case 0, 5, 6, 7, 8:
		s.Size = byte(cfg.DataBits)
	default:
		return nil, fmt.Errorf("%d data bits are not 5 to 8", cfg.DataBits)
	}
	switch cfg.Parity {
	case NoParity:
		s.Parity = serial.ParityNone
	case Even:
		s.Parity = serial.ParityEven
	case Odd:
		s.Parity = serial.ParityOdd
	default:
		return nil, fmt.Errorf("parity %d is none of %s", cfg.Parity, names(parityNames))
	}
	switch cfg.StopBits {
	case 0, 1:
		s.StopBits = serial.Stop1
	case 2:
		s.StopBits = serial.Stop2
	default:
		return nil, fmt.Errorf("%d stop bits are not 1 or 2", cfg.StopBits)
	}
	return s, nil
}

// finish sets what tarm cannot.
func finish(fd int, cfg Config) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return fault(err)
	}
	// tarm drops a byte whose parity or stop bit is wrong, and a symbol with a
	// digit missing looks whole. Without IGNPAR such a byte is read as a zero.
	t.Iflag = t.Iflag&^unix.IGNPAR | unix.INPCK
	switch cfg.Flow {
	case RTSCTS:
		t.Cflag |= unix.CRTSCTS
	case XONXOFF:
		t.Iflag |= unix.IXON
		t.Cc[unix.VSTART], t.Cc[unix.VSTOP] = xon, xoff
	}
	odd := !slices.Contains(tarmBauds, cfg.Baud)
	if odd {
		t.Cflag = t.Cflag&^(unix.CBAUD|unix.CBAUDEX) | unix.BOTHER
		t.Ispeed, t.Ospeed = uint32(cfg.Baud), uint32(cfg.Baud)
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS2, t); err != nil {
		return fault(err)
	}
	if !odd {
		return nil
	}
	// A line takes any rate and runs at the nearest that it has.
	if t, err = unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		return fault(err)
	}
	if off := abs(int(t.Ospeed)-cfg.Baud) * 100; off > baudTolerance*cfg.Baud {
		return fmt.Errorf("the line can only run at %d baud", t.Ospeed)
	}
	return nil
}

func abs(n int) int { return max(n, -n) }
