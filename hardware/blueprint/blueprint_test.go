package blueprint_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"holdfast.dev/hardware/blueprint"
	"holdfast.dev/hardware/hardwaretest"
)

// lamp is the device: it reads three bytes and answers with three.
func lamp(far interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
}, lit *atomic.Int32) {
	question := make([]byte, 0, 3)
	in := make([]byte, 1)
	for {
		if _, err := far.Read(in); err != nil {
			return
		}
		question = append(question, in[0])
		if in[0] != '\r' {
			continue
		}
		if len(question) == 3 && question[0] == 'L' {
			lit.Store(int32(question[1] - '0'))
			fmt.Fprintf(far, "K%c\r", question[1])
		}
		question = question[:0]
	}
}

// One call holds the driver to everything that its supervisor relies on.
func TestTheLampKeepsTheContract(t *testing.T) {
	hardwaretest.TestDriver(t, func(t *testing.T, spoil *hardwaretest.Spoil) hardwaretest.Subject {
		port, far := hardwaretest.Pipe(time.Second)
		var lit atomic.Int32
		go lamp(far, &lit)
		driver := blueprint.New(spoil.On(port))
		return hardwaretest.Subject{
			Run: driver.Run,
			Do:  func(ctx context.Context) error { return driver.Show(ctx, 7) },
			Lie: func(said error) string {
				if said == nil && lit.Load() != 7 {
					return fmt.Sprintf("it says 7, and %d is lit", lit.Load())
				}
				return ""
			},
			Answers: true,
			Unplug:  func() { far.Close() },
		}
	})
}

func TestColoursThatNoLampHasAreRefused(t *testing.T) {
	driver := blueprint.New(nil)
	for _, wrong := range []int{-1, 10} {
		if driver.Show(t.Context(), wrong) == nil {
			t.Errorf("colour %d is shown", wrong)
		}
	}
}
