package chaos

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo answers each byte with the same, until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // ends with the connection
			}()
		}
	}()
	return l.Addr().String()
}

// What a client sees of a cable that is broken, and of one that is mended.
func TestACableLosesWhatItIsTold(t *testing.T) {
	const soon, patience = 50 * time.Millisecond, 20 * time.Second
	for name, test := range map[string]struct {
		rule  rule
		wants error // of a byte asked for on an old connection
	}{
		"whole":              {rule{}, nil},
		"slow":               {rule{delay: time.Millisecond}, nil},
		"lost there":         {rule{up: true}, os.ErrDeadlineExceeded},
		"lost back":          {rule{down: true}, os.ErrDeadlineExceeded},
		"lost both ways":     {rule{up: true, down: true}, os.ErrDeadlineExceeded},
		"cut":                {rule{cut: true}, errGone},
		"cut, far untouched": {rule{cut: true, ghost: true}, errGone},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := layCable("127.0.0.1:0", place{addr: echo(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			old := dialCable(t, c)
			if err := exchange(old, patience); err != nil {
				t.Fatal(err)
			}
			c.set("", test.rule)
			within := patience
			if errors.Is(test.wants, os.ErrDeadlineExceeded) {
				within = soon
			}
			if err := exchange(old, within); !errors.Is(err, test.wants) {
				t.Errorf("got %v, want %v", err, test.wants)
			}
			c.set("", rule{})
			if err := exchange(dialCable(t, c), patience); err != nil {
				t.Errorf("mended, a new connection gets %v", err)
			}
			if test.wants != nil && exchange(old, patience) == nil {
				t.Error("a connection that lost something goes on as if nothing was")
			}
		})
	}
}

// errGone stands for every way in which a connection says that it has ended.
var errGone = errors.New("gone")

func dialCable(t *testing.T, c *cable) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", c.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func exchange(conn net.Conn, within time.Duration) error {
	err := conn.SetDeadline(time.Now().Add(within))
	if err == nil {
		_, err = conn.Write([]byte{7})
	}
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.Join(errGone, err)
	}
	return err
}
