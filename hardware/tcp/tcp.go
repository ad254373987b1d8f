// Package tcp opens a device on the network, such as a printer on port 9100,
// as a hardware.Port that notices when the device is gone.
package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"holdfast.dev/hardware"
)

// Defaults of a Config's fields that are zero.
const (
	DefaultDialTimeout = 3 * time.Second
	// DefaultWriteTimeout is how long a device may take no byte at all.
	DefaultWriteTimeout = 3 * time.Second
)

// writeBytes is how much is written per deadline: what the slowest device
// takes within it.
const writeBytes = 1024

// Config says which device to connect to.
type Config struct {
	Addr         string        // host:port
	DialTimeout  time.Duration // zero: DefaultDialTimeout
	WriteTimeout time.Duration // longest time without progress; zero: DefaultWriteTimeout
}

// Port is a connection to a device. One goroutine may read while another writes.
type Port struct {
	conn         net.Conn
	addr         string
	writeTimeout time.Duration
}

// Open connects to a device. The error is hardware.ErrTimeout when nothing
// answers: switched off, or another address.
func Open(ctx context.Context, cfg Config) (*Port, error) {
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = DefaultDialTimeout
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = DefaultWriteTimeout
	}
	dialer := net.Dialer{
		Timeout: cfg.DialTimeout,
		// A device that lost its power says nothing; this asks it.
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 10 * time.Second, Interval: 3 * time.Second, Count: 3,
		},
	}
	conn, err := dialer.DialContext(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.Addr, fault(err))
	}
	return &Port{conn: conn, addr: cfg.Addr, writeTimeout: cfg.WriteTimeout}, nil
}

// Read returns at least one byte, hardware.ErrGone when the device closed or
// stopped answering, or os.ErrClosed after Close.
func (p *Port) Read(b []byte) (int, error) {
	n, err := p.conn.Read(b)
	switch {
	case n > 0 || err == nil:
		return n, nil
	case errors.Is(err, net.ErrClosed):
		err = os.ErrClosed
	default: // an end of file, a reset, or keep-alives without an answer
		err = fmt.Errorf("%w (%w)", hardware.ErrGone, err)
	}
	return 0, fmt.Errorf("read %s: %w", p.addr, err)
}

// Write hands all of b to the network, or says how many bytes it took and why
// no more. Bytes that were taken may still be on their way to the device.
func (p *Port) Write(b []byte) (int, error) {
	sent := 0
	for sent < len(b) {
		p.conn.SetWriteDeadline(time.Now().Add(p.writeTimeout)) // fails as Write will
		n, err := p.conn.Write(b[sent:min(sent+writeBytes, len(b))])
		sent += n
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && n > 0: // slow, but alive
		case errors.Is(err, os.ErrDeadlineExceeded):
			return sent, fmt.Errorf("write %s: %w", p.addr, hardware.ErrTimeout)
		case errors.Is(err, net.ErrClosed):
			return sent, fmt.Errorf("write %s: %w", p.addr, os.ErrClosed)
		default:
			return sent, fmt.Errorf("write %s: %w (%w)", p.addr, hardware.ErrGone, err)
		}
	}
	return sent, nil
}

// Close ends the connection and every call that waits. It may be called twice.
func (p *Port) Close() error {
	if err := p.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close %s: %w", p.addr, err)
	}
	return nil
}

// fault names a dial that nothing answered.
func fault(err error) error {
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		return fmt.Errorf("%w (%w)", hardware.ErrTimeout, err)
	}
	return err
}
