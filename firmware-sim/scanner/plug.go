package scanner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// hostPatience is how long a host may take no byte at all.
const hostPatience = 2 * time.Second

// heardBytes is how much of what a host says is taken at a time.
const heardBytes = 512

// line is one plugging-in of the scanner.
type line interface {
	path() string
	// send gives the host bytes that the line has carried by now.
	send(data []byte) error
	// hears gives what a host makes of bytes that are sent at this speed.
	hears(data []byte, baud int) []byte
	pull() // hangs up, and waits until nothing is heard any more
}

// plugIn makes the line that the options ask for. What the host says is told
// to hear.
func (o Options) plugIn(hear func([]byte)) (line, error) {
	switch {
	case o.Events != nil:
		return &keys{events: o.Events}, nil
	case o.TCP != "":
		return plugNetwork(o.TCP, hear)
	}
	c, err := plugSerial(o.Baud, hear)
	if err != nil {
		return nil, err
	}
	c.link = o.Link
	if err := point(c.link, c.line.Name()); err != nil {
		c.pull()
		return nil, err
	}
	return c, nil
}

// cable is a serial line, on a pseudo terminal.
type cable struct {
	master *os.File
	line   *os.File // the host's end; held open so that a host may come and go
	link   string
	quiet  chan struct{} // closed when nothing reads the master any more
}

func plugSerial(baud int, hear func([]byte)) (*cable, error) {
	blocking, line, err := pty.Open()
	if err != nil {
		return nil, err
	}
	master, err := unblock(blocking)
	if err != nil {
		line.Close()
		return nil, err
	}
	if err := setRaw(line, baud); err != nil {
		line.Close()
		master.Close()
		return nil, err
	}
	c := &cable{master: master, line: line, quiet: make(chan struct{})}
	go func() {
		defer close(c.quiet)
		listen(master, hear)
	}()
	return c, nil
}

func (c *cable) path() string { return c.line.Name() }

func (c *cable) send(data []byte) error {
	if err := c.master.SetWriteDeadline(time.Now().Add(hostPatience)); err != nil {
		return ErrUnplugged
	}
	_, err := c.master.Write(data)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrNotRead
	case errors.Is(err, fs.ErrClosed), errors.Is(err, unix.EIO):
		return ErrUnplugged
	}
	return err
}

func (c *cable) hears(data []byte, baud int) []byte {
	host, drops := c.host()
	if host == baud {
		return data
	}
	return resample(data, baud, host, drops)
}

func (c *cable) pull() {
	if target, err := os.Readlink(c.link); err == nil && target == c.line.Name() {
		os.Remove(c.link)
	}
	c.master.Close() // hangs up the host
	c.line.Close()
	<-c.quiet
}

// listen hands on what a host says until the line is pulled.
func listen(from io.Reader, hear func([]byte)) {
	buffer := make([]byte, heardBytes)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			hear(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// network is a network port that serves one host and refuses a second.
type network struct {
	listener net.Listener
	all      sync.WaitGroup

	mu   sync.Mutex
	host net.Conn // nil while none is connected
}

func plugNetwork(address string, hear func([]byte)) (*network, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	n := &network{listener: listener}
	n.all.Go(func() { n.accept(hear) })
	return n, nil
}

func (n *network) accept(hear func([]byte)) {
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			return // pulled
		}
		n.mu.Lock()
		busy := n.host != nil
		if !busy {
			n.host = conn
		}
		n.mu.Unlock()
		if busy {
			conn.Close()
			continue
		}
		n.all.Go(func() {
			listen(conn, hear)
			n.hangUp()
		})
	}
}

func (n *network) hangUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.host != nil {
		n.host.Close()
		n.host = nil
	}
}

func (n *network) path() string { return n.listener.Addr().String() }

func (n *network) send(data []byte) error {
	n.mu.Lock()
	conn := n.host
	n.mu.Unlock()
	if conn == nil {
		return ErrNotRead
	}
	conn.SetWriteDeadline(time.Now().Add(hostPatience)) // fails as Write will
	if _, err := conn.Write(data); errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrNotRead
	} else if err != nil {
		return fmt.Errorf("%w (%w)", ErrUnplugged, err)
	}
	return nil
}

func (n *network) hears(data []byte, _ int) []byte { return data }

func (n *network) pull() {
	n.listener.Close()
	n.hangUp()
	n.all.Wait()
}

// keys is a USB cable of a keyboard.
type keys struct{ events io.WriteCloser }

func (k *keys) path() string { return "" }

func (k *keys) send(data []byte) error {
	if _, err := k.events.Write(data); err != nil {
		return fmt.Errorf("%w (%w)", ErrUnplugged, err)
	}
	return nil
}

func (k *keys) hears(data []byte, _ int) []byte { return data }

func (k *keys) pull() { k.events.Close() }

// point makes link lead to target at once, with no moment without a link.
func point(link, target string) error {
	if link == "" {
		return nil
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("%s exists and is no link", link)
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	fresh := fmt.Sprintf("%s.%d", link, os.Getpid())
	os.Remove(fresh)
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}
