package hardwaretest

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
)

// idleDevices is how many scanners idle together: more than any shop has.
const idleDevices = 50

// idleTime is how long one round of BenchmarkIdle looks at them.
const idleTime = 500 * time.Millisecond

// BenchmarkIdle measures what 50 scanners cost that nobody uses: goroutines and
// threads of each, and processor time of each in a second.
func BenchmarkIdle(b *testing.B, open func(b *testing.B) hardware.Scanner) {
	before, threads := runtime.NumGoroutine(), threadCount(b)
	ctx, cancel := context.WithCancel(b.Context())
	var done []<-chan error
	for range idleDevices {
		scanner := open(b)
		done = append(done, start(func() error {
			return scanner.Run(ctx, func(hardware.Read) {})
		}))
	}
	time.Sleep(idleTime) // until they have settled
	used, rounds := processorTime(b), 0
	for b.Loop() {
		time.Sleep(idleTime)
		rounds++
	}
	used = processorTime(b) - used
	perSecond := float64(used.Microseconds()) / (float64(rounds) * idleTime.Seconds())
	b.ReportMetric(perSecond/idleDevices, "cpu-µs/s/device")
	b.ReportMetric(float64(runtime.NumGoroutine()-before)/idleDevices, "goroutines/device")
	b.ReportMetric(float64(threadCount(b)-threads)/idleDevices, "threads/device")
	b.ReportMetric(0, "ns/op") // a round lasts as long as it was told to
	cancel()
	for _, d := range done {
		if err := wait(d); err != nil {
			b.Errorf("Run = %v", err)
		}
	}
}

func threadCount(b *testing.B) int {
	b.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		b.Fatal(err)
	}
	return len(tasks)
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
