package scanner_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/hardware/serial"
)

// BenchmarkLineTime compares how long a burst of 200 scans takes with how long
// a line of this speed needs for it: 1 is true.
func BenchmarkLineTime(b *testing.B) {
	const scans, code = 200, "4006381333931"
	const frame = len(code + scanner.DefaultSuffix)
	for _, baud := range []int{9600, 38400, 115200} {
		b.Run(fmt.Sprint(baud), func(b *testing.B) {
			s, err := scanner.Start(scanner.Options{Baud: baud})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			port, err := serial.Open(serial.Config{Path: s.Path(), Baud: baud})
			if err != nil {
				b.Fatal(err)
			}
			defer port.Close()
			line := time.Duration(scans*frame*10) * time.Second / time.Duration(baud)
			var took time.Duration
			for b.Loop() {
				began := time.Now()
				go func() {
					for range scans {
						s.Scan(b.Context(), code, "")
					}
				}()
				if _, err := io.ReadFull(port, make([]byte, scans*frame)); err != nil {
					b.Fatal(err)
				}
				took += time.Since(began)
			}
			b.ReportMetric(float64(took)/float64(line)/float64(b.N), "ratio")
		})
	}
}
