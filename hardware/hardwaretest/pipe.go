package hardwaretest

import (
	"io"
	"os"
	"sync"
	"time"

	"holdfast.dev/hardware"
)

// pipeBytes is how much each direction of a Pipe holds, as a pty would.
const pipeBytes = 4096

// Pipe makes a port in memory and the device at its other end. Closing the
// device unplugs it. A write that finds no room gives up after writeTimeout.
func Pipe(writeTimeout time.Duration) (hardware.Port, io.ReadWriteCloser) {
	toHost, toDevice := newHose(), newHose()
	port := &pipeEnd{in: toHost, out: toDevice, writeTimeout: writeTimeout, gone: hardware.ErrGone}
	device := &pipeEnd{in: toDevice, out: toHost, writeTimeout: time.Minute, gone: io.EOF}
	return port, device
}

// pipeEnd is one end of a Pipe; gone is what it says once the other is closed.
type pipeEnd struct {
	in, out      *hose
	writeTimeout time.Duration
	gone         error
}

func (e *pipeEnd) Read(p []byte) (int, error) { return e.in.take(p, e.gone) }

func (e *pipeEnd) Write(p []byte) (int, error) { return e.out.put(p, e.writeTimeout, e.gone) }

func (e *pipeEnd) Close() error {
	e.in.shut(false)
	e.out.shut(true)
	return nil
}

// hose carries bytes one way.
type hose struct {
	mu           sync.Mutex
	bytes        []byte
	changed      chan struct{} // closed and replaced at each change
	writerClosed bool
	readerClosed bool
}

func newHose() *hose { return &hose{changed: make(chan struct{})} }

func (h *hose) take(p []byte, gone error) (int, error) {
	for {
		h.mu.Lock()
		n, err := copy(p, h.bytes), error(nil)
		h.bytes = h.bytes[n:]
		switch {
		case h.readerClosed:
			n, err = 0, os.ErrClosed
		case n == 0 && h.writerClosed:
			err = gone
		}
		changed := h.changed
		if n > 0 {
			h.tell()
		}
		h.mu.Unlock()
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		<-changed
	}
}

func (h *hose) put(p []byte, limit time.Duration, gone error) (int, error) {
	sent := 0
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		h.mu.Lock()
		if h.writerClosed || h.readerClosed {
			err := gone
			if h.writerClosed {
				err = os.ErrClosed
			}
			h.mu.Unlock()
			return sent, err
		}
		n := min(pipeBytes-len(h.bytes), len(p)-sent)
		h.bytes = append(h.bytes, p[sent:sent+n]...)
		sent += n
		if n > 0 {
			h.tell()
			late.Reset(limit)
		}
		changed := h.changed
		h.mu.Unlock()
		if sent == len(p) {
			return sent, nil
		}
		select {
		case <-changed:
		case <-late.C:
			return sent, hardware.ErrTimeout
		}
	}
}

func (h *hose) shut(writer bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if writer {
		h.writerClosed = true
	} else {
		h.readerClosed = true
	}
	h.tell()
}

// tell wakes both ends; the caller holds the lock.
func (h *hose) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}
