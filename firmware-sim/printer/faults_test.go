package printer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/printer"
)

func TestStatusIsAnsweredBitByBit(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	all := "\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04"
	for _, c := range []struct {
		name string
		set  func()
		want string
	}{
		{"ready", func() {}, "\x12\x12\x12\x12"},
		{"paper low", func() { p.SetPaperLow(true) }, "\x12\x12\x12\x1e"},
		{"paper out", func() { p.SetPaperOut(true) }, "\x1a\x32\x12\x7e"},
		{"and cover open", func() { p.SetCover(true) }, "\x1a\x36\x12\x7e"},
		{"cover open", func() { p.SetPaperOut(false); p.SetPaperLow(false) }, "\x1a\x16\x12\x12"},
		{"ready again", func() { p.SetCover(false) }, "\x12\x12\x12\x12"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.set()
			send(t, conn, all)
			expect(t, conn, c.want)
		})
	}
	send(t, conn, "\x10\x04\x09\x1dr\x31") // nothing is said to what is undefined
	expect(t, conn, "\x00")
}

func TestAutomaticStatusTellsEveryChange(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	send(t, conn, "\x1da\x0f")
	expect(t, conn, "\x10\x00\x00\x0f")
	p.SetPaperOut(true)
	expect(t, conn, "\x18\x00\x0f\x0f")
	p.SetCover(true)
	expect(t, conn, "\x38\x00\x0f\x0f")
	send(t, conn, "\x10\x14\x07\x01")
	expect(t, conn, "\x38\x00\x0f\x0f")
	p.SetCover(false)
	p.SetPaperOut(false)
	expect(t, conn, "\x18\x00\x0f\x0f\x10\x00\x00\x0f")
	print(t, conn, "\x1da\x00")
	p.SetCover(true)
	send(t, conn, "\x10\x04\x01")
	expect(t, conn, "\x1a")
}

func TestAPrinterWithoutPaperPrintsLater(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	p.SetPaperLeft(20) // 160 dot rows
	send(t, conn, strings.Repeat("line\n", 10)+cut+"\x1d(H\x06\x0000late")
	until(t, p, func() bool { return p.State().PaperOut })
	send(t, conn, "\x10\x04\x04")
	expect(t, conn, "\x7e")
	if n := len(p.Receipts()); n != 0 {
		t.Fatalf("%d receipts without paper", n)
	}
	p.SetPaperOut(false)
	expect(t, conn, "\x37\x22late\x00")
	if r := p.Receipts(); len(r) != 1 || strings.Count(r[0].Text, "line") != 10 {
		t.Errorf("got %+v, want one receipt of ten lines", r)
	}
}

func TestClearBufferForgetsWhatWaits(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	send(t, conn, "\x1d(k\xff\xff1P0half a command")
	send(t, conn, "\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08")
	expect(t, conn, "\x37\x25\x00")
	print(t, conn, "whole\n"+cut)
	if r := p.Receipts(); len(r) != 1 || r[0].Text != "whole\n" {
		t.Errorf("got %+v", r)
	}
}

func TestPowerLossClearsBufferAndSettings(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	p.SetPaperOut(true)
	send(t, conn, "lost\n"+cut+"\x10\x04\x01")
	expect(t, conn, "\x1a")
	p.PowerOff()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a printer without power spoke")
	}
	p.SetPaperOut(false)
	if err := p.PowerOn(); err != nil {
		t.Fatal(err)
	}
	print(t, dial(t, p), "new\n"+cut)
	if r := p.Receipts(); len(r) != 1 || r[0].Text != "new\n" {
		t.Errorf("got %+v, want one new receipt", r)
	}
}

func TestCableIsPulledAfterTheByte(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	job := "one\n" + cut
	p.UnplugAfter(len(job))
	conn.Write([]byte(job + "two\n" + cut))
	until(t, p, func() bool { return !p.State().Plugged && len(p.Receipts()) == 1 })
	if err := p.Plug(); err != nil {
		t.Fatal(err)
	}
	print(t, dial(t, p), "three\n"+cut)
	if r := p.Receipts(); len(r) != 2 || r[0].Text != "one\n" || r[1].Text != "three\n" {
		t.Errorf("got %+v, want one and three", r)
	}
}

func TestASecondConnectionIsRefused(t *testing.T) {
	p := start(t, printer.Options{})
	first := dial(t, p)
	print(t, first, "")
	second := dial(t, p)
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second connection was served")
	}
	print(t, first, "A\n"+cut)
}

func TestTheLineHasItsSpeed(t *testing.T) {
	p := start(t, printer.Options{Baud: 9600})
	conn := dial(t, p)
	begin := time.Now()
	print(t, conn, strings.Repeat("x", 480))
	if took := time.Since(begin); took < 500*time.Millisecond {
		t.Errorf("480 bytes at 9600 baud took %v, want at least half a second", took)
	}
}

func TestPaperHasItsSpeed(t *testing.T) {
	p := start(t, printer.Options{Speed: 100})
	conn := dial(t, p)
	begin := time.Now()
	print(t, conn, "\x1bd\x0a") // 300 dot rows, 37.5 mm
	if took := time.Since(begin); took < 375*time.Millisecond {
		t.Errorf("the fence was answered after %v, before the paper had moved", took)
	}
}

func TestTheLinkFollowsTheCable(t *testing.T) {
	link := filepath.Join(t.TempDir(), "dev", "receipts")
	p := start(t, printer.Options{Link: link})
	if got := p.State().Address; got != link {
		t.Errorf("address %q, want %q", got, link)
	}
	for range 2 {
		port, err := os.OpenFile(link, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := port.WriteString("\x1d(H\x06\x0000link"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 7)
		if n, err := port.Read(got); err != nil || string(got[:n]) != "\x37\x22link\x00" {
			t.Errorf("got %q, %v", got[:n], err)
		}
		p.Unplug()
		if _, err := os.Lstat(link); !os.IsNotExist(err) {
			t.Errorf("link of an unplugged printer: %v", err)
		}
		port.Close()
		if err := p.Plug(); err != nil {
			t.Fatal(err)
		}
	}
	p.Close()
	if _, err := os.Lstat(link); !os.IsNotExist(err) {
		t.Errorf("link of a closed printer: %v", err)
	}
}

func TestAFileIsNotReplacedByTheLink(t *testing.T) {
	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := printer.Start(printer.Options{Link: file, OutDir: t.TempDir()}); err == nil {
		p.Close()
		t.Error("a file was replaced")
	}
}
