package wire

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

const writeLimit = time.Second // answers that nobody takes for so long are lost

// line is what a cable is made of. plug and unplug are called in turn by one
// goroutine.
type line interface {
	plug(feed chan<- []byte, baud int) error
	unplug() // waits until nothing more can come in
	write(b []byte, delay time.Duration)
	address() string
}

// ends is one plugged-in cable: what must stop when it is pulled.
type ends struct {
	baud  int
	gone  chan struct{}
	out   chan late
	works sync.WaitGroup
}

// late is an answer that waits for the line.
type late struct {
	b     []byte
	delay time.Duration
}

func newEnds(baud int) *ends {
	return &ends{baud: baud, gone: make(chan struct{}), out: make(chan late, unsent)}
}

// pause waits; false if the cable was pulled meanwhile.
func (e *ends) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
		return true
	case <-e.gone:
		return false
	}
}

// lineTime is how long the line takes to carry n bytes.
func (e *ends) lineTime(n int) time.Duration {
	if e.baud == 0 {
		return 0
	}
	return time.Duration(n*bitsPerByte) * time.Second / time.Duration(e.baud)
}

// pump carries bytes to feed at the speed of the line until conn fails.
func (e *ends) pump(conn io.Reader, feed chan<- []byte) {
	size := burst
	if e.baud > 0 {
		size = pacedBurst
	}
	buf := make([]byte, size)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if !e.pause(e.lineTime(n)) {
				return
			}
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

// send carries answers at the speed of the line until the cable is pulled.
func (e *ends) send(conn func() io.Writer) {
	for {
		var a late
		select {
		case a = <-e.out:
		case <-e.gone:
			return
		}
		if !e.pause(a.delay) {
			return
		}
		if !e.carry(a.b, conn) {
			return
		}
	}
}

// carry writes each byte when the line would have carried its stop bit, also
// when this machine was busy meanwhile; false if the cable was pulled.
func (e *ends) carry(b []byte, conn func() io.Writer) bool {
	began := time.Now()
	for sent := 0; sent < len(b); {
		due := len(b)
		if e.baud > 0 {
			if !e.pause(e.lineTime(sent+1) - time.Since(began)) {
				return false
			}
			passed := time.Since(began) / e.lineTime(1)
			due = min(len(b), max(sent+1, int(passed)))
		}
		put(conn(), b[sent:due])
		sent = due
	}
	return true
}

// put writes what the other end takes in time.
func put(conn io.Writer, b []byte) {
	if d, ok := conn.(interface{ SetWriteDeadline(time.Time) error }); ok {
		d.SetWriteDeadline(time.Now().Add(writeLimit))
	}
	if conn != nil {
		conn.Write(b)
	}
}

func (e *ends) queue(b []byte, delay time.Duration) {
	select {
	case e.out <- late{append([]byte{}, b...), delay}:
	default: // nobody takes what the device says
	}
}

// madeLine is a connection that is there already.
type madeLine struct {
	conn io.ReadWriteCloser
	ends *ends
}

func (l *madeLine) plug(feed chan<- []byte, baud int) error {
	if l.conn == nil {
		return errors.New("connection is closed")
	}
	e, conn := newEnds(baud), l.conn
	l.ends = e
	e.works.Go(func() { e.pump(conn, feed) })
	e.works.Go(func() { e.send(func() io.Writer { return conn }) })
	return nil
}

func (l *madeLine) unplug() {
	if l.conn == nil {
		return
	}
	close(l.ends.gone)
	l.conn.Close()
	l.ends.works.Wait()
	l.conn = nil
}

func (l *madeLine) write(b []byte, delay time.Duration) {
	if l.conn != nil {
		l.ends.queue(b, delay)
	}
}

func (l *madeLine) address() string { return "" }

// ptyLine is a serial line: the other end opens a terminal device.
type ptyLine struct {
	link          string // symbolic link to the device, or empty
	ends          *ends
	master, slave *os.File
}

func (l *ptyLine) plug(feed chan<- []byte, baud int) error {
	var err error
	if l.master, l.slave, err = openPair(); err != nil {
		return fmt.Errorf("open pseudo terminal: %w", err)
	}
	if err := relink(l.link, l.slave.Name()); err != nil {
		l.master.Close()
		l.slave.Close()
		return err
	}
	e, master := newEnds(baud), l.master
	l.ends = e
	e.works.Go(func() { e.pump(master, feed) })
	e.works.Go(func() { e.send(func() io.Writer { return master }) })
	return nil
}

// openPair opens a raw terminal whose master can be used with deadlines. The
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
	if link == "" {
		return nil
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return fmt.Errorf("link %s: is a file", link)
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	next := fmt.Sprintf("%s.%d", link, os.Getpid())
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
	if target, err := os.Readlink(l.link); err == nil && target == l.slave.Name() {
		os.Remove(l.link)
	}
	close(l.ends.gone)
	l.slave.Close()
	l.master.Close()
	l.ends.works.Wait()
	l.ends = nil
}

func (l *ptyLine) write(b []byte, delay time.Duration) {
	if l.ends != nil {
		l.ends.queue(b, delay)
	}
}

func (l *ptyLine) address() string {
	if l.link != "" || l.ends == nil {
		return l.link
	}
	return l.slave.Name()
}

// tcpLine is a network port that serves one connection and refuses a second.
type tcpLine struct {
	listen   string
	ends     *ends
	listener net.Listener

	mu   sync.Mutex
	conn net.Conn // guarded by mu
}

func (l *tcpLine) plug(feed chan<- []byte, baud int) error {
	listener, err := net.Listen("tcp", l.listen)
	if err != nil {
		return err
	}
	l.listener = listener
	l.listen = listener.Addr().String() // the same port after the next plug
	e := newEnds(baud)
	l.ends = e
	e.works.Go(func() { l.accept(e, listener, feed) })
	e.works.Go(func() { e.send(l.writer) })
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
		select {
		case <-e.gone: // unplugged just now, before it knew of this connection
			conn.Close()
		default:
		}
		e.works.Go(func() {
			e.pump(conn, feed)
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

func (l *tcpLine) writer() io.Writer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	return l.conn
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
	l.ends.works.Wait()
	l.ends = nil
}

func (l *tcpLine) write(b []byte, delay time.Duration) {
	if l.ends != nil {
		l.ends.queue(b, delay)
	}
}

func (l *tcpLine) address() string { return l.listen }
