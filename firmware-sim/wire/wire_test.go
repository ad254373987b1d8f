package wire_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast.dev/firmware-sim/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// parrot says what it hears, and something by itself after a while.
type parrot struct {
	heard int
	wake  time.Time
}

func (p *parrot) Step(now time.Time, in []byte) []byte {
	p.heard += len(in)
	if !p.wake.IsZero() && !now.Before(p.wake) {
		p.wake = time.Time{}
		return []byte("hello")
	}
	return in
}

func (p *parrot) Wake() time.Time { return p.wake }

func start(t *testing.T, o wire.Options) (*wire.Cable, *parrot) {
	t.Helper()
	p := &parrot{}
	c, err := wire.Start(o, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, p
}

func dial(t *testing.T, c *wire.Cable) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", c.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func hears(t *testing.T, from io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func TestAMachineHearsAndSpeaksAndWakes(t *testing.T) {
	c, p := start(t, wire.Options{TCP: "127.0.0.1:0"})
	conn := dial(t, c)
	io.WriteString(conn, "abc")
	hears(t, conn, "abc")
	c.Do(func(now time.Time) { p.wake = now.Add(20 * time.Millisecond) })
	hears(t, conn, "hello")
	second := dial(t, c)
	if n, err := second.Read(make([]byte, 1)); err == nil {
		t.Errorf("a second host heard %d bytes", n)
	}
	c.Unplug()
	if _, err := conn.Read(make([]byte, 1)); err == nil || c.Plugged() {
		t.Error("an unplugged device goes on")
	}
	if err := c.Plug(); err != nil {
		t.Fatal(err)
	}
	again := dial(t, c)
	io.WriteString(again, "x")
	hears(t, again, "x")
}

func TestASerialLineIsAsSlowAsItsBaudRate(t *testing.T) {
	link := filepath.Join(t.TempDir(), "dev", "tty")
	c, _ := start(t, wire.Options{Link: link, Baud: 9600})
	tty, err := os.OpenFile(link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	text := string(bytes.Repeat([]byte("0123456789"), 10))
	began := time.Now()
	io.WriteString(tty, text)
	hears(t, tty, text)
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("100 bytes there and back at 9600 baud took %v", took)
	}
	if c.Address() != link {
		t.Errorf("its address is %s", c.Address())
	}
	c.Close()
	if _, err := os.Lstat(link); err == nil {
		t.Error("the link is left behind")
	}
}

func TestFaultsDoWhatTheySay(t *testing.T) {
	c, p := start(t, wire.Options{TCP: "127.0.0.1:0", Seed: 1})
	conn := dial(t, c)
	c.SetFaults(wire.Faults{Echo: true})
	io.WriteString(conn, "abc")
	hears(t, conn, "abcabc")
	c.SetFaults(wire.Faults{Mute: true})
	io.WriteString(conn, "lost")
	for heard := 0; heard < 7; {
		changed := c.Watch()
		c.Do(func(time.Time) { heard = p.heard })
		if heard < 7 {
			<-changed
		}
	}
	c.SetFaults(wire.Faults{Deaf: true})
	came := c.Watch()
	io.WriteString(conn, "unheard")
	<-came
	c.SetFaults(wire.Faults{})
	c.Do(func(now time.Time) { p.wake = now })
	hears(t, conn, "hello")
	c.SetFaults(wire.Faults{Cut: 3})
	io.WriteString(conn, "abcdef")
	if got, _ := io.ReadAll(conn); len(got) > 3 {
		t.Errorf("heard %q after a cut", got)
	}
	for c.Plugged() {
		<-c.Watch()
	}
}

func TestTheSameSeedSpoilsTheSameBytes(t *testing.T) {
	spoiled := func(seed uint64) string {
		c, _ := start(t, wire.Options{TCP: "127.0.0.1:0", Seed: seed})
		defer c.Close()
		c.SetFaults(wire.Faults{Flip: 200, Lose: 50})
		conn := dial(t, c)
		io.WriteString(conn, string(bytes.Repeat([]byte("x"), 200)))
		time.AfterFunc(300*time.Millisecond, c.Unplug)
		got, _ := io.ReadAll(conn)
		return string(got)
	}
	first, second, other := spoiled(1), spoiled(1), spoiled(2)
	if first != second {
		t.Errorf("the same seed gives\n%q and\n%q", first, second)
	}
	if first == other {
		t.Error("another seed gives the same")
	}
}

func TestWrongPlacesAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []wire.Options{{Link: file}, {TCP: "nowhere:x"}, {Link: "a", TCP: "b"}} {
		if c, err := wire.Start(o, &parrot{}); err == nil {
			c.Close()
			t.Errorf("%+v is taken", o)
		}
	}
}
