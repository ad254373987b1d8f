package scanner

import (
	"os"

	"golang.org/x/sys/unix"
)

// speeds are the rates of serial lines, as the kernel names them.
var speeds = map[int]uint32{
	300: unix.B300, 600: unix.B600, 1200: unix.B1200, 2400: unix.B2400, 4800: unix.B4800,
	9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600,
	115200: unix.B115200, 230400: unix.B230400, 460800: unix.B460800, 921600: unix.B921600,
}

// unblock gives the same file so that a deadline or Close ends a wait for it.
// It closes the one that it takes.
func unblock(file *os.File) (*os.File, error) {
	defer file.Close()
	var fd int
	err := control(file, func(old int) (err error) {
		if fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.SetNonblock(fd, true)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// setRaw makes a fresh pseudo terminal a serial line: no echo, no line editing.
func setRaw(line *os.File, baud int) error {
	return control(line, func(fd int) error {
		settings := unix.Termios{
			Iflag: unix.IGNPAR, Cflag: unix.CREAD | unix.CLOCAL | unix.CS8 | speeds[baud],
			Ispeed: speeds[baud], Ospeed: speeds[baud],
		}
		settings.Cc[unix.VMIN] = 1
		return unix.IoctlSetTermios(fd, unix.TCSETS, &settings)
	})
}

// hostBaud is the speed that the host set, or 0 if it is none of ours.
func (c *cable) hostBaud() (baud int) {
	control(c.line, func(fd int) error {
		settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		for rate, code := range speeds {
			if settings.Cflag&(unix.CBAUD|unix.CBAUDEX) == code {
				baud = rate
			}
		}
		return nil
	})
	return baud
}

func control(file *os.File, do func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// resample gives what a receiver at one speed makes of bytes that were sent at
// another: it samples the middle of each of its own bit times. Bytes without a
// stop bit are dropped, as lines are set to do; a break is a zero.
func resample(data []byte, sent, received int) []byte {
	if received == 0 {
		return nil
	}
	// Time is counted so that both bit times and their halves are whole.
	sentBit, ownBit := 2*received, 2*sent
	end := len(data) * bitsPerByte * sentBit
	high := func(at int) bool {
		bit := at / sentBit
		if at >= end {
			return true
		}
		switch place := bit % bitsPerByte; place {
		case 0:
			return false
		case bitsPerByte - 1:
			return true
		default:
			return data[bit/bitsPerByte]>>(place-1)&1 == 1
		}
	}
	var got []byte
	for at := 0; at < end; {
		if high(at) {
			at = (at/sentBit + 1) * sentBit
			continue
		}
		var b byte
		for i := range 8 {
			if high(at + ownBit/2 + (i+1)*ownBit) {
				b |= 1 << i
			}
		}
		at += ownBit/2 + 9*ownBit
		if high(at) || b == 0 {
			got = append(got, b)
		}
		for !high(at) { // the next start bit needs an edge
			at = (at/sentBit + 1) * sentBit
		}
	}
	return got
}
