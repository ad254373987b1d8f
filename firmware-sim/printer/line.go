package printer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

const (
	burst       = 512         // bytes taken from the line at once without pacing
	pacedBurst  = 32          // with pacing
	bitsPerByte = 10          // 8N1
	writeLimit  = time.Second // answers that nobody takes for so long are lost
)

// line is the cable. plug and unplug are called in turn by one goroutine.
type line interface {
	plug(feed chan<- []byte) error
	unplug() // waits until nothing more can come in
	write(b []byte)
	address() string
}

// ends is one plugged-in cable: what must stop when it is pulled.
type ends struct {
	gone  chan struct{}
	reads sync.WaitGroup
}

// pump carries bytes to feed at the speed of the line until conn fails.
func (e *ends) pump(conn io.Reader, feed chan<- []byte, baud int) {
	size := burst
	if baud > 0 {
		size = pacedBurst
	}
	buf := make([]byte, size)
	for {
		n, err := conn.Read(buf)
		if n > 0 && baud > 0 {
			select {
			case <-time.After(time.Duration(n*bitsPerByte) * time.Second / time.Duration(baud)):
			case <-e.gone:
				return
			}
		}
		if n > 0 {
			select {
			case feed <- append([]byte{}, buf[:n]...):
			case <-e.gone:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// ptyLine is a serial line: the other end opens a terminal device.
type ptyLine struct {
	link string // symbolic link to the device, or empty
	baud int

	ends          *ends
	master, slave *os.File
}

func (l *ptyLine) plug(feed chan<- []byte) error {
	var err error
	if l.master, l.slave, err = openPair(); err != nil {
		return fmt.Errorf("open pseudo terminal: %w", err)
	}
	if l.link != "" {
		if err := relink(l.link, l.slave.Name()); err != nil {
			l.master.Close()
			l.slave.Close()
			l.master, l.slave = nil, nil
			return err
		}
	}
	l.ends = &ends{gone: make(chan struct{})}
	e, master := l.ends, l.master
	e.reads.Go(func() { e.pump(master, feed, l.baud) })
	return nil
}

// openPair opens a raw terminal whose master can be read with deadlines. The
// slave stays open here too, so that the other end may open and close it.
func openPair() (master, slave *os.File, err error) {
	blocking, slave, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	defer blocking.Close()
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = makeRaw(slave)
	}
	if err != nil {
		slave.Close()
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), "/dev/ptmx"), slave, nil
}

func makeRaw(tty *os.File) error {
	t, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^unix.PARENB | unix.CS8 | unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, t)
}

// relink moves a symbolic link at once; it replaces nothing but links.
func relink(link, target string) error {
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return fmt.Errorf("link %s: is a file", link)
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	next := link + ".next"
	os.Remove(next)
	if err := os.Symlink(target, next); err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	if err := os.Rename(next, link); err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	return nil
}

func (l *ptyLine) unplug() {
	if l.ends == nil {
		return
	}
	if l.link != "" {
		os.Remove(l.link)
	}
	close(l.ends.gone)
	l.slave.Close()
	l.master.Close()
	l.ends.reads.Wait()
	l.ends = nil
}

func (l *ptyLine) write(b []byte) {
	if l.ends == nil {
		return
	}
	l.master.SetWriteDeadline(time.Now().Add(writeLimit))
	l.master.Write(b)
}

func (l *ptyLine) address() string {
	if l.link != "" {
		return l.link
	}
	if l.slave == nil {
		return ""
	}
	return l.slave.Name()
}

// tcpLine is a network port that serves one connection and refuses a second.
type tcpLine struct {
	listen string
	baud   int

	ends     *ends
	listener net.Listener

	mu   sync.Mutex
	conn net.Conn // guarded by mu
}

func (l *tcpLine) plug(feed chan<- []byte) error {
	listener, err := net.Listen("tcp", l.listen)
	if err != nil {
		return fmt.Errorf("listen for printing: %w", err)
	}
	l.listener = listener
	l.listen = listener.Addr().String() // the same port after the next plug
	l.ends = &ends{gone: make(chan struct{})}
	e := l.ends
	e.reads.Go(func() { l.accept(e, listener, feed) })
	return nil
}

func (l *tcpLine) accept(e *ends, listener net.Listener, feed chan<- []byte) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		l.mu.Lock()
		busy := l.conn != nil
		if !busy {
			l.conn = conn
		}
		l.mu.Unlock()
		if busy {
			conn.Close()
			continue
		}
		e.reads.Go(func() {
			e.pump(conn, feed, l.baud)
			l.hangUp(conn)
		})
	}
}

func (l *tcpLine) hangUp(conn net.Conn) {
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == conn {
		l.conn = nil
	}
}

func (l *tcpLine) unplug() {
	if l.ends == nil {
		return
	}
	close(l.ends.gone)
	l.listener.Close()
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
	l.ends.reads.Wait()
	l.ends = nil
}

func (l *tcpLine) write(b []byte) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		conn.SetWriteDeadline(time.Now().Add(writeLimit))
		conn.Write(b)
	}
}

func (l *tcpLine) address() string { return l.listen }
