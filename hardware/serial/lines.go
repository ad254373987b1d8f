package serial

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
)

// drainStep is how often Drain looks.
const drainStep = 5 * time.Millisecond

// Lines are the signals beside the data that a device raises.
type Lines struct {
	CTS bool // takes bytes
	DSR bool // is switched on
	DCD bool // hears its own partner
}

// Lines tells the device's signals; ok is false for a line that has none, such
// as a pseudo terminal.
func (p *Port) Lines() (lines Lines, ok bool, err error) {
	if err := p.begin(); err != nil {
		return Lines{}, false, fmt.Errorf("signals of serial line %s: %w", p.path, err)
	}
	defer p.end()
	bits, err := unix.IoctlGetInt(p.companion, unix.TIOCMGET)
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return Lines{}, false, nil
	case err != nil:
		return Lines{}, false, fmt.Errorf("signals of serial line %s: %w", p.path, fault(err))
	}
	return Lines{
		CTS: bits&unix.TIOCM_CTS != 0, DSR: bits&unix.TIOCM_DSR != 0, DCD: bits&unix.TIOCM_CAR != 0,
	}, true, nil
}

// Drain waits until the line has sent what Write gave it, or says why not:
// hardware.ErrTimeout, hardware.ErrGone or os.ErrClosed.
func (p *Port) Drain(limit time.Duration) error {
	if err := p.begin(); err != nil {
		return fmt.Errorf("drain serial line %s: %w", p.path, err)
	}
	defer p.end()
	return p.drain(limit, func() (int, error) {
		return unix.IoctlGetInt(p.companion, unix.TIOCOUTQ)
	})
}

// drain asks again and again how many bytes are unsent.
func (p *Port) drain(limit time.Duration, unsent func() (int, error)) error {
	for began := time.Now(); ; {
		left, err := unsent()
		switch {
		case err != nil:
			return fmt.Errorf("drain serial line %s: %w", p.path, fault(err))
		case left == 0:
			return nil
		case time.Since(began) >= limit:
			return fmt.Errorf("drain serial line %s, %d bytes left: %w",
				p.path, left, hardware.ErrTimeout)
		}
		events, err := p.wait(0, drainStep) // for nothing but a hang-up or Close
		if err == nil && events != 0 {
			err = hardware.ErrGone
		}
		if errors.Is(err, hardware.ErrGone) || errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("drain serial line %s: %w", p.path, err)
		}
	}
}

// Break pulls the line low for a quarter of a second, which some devices take
// as a reset.
func (p *Port) Break() error {
	if err := p.begin(); err != nil {
		return fmt.Errorf("break on serial line %s: %w", p.path, err)
	}
	defer p.end()
	if err := unix.IoctlSetInt(p.companion, unix.TCSBRK, 0); err != nil {
		return fmt.Errorf("break on serial line %s: %w", p.path, fault(err))
	}
	return nil
}
