package escpos_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/receipt/session"
)

func TestTheUsualProfileComesFirst(t *testing.T) {
	if got := escpos.Profiles[0].Name; got != "epson" {
		t.Errorf("the first profile is %s", got)
	}
	seen := map[string]bool{}
	for _, p := range escpos.Profiles {
		if seen[p.Name] {
			t.Errorf("two profiles are called %s", p.Name)
		}
		seen[p.Name] = true
		if p.Note == "" || p.DPI < 150 {
			t.Errorf("profile %s lacks a note or its resolution", p.Name)
		}
	}
}

func TestAProfileThatCannotBeIsRefused(t *testing.T) {
	const good = "name = \"x\"\ncolumns = 48\ndots = 576\nstatus = true\nfence = \"sensor\"\ndrawer = \"high\"\n" +
		"[[page]]\nnumber = 16\nname = \"cp1252\"\n"
	known := session.Known{Fences: []session.Fence{escpos.ByID, escpos.BySensor}}
	if _, err := session.ParseProfile(good, known); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new string }{
		{"no name", `"x"`, `""`}, {"columns", "columns = 48", "columns = 90"}, {"dots",
			"dots = 576", "dots = 100"},
		{"fence", `"sensor"`, `"magic"`}, {"fence without status", "status = true",
			"status = false"},
		{"drawer", `"high"`, `"sideways"`}, {"page", `"cp1252"`, `"cp1"`}, {"number", "number = 16",
			"number = 999"},
		{"key", "status", "state"}, {"no page", "[[page]]\nnumber = 16\nname = \"cp1252\"\n",
			""}, {"syntax", "=", "?"},
		{"own page", `name   = "cp1252"`, ""},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			continue
		}
		if _, err := session.ParseProfile(bad, known); err == nil {
			t.Errorf("%s: taken", c.name)
		}
	}
	own := strings.Replace(good, `name = "cp1252"`, `name = "own"`+"\nupper = \"\"\"\n"+
		strings.Repeat("\uFFFD", 64)+"\n"+strings.Repeat("\uFFFD", 63)+"€\"\"\"", 1)
	p, err := session.ParseProfile(own, known)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := escpos.Encode(receipt.Document{Blocks: []receipt.Block{receipt.Line{Text: "€"}}},
		p)
	if err != nil || !strings.Contains(string(bytes), "\xff") {
		t.Errorf("a table of the maker's own prints %q, %v", bytes, err)
	}
}

func sampler() receipt.Document {
	return receipt.Document{Blocks: []receipt.Block{
		receipt.Line{Text: "Größe ø æ å ë", Bold: true, Wide: 2, Align: receipt.Centre},
		receipt.Line{Text: "weiß", Inverse: true}, receipt.Line{Text: "Ærø", Underline: true},
		receipt.Triple("3", "smørrebrød", "€ 1,50"),
		receipt.Image{Width: 40, Height: 300,
			Dots: []byte(strings.Repeat("\x10\x04\x01\x10\x14", 300))},
		receipt.Barcode{Kind: receipt.EAN13,
			Content: "4006381333931"}, receipt.Barcode{Kind: receipt.EAN8, Content: "40170725"},
		receipt.Barcode{Kind: receipt.UPCA,
			Content: "042100005264"}, receipt.Barcode{Kind: receipt.Code39, Content: "AB"},
		receipt.Barcode{Kind: receipt.ITF,
			Content: "123456"}, receipt.Barcode{Kind: receipt.Code128, Content: "a{B}"},
		receipt.QR{Content: "sampler"}, receipt.Cut{},
	}}
}

func TestEveryProfilePrintsOnItsPaper(t *testing.T) {
	for _, p := range escpos.Profiles {
		t.Run(p.Name, func(t *testing.T) {
			p.Timing = epson.Timing
			device := startSim(t, printer.Options{TCP: "127.0.0.1:0", Dots: p.Dots,
				Model: printer.Model{NoProcessID: p.Fence != escpos.ByID, Mute: !p.BackChannel}})
			driver, _ := run(t, hardwaretest.Dial(t, device.Address(), 0), p)
			bytes, err := receipt.Job(sampler())
			if err != nil {
				t.Fatal(err)
			}
			want := hardware.Printed
			if p.Fence == session.None {
				want = hardware.Sent
			}
			if got, err := driver.Print(t.Context(), bytes); got != want {
				t.Fatalf("print = %v, %v", got, err)
			}
			if p.NoCutter {
				device.Tear()
			}
			text, symbols := device.first(t)
			if !strings.Contains(text, "smørrebrød") || !strings.Contains(text, "Ærø") {
				t.Errorf("the paper says\n%s", text)
			}
			if got, want := fmt.Sprint(symbols), "[4006381333931 40170725 042100005264 AB 123456 a{B} sampler]"; got != want {
				t.Errorf("symbols %s, want %s", got, want)
			}
		})
	}
}

// first waits for the first receipt.
func (s sim) first(t *testing.T) (text string, symbols []string) {
	t.Helper()
	for {
		changed := s.Watch()
		all := s.Receipts()
		if len(all) == 0 {
			<-changed
			continue
		}
		if len(all[0].Warnings) > 0 || s.State().Unknown > 0 {
			t.Errorf("warnings %q", all[0].Warnings)
		}
		return all[0].Text, all[0].Symbols
	}
}

// TestTenThousandHostileNamesStayText claims that each byte below 20 on the
// wire was put there by the receipt's layout: the same receipt with harmless
// names of the same length has exactly as many of each.
func TestTenThousandHostileNamesStayText(t *testing.T) {
	for _, p := range []escpos.Profile{epson, quick("generic-nordic")} {
		for i, name := range hostileNames(10_000) {
			got, err := escpos.Encode(receipt.Document{Width: 42,
				Blocks: []receipt.Block{receipt.Line{Text: name}}}, p)
			if err != nil {
				t.Fatal(err)
			}
			body := strings.TrimPrefix(string(got), string(header(p)))
			for _, page := range p.Pages { // the layout may change the page within a line
				body = strings.ReplaceAll(body, "\x1bt"+string([]byte{page.Number}), "")
			}
			for _, b := range []byte(strings.ReplaceAll(body, "\n", "")) {
				if b < ' ' || b == 0x7f {
					t.Fatalf("name %d %q sends byte %02X in %q", i, name, b, body)
				}
			}
		}
	}
}

func header(p escpos.Profile) []byte {
	return []byte("\x1b@\x1c.\x1bt" + string([]byte{p.Pages[0].Number}) + "\x1bR\x00\x1ba\x01")
}

// hostileNames are product names that would do harm as bytes, mixed from
// commands, scripts, marks without ink and broken UTF-8.
func hostileNames(n int) []string {
	parts := []string{"\x1b@", "\x1bp\x00\x19\xfa", "\x10\x14\x01\x00\x05", "\x1dV\x00", "\x1c.",
		"\x00", "\x7f",
		"\u009b31m", "\u202e", "💥", "é", "е\u0301", "檸檬", "\xff\xfe", "\r\n", "\t", "Ł", "😀\u200d👩", "\x1f", "\u2028",
		"a", "Æble", "'; DROP", "<b>", "\x1d(k\x03\x001Q0", "\x10\x04", "ﷺ", "𐍈", "\x1b\x1d\x03\x01ab", "\x17", "\x1bt\x10"}
	names := make([]string, n)
	seed := uint32(1)
	for i := range names {
		var b strings.Builder
		for range 1 + i%7 {
			seed = seed*1664525 + 1013904223
			b.WriteString(parts[seed>>16%uint32(len(parts))])
		}
		names[i] = b.String()
	}
	return names
}

// BenchmarkEncode is a receipt of forty lines.
func BenchmarkEncode(b *testing.B) {
	d := receipt.Document{Width: 42}
	for i := range 40 {
		d.Blocks = append(d.Blocks, receipt.Triple("2",
			fmt.Sprint("Smørrebrød, økologisk æble ", i), "5,98"))
	}
	for b.Loop() {
		if _, err := escpos.Encode(d, escpos.Profiles[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheProfilesAreListed(t *testing.T) {
	hardwaretest.TestProfileTable(t, "ESC/POS printers", escpos.Profiles, *update)
}
