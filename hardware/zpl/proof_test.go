package zpl

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
)

// TestPrintedNeedsProof plays a printer that says how many labels wait, answer by
// answer; x is silence. The first two answers come before the label is sent.
func TestPrintedNeedsProof(t *testing.T) {
	for _, c := range []struct {
		says string
		want hardware.PrintState
		asks int // until it is known
	}{
		{"001100", hardware.Printed, 6},
		{"00101100", hardware.Printed, 8},  // one empty answer between proves nothing
		{"0000", hardware.Sent, 4},         // it never said that a label waits
		{"001x00", hardware.Unknown, 6},    // it may have been switched off
		{"00x1100", hardware.Printed, 7},   // it kept its label
		{"001x1x100", hardware.Printed, 9}, // so it did here
		{"00x00", hardware.Unknown, 5},     // a label that was never seen
		{"00100x00", hardware.Printed, 5},  // silence afterwards says nothing
		{"0010x00", hardware.Unknown, 7},   // one empty answer, then silence
		{"00" + "1111111111", 0, 12},       // still printing
	} {
		t.Run(c.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { proof(t, c.says, c.want, c.asks) })
		})
	}
}

func proof(t *testing.T, says string, want hardware.PrintState, asks int) {
	port, far := hardwaretest.Pipe(time.Second)
	asked := 0
	go func() {
		in := make([]byte, 512)
		for {
			n, err := far.Read(in)
			if err != nil {
				return
			}
			if !bytes.Contains(in[:n], []byte(askStatus)) {
				continue
			}
			said := says[min(asked, len(says)-1)]
			if asked++; said != 'x' {
				fmt.Fprintf(far, "\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n"+
					"\x02001,0,0,0,0,2,4,0,0000000%c,1,000\x03\r\n\x021234,0\x03\r\n", said)
			}
		}
	}()
	p := New(port, Config{Poll: time.Hour})
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context(), func(hardware.LabelStatus) {}) }()
	synctest.Wait() // the first answer
	known := make(chan hardware.PrintState, 1)
	go func() {
		state, _ := p.Print(t.Context(), []byte("^XA^XZ\n"))
		known <- state
	}()
	select {
	case state := <-known:
		if state != want || asked != asks {
			t.Errorf("it says %v after %d answers, want %v after %d", state, asked, want, asks)
		}
	case <-time.After(20 * time.Second):
		if want != 0 {
			t.Errorf("it never says %v", want)
		}
	}
	far.Close()
	<-ended
	if want == 0 {
		<-known
	}
}
