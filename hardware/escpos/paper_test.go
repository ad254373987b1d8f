package escpos_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/receipt/session"
)

func TestPrintedMeansThatTheReceiptCameOut(t *testing.T) {
	for name, o := range map[string]printer.Options{
		"serial line": {}, "slow serial line": {Baud: 38400,
			Speed: 200}, "network": {TCP: "127.0.0.1:0", Dots: 384},
	} {
		t.Run(name, func(t *testing.T) {
			p := startSim(t, o)
			profile := epson
			profile.Timing.Fence = patience
			driver, _ := run(t, hardwaretest.Dial(t, p.Address(), 0), profile)
			for i := range 3 {
				text := fmt.Sprintf("receipt %d", i)
				got, err := driver.Print(t.Context(), job(t, text))
				if got != hardware.Printed || p.Came(text) != 1 {
					t.Errorf("got %v, %v with %d receipts", got, err, p.Came(text))
				}
			}
			if s := p.State(); s.Unknown != 0 || s.Pulses != 0 {
				t.Errorf("printer did not understand the driver: %+v", s)
			}
		})
	}
}

func TestTranscriptsOfDriverAndPrinterAgree(t *testing.T) {
	p := startSim(t, printer.Options{})
	driver, _ := run(t, hardwaretest.Dial(t, p.Address(), 0), epson)
	d := saleReceipt(48)
	d.Blocks = d.Blocks[1:] // wide text stands elsewhere in a plain transcript
	bytes, err := escpos.Encode(d, epson)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := driver.Print(t.Context(), bytes); got != hardware.Printed {
		t.Fatalf("%v, %v", got, err)
	}
	flat := func(text string) string {
		var lines []string
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, " \n")
			if line != "" && !strings.Contains(line, "[") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n")
	}
	cut := p.Receipts()[0]
	if want, got := flat(receipt.Text(d)), flat(cut.Text); got != want {
		t.Errorf("printer wrote\n%s\nwant\n%s", got, want)
	}
	if len(cut.Warnings) != 0 {
		t.Errorf("warnings %q", cut.Warnings)
	}
}

func longJob(t *testing.T) []byte {
	t.Helper()
	d := receipt.Document{Width: 48}
	for range 30 {
		d.Blocks = append(d.Blocks, receipt.Rule{})
	}
	d.Blocks = append(d.Blocks, receipt.QR{Content: "long"}, receipt.Cut{})
	bytes, err := escpos.Encode(d, epson)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestAJobThatStaysWithoutPaperIsUnknown(t *testing.T) {
	p := startSim(t, printer.Options{})
	profile := epson
	profile.Timing.Refills = 100 * time.Millisecond
	driver, _ := run(t, hardwaretest.Dial(t, p.Address(), 0), profile)
	p.SetPaperLeft(40)
	got, err := driver.Print(t.Context(), longJob(t))
	if got != hardware.Unknown || !errors.Is(err, session.ErrPaperOut) ||
		!errors.Is(err, hardware.ErrTimeout) {
		t.Errorf("got %v, %v; want unknown for want of paper", got, err)
	}
	if len(p.Receipts()) != 0 {
		t.Errorf("receipts %+v", p.Receipts())
	}
}
