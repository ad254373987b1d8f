package hardwaretest_test

import (
	"io"
	"testing"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
)

func TestPipeIsAPort(t *testing.T) {
	hardwaretest.TestPort(t, func(*testing.T) (hardware.Port, io.ReadWriteCloser) {
		return hardwaretest.Pipe(300 * time.Millisecond)
	})
}
