//go:build peer

package printer_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/star"
)

// job is what another encoder sends, and what must stand on paper.
type job struct {
	Name, Language string
	Columns        int
	Bytes          string
	Lines          []string
	Symbols        []string
	Pictures       []string // codes that are sent as pictures
	Pulses         int
}

// foreign runs the encoders of other people. They are installed by
// deploy/test-tools; without them the test fails.
func foreign(t *testing.T) (jobs []job) {
	t.Helper()
	cmd := exec.Command("node", "encode.mjs")
	cmd.Dir = "testdata/peer"
	var fault bytes.Buffer
	cmd.Stderr = &fault
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run the other encoders (deploy/test-tools installs them): %v\n%s", err,
			fault.String())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var j job
		if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	if len(jobs) < 50 {
		t.Fatalf("only %d jobs", len(jobs))
	}
	return jobs
}

var peerLanguages = map[string]string{"esc-pos": printer.ESCPOS, "star-prnt": printer.StarPRNT,
	"star-line": printer.StarLine}

func TestReceiptsOfOtherEncodersPrint(t *testing.T) {
	for _, j := range foreign(t) {
		t.Run(fmt.Sprintf("%s-%s-%d", j.Name, j.Language, j.Columns), func(t *testing.T) {
			data, err := hex.DecodeString(j.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			p := start(t, printer.Options{Language: peerLanguages[j.Language],
				Dots: 12 * j.Columns})
			conn := dial(t, p)
			send(t, conn, string(data))
			until(t, p, func() bool { return len(p.Receipts()) == 1 && p.State().Waiting == 0 })
			receipt := p.Receipts()[0]
			for _, want := range j.Lines {
				if !strings.Contains(receipt.Text, want) {
					t.Errorf("%q is not on\n%s", want, receipt.Text)
				}
			}
			if fmt.Sprint(receipt.Symbols) != fmt.Sprint(j.Symbols) {
				t.Errorf("symbols %q, want %q", receipt.Symbols, j.Symbols)
			}
			if s := p.State(); len(receipt.Warnings) != 0 || s.Unknown != 0 ||
				s.Pulses != j.Pulses {
				t.Errorf("warnings %q, state %+v", receipt.Warnings, s)
			}
			readBack(t, receipt.PNG, append(j.Symbols, j.Pictures...))
		})
	}
}

// readBack gives a picture to zbar, which knows nothing of us. It reads no
// PDF417, and a UPC-A as the EAN-13 that it is.
func readBack(t *testing.T, png string, symbols []string) {
	t.Helper()
	if len(symbols) == 0 {
		return
	}
	out, err := exec.Command("zbarimg", "--quiet", "--raw", png).Output()
	if err != nil {
		t.Fatalf("run zbarimg (deploy/test-tools installs it): %v", err)
	}
	for _, want := range symbols {
		if want == "HELLO" {
			continue
		}
		if !strings.Contains(string(out), want) {
			t.Errorf("zbar does not read %q, but\n%s", want, out)
		}
	}
}

func TestCodesOfOurOwnDriversAreReadByOthers(t *testing.T) {
	d := receipt.Document{Blocks: []receipt.Block{
		receipt.Barcode{Kind: receipt.EAN13,
			Content: "5701234567899"}, receipt.Barcode{Kind: receipt.EAN8, Content: "40170725"},
		receipt.Barcode{Kind: receipt.UPCA,
			Content: "042100005264"}, receipt.Barcode{Kind: receipt.Code39, Content: "A-77 B"},
		receipt.Barcode{Kind: receipt.ITF,
			Content: "87103985"}, receipt.Barcode{Kind: receipt.Code128, Content: "P-42/b 100%"},
		receipt.QR{Content: "R7-1042"}, receipt.Cut{},
	}}
	symbols := []string{"5701234567899", "40170725", "042100005264", "A-77 B", "87103985",
		"P-42/b 100%", "R7-1042"}
	for _, p := range escpos.Profiles {
		data, err := escpos.Encode(d, p)
		if err != nil {
			t.Fatal(err)
		}
		readOurs(t, "escpos "+p.Name, printer.Options{Dots: p.Dots}, data, symbols)
	}
	for _, p := range star.Profiles {
		data, err := star.Encode(d, p)
		if err != nil {
			t.Fatal(err)
		}
		readOurs(t, "star "+p.Name, printer.Options{Dots: p.Dots, Language: p.Language}, data,
			symbols)
	}
}

func readOurs(t *testing.T, name string, o printer.Options, data []byte, symbols []string) {
	t.Run(name, func(t *testing.T) {
		p := start(t, o)
		if conn := dial(t, p); o.Language == "" {
			print(t, conn, string(data))
			if len(p.Receipts()) == 0 { // it has no knife
				p.Tear()
			}
		} else {
			send(t, conn, string(data))
			until(t, p, func() bool { return len(p.Receipts()) > 0 })
		}
		readBack(t, p.Receipts()[0].PNG, symbols)
	})
}
