package barcode

import (
	"testing"
	"time"

	"github.com/creack/pty"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/serial"
)

// BenchmarkFrame is the cost of one EAN-13 with its identifier.
func BenchmarkFrame(b *testing.B) {
	stream, reads := []byte("]E04006381333931\r\n"), 0
	f := framer{
		cfg:     New(nil, Config{}).cfg,
		deliver: func(hardware.Read) { reads++ },
	}
	now := time.Now()
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		for _, c := range stream {
			f.push(c, now)
		}
	}
	if reads != b.N {
		b.Errorf("%d frames make %d reads", b.N, reads)
	}
}

func BenchmarkIdleSerialScanners(b *testing.B) {
	hardwaretest.BenchmarkIdle(b, func(b *testing.B) hardware.Scanner {
		master, line, err := pty.Open()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { master.Close(); line.Close() })
		port, err := serial.Open(serial.Config{Path: line.Name()})
		if err != nil {
			b.Fatal(err)
		}
		return New(port, Config{})
	})
}
