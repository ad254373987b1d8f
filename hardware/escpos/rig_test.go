package escpos_test

import (
	"path/filepath"
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

// sim is a simulated printer as the contract wants it.
type sim struct{ *printer.Printer }

func (s sim) Address() string { return s.State().Address }

func (s sim) Came(text string) int {
	n := 0
	for _, r := range s.Receipts() {
		n += strings.Count(r.Text, "[QR code "+text+"]")
	}
	return n
}

func startSim(t *testing.T, o printer.Options) sim {
	t.Helper()
	o.OutDir = t.TempDir()
	if o.TCP == "" {
		o.Link = filepath.Join(o.OutDir, "tty")
	}
	p, err := printer.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return sim{p}
}

// rig is a printer of a profile on the network.
func rig(t *testing.T, profile escpos.Profile, model printer.Model) hardwaretest.PrinterRig {
	profile.Timing.Answer, profile.Timing.Fence = patience, patience // nobody is silent here
	r := hardwaretest.PrinterRig{
		Start: func(t *testing.T) hardwaretest.Paper {
			return startSim(t, printer.Options{TCP: "127.0.0.1:0", Model: model})
		},
		Drive: func(port hardware.Port) hardware.Printer { return escpos.New(port, profile) },
		Job:   func(text string) []byte { return job(t, text) },
	}
	bytes, err := escpos.Encode(paperOf("first"), profile)
	if err != nil {
		t.Fatal(err)
	}
	const questions = 80
	r.Length, r.Stride = len(bytes)+questions, 1
	if testing.Short() {
		r.Stride = 17
	}
	return r
}

func TestAPrinterThatAnswersByIDKeepsTheContract(t *testing.T) {
	hardwaretest.TestPrinter(t, rig(t, epson, printer.Model{}))
}

func TestAPrinterThatAnswersByItsSensorKeepsTheContract(t *testing.T) {
	polled := clone
	polled.Timing.Poll = 50 * time.Millisecond
	r := rig(t, polled, printer.Model{NoProcessID: true})
	if !testing.Short() {
		r.Stride = 3
	}
	r.Length += 1024 // what clears a printer that knows no better way
	hardwaretest.TestPrinter(t, r)
}

func TestTheDrawerKeepsTheContract(t *testing.T) {
	for name, c := range map[string]struct {
		level session.Switch
		model printer.DrawerSwitch
		blind bool
	}{
		"open is high": {"high", printer.DrawerHigh, false},
		"open is low":  {"low", printer.DrawerLow, false},
		"no switch":    {"none", printer.DrawerSwitchNo, true},
	} {
		t.Run(name, func(t *testing.T) {
			hardwaretest.TestDrawer(t, func(t *testing.T) hardwaretest.DrawerRig {
				profile := epson
				profile.Drawer = c.level
				profile.Timing.Drawer = 300 * time.Millisecond
				p := startSim(t, printer.Options{Model: printer.Model{Drawer: c.model}})
				driver, statuses := run(t, hardwaretest.Dial(t, p.Address(), 0), profile)
				<-statuses
				kicks := func() int {
					if c.blind { // nothing else says that the kick has arrived
						driver.Print(t.Context(), job(t, "after the kick"))
					}
					return p.State().Pulses
				}
				return hardwaretest.DrawerRig{Drawer: driver.Drawer(1), Blind: c.blind,
					Kicks: kicks, Shut: p.CloseDrawer, Jam: p.SetDrawerStuck,
					Cool: func() { time.Sleep(profile.Timing.Drawer) }}
			})
		})
	}
}

func TestAReceiptCanOpenTheDrawer(t *testing.T) {
	p := startSim(t, printer.Options{})
	driver, _ := run(t, hardwaretest.Dial(t, p.Address(), 0), epson)
	bytes, err := receipt.Job(receipt.Document{Blocks: []receipt.Block{
		receipt.Line{Text: "cash"}, receipt.Kick{Drawer: 2}, receipt.Cut{}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := driver.Print(t.Context(), bytes); got != hardware.Printed ||
		p.State().Pulses != 1 {
		t.Errorf("got %v, %v with %d pulses", got, err, p.State().Pulses)
	}
}

// TestAWeakFenceIsNotBelievedAlone lets a printer stop behind the answer of its
// sensor: the job is not printed before the printer is well again.
func TestAWeakFenceIsNotBelievedAlone(t *testing.T) {
	p := startSim(t, printer.Options{Model: printer.Model{NoProcessID: true}})
	driver, statuses := run(t, hardwaretest.Dial(t, p.Address(), 0), clone)
	p.SetCutterJam(true)
	go func() {
		for s := range statuses {
			if s.CutterError {
				p.SetCutterJam(false)
				return
			}
		}
	}()
	if got, err := driver.Print(t.Context(), job(t, "stuck")); got != hardware.Printed ||
		p.Came("stuck") != 1 {
		t.Errorf("got %v, %v with %d receipts", got, err, p.Came("stuck"))
	}
}

// TestALateAnswerOfTheSensorProvesNothingNew leaves a job without paper for too
// long. When the paper comes, its answer must not pass for that of the next job.
func TestALateAnswerOfTheSensorProvesNothingNew(t *testing.T) {
	port := newStub(ready)
	driver, _ := run(t, port, clone)
	first, err := driver.Print(t.Context(), job(t, "first"))
	if first != hardware.Unknown {
		t.Fatalf("first: %v, %v", first, err)
	}
	port.answer = func(s *stub, sent string) {
		ready(s, sent)
		if strings.HasSuffix(sent, "\x1dr\x01") {
			s.say <- "\x00" // to the first
		}
	}
	if second, err := driver.Print(t.Context(), job(t, "second")); second != hardware.Unknown {
		t.Errorf("second: %v, %v; want unknown", second, err)
	}
}
