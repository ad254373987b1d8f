package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/zpl"
	"holdfast.dev/node/devices"
	"holdfast.dev/stock/words"
)

const (
	// maxProofSeconds bounds how long a self-test waits for scans.
	maxProofSeconds = 600
	// printWithin bounds how long one test print may take.
	printWithin = 30 * time.Second
	// showFor is how long a display shows the code of a self-test.
	showFor = 3 * time.Second
)

// selfTest proves that the devices of a store do what they say: what is printed
// is read by a scanner, a text stands on the display, the scale answers. It
// opens no door and no drawer; for a drawer it asks somebody.
type selfTest struct {
	set  *devices.Set
	wait time.Duration // for somebody to scan what was printed
	tell func(Finding)
}

func (t selfTest) run(ctx context.Context) {
	code := "HFT-" + randomCode()
	scans, stop := t.set.Expect(code)
	defer stop()
	printed := false
	for _, d := range t.set.States() {
		switch d.Kind {
		case devices.Printer, devices.LabelPrinter:
			printed = t.print(ctx, d, code) || printed
		case devices.Display:
			t.show(ctx, d, code)
		case devices.Scale:
			t.weigh(d)
		case devices.Locker:
			t.doors(d)
		}
	}
	t.prove(ctx, code, printed, scans)
}

// randomCode is a code that no paper of before can carry.
func randomCode() string {
	const letters, length = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ", 6
	code := make([]byte, length)
	for i := range code {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(err) // the system has no randomness: nothing can be proved
		}
		code[i] = letters[n.Int64()]
	}
	return string(code)
}

// print prints the code on one printer and tells whether it may be on paper.
func (t selfTest) print(ctx context.Context, d devices.State, code string) bool {
	ctx, cancel := context.WithTimeout(ctx, printWithin)
	defer cancel()
	job, err := testReceipt(d.Width, code)
	if d.Kind == devices.LabelPrinter {
		job, err = testLabel(code)
	}
	state := hardware.Failed
	if err == nil {
		state, err = t.set.Print(ctx, d.Name, job)
	}
	f := Finding{Check: "test " + d.Name, State: Sound, Says: fmt.Sprintf("%s with the code %s", state, code)}
	switch state {
	case hardware.Sent:
		f.State, f.Says = Doubt, f.Says+"; this printer does not say whether it is on paper"
		f.Todo = "Look whether it came out."
	case hardware.Printed:
	default:
		f.State, f.Says, f.Todo = Bad, fmt.Sprintf("%s: %v", state, err), t.help(d.Name)
	}
	t.tell(f)
	return state == hardware.Printed || state == hardware.Sent
}

// help is what to do about a device.
func (t selfTest) help(name string) string {
	for _, d := range t.set.States() {
		if d.Name == name {
			return helpFor(d)
		}
	}
	return ""
}

func testReceipt(width int, code string) ([]byte, error) {
	return receipt.Job(receipt.Document{Width: width, Blocks: []receipt.Block{
		receipt.Line{Text: words.T(words.EN, "devices.test.title"), Align: receipt.Centre, Bold: true, Tall: 2, Wide: 2},
		receipt.Line{Text: time.Now().Format("2006-01-02 15:04:05"), Align: receipt.Centre},
		receipt.Feed{Lines: 1},
		receipt.Barcode{Kind: receipt.Code128, Content: code},
		receipt.Feed{Lines: 1},
		receipt.Line{Text: words.T(words.EN, "devices.test.scan"), Align: receipt.Centre},
		receipt.Feed{Lines: 1}, receipt.Cut{},
	}})
}

func testLabel(code string) ([]byte, error) {
	const width, height, margin = 57 * zpl.DotsPerMM, 32 * zpl.DotsPerMM, 16
	return zpl.Encode(zpl.Label{Width: width, Height: height, Items: []zpl.Item{
		zpl.Text{X: margin, Y: 20, Width: width - 2*margin, Size: 34, Content: words.T(words.EN, "devices.test.title")},
		zpl.Barcode{X: margin, Y: 80, Kind: zpl.Code128, Content: code, Height: 90, Module: 2},
	}})
}

// show shows the code on a display and then what stood there before.
func (t selfTest) show(ctx context.Context, d devices.State, code string) {
	f := Finding{Check: "test " + d.Name, State: Bad, Says: "the display is not connected", Todo: helpFor(d)}
	if !d.Opened.IsZero() {
		t.set.Show(d.Name, words.T(words.EN, "devices.test.title"), code)
		select {
		case <-ctx.Done():
		case <-time.After(showFor):
		}
		shown := t.shown(d.Name)
		t.set.Show(d.Name, d.Shown[0], d.Shown[1])
		f.State, f.Says, f.Todo = Doubt, fmt.Sprintf("it was sent %s; displays do not answer", code),
			"Look whether the code stood on it."
		if shown[1] != code {
			f.State, f.Says, f.Todo = Bad, "it did not take the text", helpFor(d)
		}
	}
	t.tell(f)
}

func (t selfTest) shown(name string) (lines [2]string) {
	for _, d := range t.set.States() {
		if d.Name == name {
			lines = d.Shown
		}
	}
	return lines
}

func (t selfTest) weigh(d devices.State) {
	f := Finding{Check: "test " + d.Name, State: Bad, Says: "the scale does not answer", Todo: helpFor(d)}
	if d.Phase == devices.Ready && d.Weight != nil {
		f.State, f.Todo = Sound, ""
		f.Says = fmt.Sprintf("it says %s, %d g", d.Weight.State, d.Weight.Grams)
	}
	t.tell(f)
}

// doors looks at all doors and opens none: there may be orders behind them.
func (t selfTest) doors(d devices.State) {
	count := make(map[hardware.DoorState]int)
	for _, door := range d.Doors {
		count[door.State]++
	}
	f := Finding{Check: "test " + d.Name, State: Sound, Says: fmt.Sprintf("%d doors: %d closed, %d open, %d unknown",
		len(d.Doors), count[hardware.DoorClosed], count[hardware.DoorOpen], count[hardware.DoorUnknown])}
	if len(d.Doors) == 0 || count[hardware.DoorUnknown] > 0 {
		f.State, f.Todo = Bad, helpFor(d)
	}
	t.tell(f)
}

// prove waits until every scanner that is there has read the code.
func (t selfTest) prove(ctx context.Context, code string, printed bool, scans <-chan devices.Scan) {
	var waiting []string
	for _, d := range t.set.States() {
		if d.Kind == devices.Scanner && !d.Opened.IsZero() {
			waiting = append(waiting, d.Name)
		}
	}
	if !printed || len(waiting) == 0 {
		t.tell(Finding{Check: "proof", State: Doubt, Says: "nothing was printed that a scanner could read",
			Todo: "Connect a printer and a scanner, and test again."})
		return
	}
	t.tell(Finding{Check: "proof", State: Asks, Says: fmt.Sprintf("read the printed code %s with %s within %s",
		code, strings.Join(waiting, " and "), t.wait)})
	late := time.After(t.wait)
	for over := false; len(waiting) > 0 && !over; {
		select {
		case scan := <-scans:
			if i := slices.Index(waiting, scan.Device); i >= 0 {
				waiting = slices.Delete(waiting, i, i+1)
				t.tell(Finding{Check: "proof " + scan.Device, State: Sound, Says: "read what was printed: " + code})
			}
		case <-late:
			over = true
		case <-ctx.Done():
			over = true
		}
	}
	for _, name := range waiting {
		t.tell(Finding{Check: "proof " + name, State: Bad, Says: "did not read the printed code",
			Todo: "Read the code on the test receipt with this scanner; if it beeps, check suffix and speed."})
	}
}
