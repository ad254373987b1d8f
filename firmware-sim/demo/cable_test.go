package demo

import (
	"bufio"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/program"
)

// echoes answers every line with itself.
func echoes(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func lay(t *testing.T, target string) *Cable {
	t.Helper()
	port, err := new(program.Ports).Next()
	if err != nil {
		t.Fatal(err)
	}
	c, err := LayCable(port, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func call(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// talk sends a line and wants it back.
func talk(c net.Conn) error {
	if _, err := io.WriteString(c, "ahoy\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && line != "ahoy\n" {
		err = errors.New("another line: " + line)
	}
	return err
}

func TestACutResetsWhatTheCableCarries(t *testing.T) {
	cable := lay(t, echoes(t))
	c := call(t, cable.Addr())
	if err := talk(c); err != nil {
		t.Fatal(err)
	}
	cable.Cut()
	if err := talk(c); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("after the cut: %v, want a reset", err)
	}
	if in, _ := cable.Plugged(); in {
		t.Error("the cable says that it is in")
	}
}

func TestACutCableCarriesNothingNewUntilItIsPlugged(t *testing.T) {
	cable := lay(t, echoes(t))
	cable.Cut()
	cable.Cut() // twice is once
	if c, err := net.Dial("tcp", cable.Addr()); err == nil {
		if err := talk(c); err == nil {
			t.Error("a cut cable carries bytes")
		}
		c.Close()
	}
	cable.Plug()
	if err := talk(call(t, cable.Addr())); err != nil {
		t.Errorf("after plugging: %v", err)
	}
}

func TestTheEndOfOneSideReachesTheOther(t *testing.T) {
	cable := lay(t, echoes(t))
	c := call(t, cable.Addr()).(*net.TCPConn)
	io.WriteString(c, "last words")
	c.CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "last words" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestACableWithoutACloudEndsTheCall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	c, err := net.Dial("tcp", lay(t, gone).Addr())
	if err != nil {
		return // the end came while the call was made
	}
	defer c.Close()
	if err := talk(c); err == nil {
		t.Error("somebody answered")
	}
}
