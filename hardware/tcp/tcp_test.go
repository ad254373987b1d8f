package tcp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/tcp"
)

// connect gives a port and the device that accepted it.
func connect(t *testing.T) (*tcp.Port, net.Conn) {
	t.Helper()
	device, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	port, err := tcp.Open(t.Context(), tcp.Config{
		Addr: device.Addr().String(), WriteTimeout: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := device.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return port, conn
}

func TestPortKeepsTheContract(t *testing.T) {
	open := func(t *testing.T) (hardware.Port, io.ReadWriteCloser) { return connect(t) }
	hardwaretest.TestPort(t, open)
}

func TestScannerKeepsTheContractOnTheNetwork(t *testing.T) {
	hardwaretest.TestScanner(t, func(t *testing.T) (hardware.Scanner, hardwaretest.Wire) {
		port, device := connect(t)
		return barcode.New(port, barcode.Config{}), hardwaretest.Lined(device, "\r")
	})
}

func TestAResetIsGone(t *testing.T) {
	port, device := connect(t)
	defer port.Close()
	device.(*net.TCPConn).SetLinger(0) // closes by a reset, as a device that restarts does
	device.Close()
	if _, err := port.Read(make([]byte, 1)); !errors.Is(err, hardware.ErrGone) {
		t.Errorf("read = %v, want ErrGone", err)
	}
}

func TestOpenSaysWhoDoesNotAnswer(t *testing.T) {
	device, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := device.Addr().String()
	device.Close()
	_, err = tcp.Open(t.Context(), tcp.Config{Addr: addr})
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), addr) {
		t.Errorf("open = %v, want connection refused by %s", err, addr)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err = tcp.Open(late, tcp.Config{Addr: addr}); !errors.Is(err, hardware.ErrTimeout) {
		t.Errorf("open after its deadline = %v, want ErrTimeout", err)
	}
}
