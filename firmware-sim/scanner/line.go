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

// host tells the speed that the host has set, and whether it drops bytes whose
// stop bit is missing; otherwise it reads them as zeros.
func (c *cable) host() (baud int, drops bool) {
	control(c.line, func(fd int) error {
		settings, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
		if err != nil {
			return err
		}
		baud = int(settings.Ospeed)
		drops = settings.Iflag&unix.IGNPAR != 0 || settings.Iflag&unix.INPCK == 0
		return nil
	})
	return baud, drops
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
// another: it samples the middle of each of its own bit times. A byte without a
// stop bit is dropped, or a zero; a break is a zero.
func resample(data []byte, sent, received int, drops bool) []byte {
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
		switch {
		case high(at) || b == 0:
			got = append(got, b)
		case !drops:
			got = append(got, 0)
		}
		for !high(at) { // the next start bit needs an edge
			at = (at/sentBit + 1) * sentBit
		}
	}
	return got
}
