package printer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/printer"
)

func TestASmallBufferTellsTheHostToWait(t *testing.T) {
	p := start(t, printer.Options{Buffer: 4096, Model: printer.Model{Flow: printer.FlowXON}})
	conn := dial(t, p)
	p.SetPaperOut(true)
	send(t, conn, strings.Repeat("x", 4096-128))
	expect(t, conn, "\x13")
	send(t, conn, "yy") // XOFF comes again with each byte that comes in spite of it
	expect(t, conn, "\x13\x13")
	if lost := p.State().Lost; lost != 0 {
		t.Errorf("%d bytes lost", lost)
	}
	p.SetPaperOut(false)
	expect(t, conn, "\x11")
}

func TestWithoutFlowControlBytesThatFindNoRoomAreLost(t *testing.T) {
	p := start(t, printer.Options{Buffer: 64, Model: printer.Model{Flow: printer.FlowNone}})
	conn := dial(t, p)
	p.SetPaperOut(true)
	send(t, conn, strings.Repeat("x", 100)+"\x10\x04\x04") // what is real-time is still heard
	expect(t, conn, "\x7e")
	if s := p.State(); s.Waiting != 64 || s.Lost != 39 {
		t.Errorf("%d bytes wait and %d are lost, want 64 and 39", s.Waiting, s.Lost)
	}
}

func TestTheLineStandsStillWhileTheBufferIsFull(t *testing.T) {
	p := start(t, printer.Options{Buffer: 1024, Speed: 400})
	conn := dial(t, p)
	lines := 200
	go fmt.Fprint(conn, strings.Repeat(strings.Repeat("x", 47)+"\n\x1b3\x18", lines)+cut)
	until(t, p, func() bool {
		if s := p.State(); s.Waiting > 1024 || s.Lost != 0 {
			t.Fatalf("%+v", s)
		}
		return len(p.Receipts()) == 1
	})
	if got := strings.Count(p.Receipts()[0].Text, "xxx\n"); got != lines {
		t.Errorf("%d lines, want %d", got, lines)
	}
}

func TestAKnifeThatIsBlockedStopsThePrinterAtTheCut(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	send(t, conn, "\x1da\x0f")
	expect(t, conn, "\x10\x00\x00\x0f")
	p.SetCutterJam(true)
	send(t, conn, "a line\n"+cut+"next\n"+cut)
	expect(t, conn, "\x18\x09\x00\x0f")
	send(t, conn, "\x10\x04\x02\x10\x04\x03")
	expect(t, conn, "\x52\x1a")
	if n := len(p.Receipts()); n != 0 {
		t.Fatalf("%d receipts", n)
	}
	p.SetCutterJam(false)
	until(t, p, func() bool { return len(p.Receipts()) == 2 })
	if r := p.Receipts(); r[0].Text != "a line\n" || r[1].Text != "next\n" {
		t.Errorf("receipts %+v", r)
	}
}

func TestErrorsAreToldByTheirBits(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	for _, c := range []struct {
		name string
		set  func(bool)
		want string
	}{
		{"hot", p.SetHot, "\x1a\x52\x52"}, {"broken", p.SetBroken, "\x1a\x52\x32"},
		{"stalled", p.SetStalled, "\x1a\x52\x16"}, {"feeding", p.SetFeeding, "\x5a\x1a\x12"},
		{"drawer", func(open bool) {
			if open {
				p.OpenDrawer()
				return
			}
			p.CloseDrawer()
		}, "\x16\x12\x12"},
	} {
		c.set(true)
		send(t, conn, "\x10\x04\x01\x10\x04\x02\x10\x04\x03")
		expect(t, conn, c.want)
		c.set(false)
		send(t, conn, "\x10\x04\x01\x10\x04\x02\x10\x04\x03")
		expect(t, conn, "\x12\x12\x12")
	}
}

func TestPaperNearsItsEndAndThenEndsWithinAReceipt(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	p.SetPaperLeft(60) // 16 lines
	print(t, conn, strings.Repeat("line\n", 9))
	if s := p.State(); !s.PaperLow || s.PaperOut {
		t.Errorf("after 9 lines: %+v", s)
	}
	send(t, conn, strings.Repeat("line\n", 9)+cut)
	until(t, p, func() bool { return p.State().PaperOut })
	p.SetPaperOut(false)
	until(t, p, func() bool { return len(p.Receipts()) == 1 })
	if s := p.State(); s.PaperLow || strings.Count(p.Receipts()[0].Text, "line") != 18 {
		t.Errorf("after the refill: %+v, %s", s, p.Receipts()[0].Text)
	}
}

func TestADrawerOpensAMomentAfterItsPulse(t *testing.T) {
	for name, c := range map[string]struct {
		drawer printer.DrawerSwitch
		stuck  bool
		closed string // answer to DLE EOT 1
		after  string
	}{
		"open is high": {printer.DrawerHigh, false, "\x12", "\x16"},
		"open is low":  {printer.DrawerLow, false, "\x16", "\x12"},
		"stuck":        {printer.DrawerHigh, true, "\x12", "\x12"},
		"no switch":    {printer.DrawerSwitchNo, false, "\x12", "\x12"},
		"no drawer":    {printer.NoDrawer, false, "\x12", "\x12"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, printer.Options{Model: printer.Model{Drawer: c.drawer}})
			p.SetDrawerStuck(c.stuck)
			conn := dial(t, p)
			send(t, conn, "\x10\x04\x01")
			expect(t, conn, c.closed)
			began := time.Now()
			print(t, conn, "\x1bp\x00\x19\xfa")
			opens := !c.stuck && c.drawer != printer.NoDrawer
			if opens {
				until(t, p, func() bool { return p.State().DrawerOpen })
				if took := time.Since(began); took < 80*time.Millisecond {
					t.Errorf("it was open after %v", took)
				}
			}
			send(t, conn, "\x10\x04\x01")
			expect(t, conn, c.after)
			if s := p.State(); s.Pulses != 1 || s.DrawerOpen != opens {
				t.Errorf("state %+v", s)
			}
		})
	}
}

func TestADrawerIsNotOpenedWhileThePrinterCannotPrint(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	p.SetCover(true)
	send(t, conn, "\x1bp\x00\x19\xfa\x10\x14\x01\x00\x01\x10\x04\x02")
	expect(t, conn, "\x16")
	if n := p.State().Pulses; n != 0 {
		t.Errorf("%d pulses with an open cover", n)
	}
	p.SetCover(false) // the one in the buffer comes now, as on a real printer
	print(t, conn, "")
	if n := p.State().Pulses; n != 1 {
		t.Errorf("%d pulses afterwards", n)
	}
}

func TestAPrinterWhoseSwitchesAreWrongPrintsAnotherPage(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	p.SetWrongPage(true)
	print(t, conn, "\x1bt\x10\x80 5,00\n"+cut)
	if got := p.Receipts()[0].Text; got != "Ç 5,00\n" {
		t.Errorf("printed %q", got)
	}
}

func TestAModelCanLackWhatOthersHave(t *testing.T) {
	p := start(t, printer.Options{Model: printer.Model{NoProcessID: true, NoSensor: true,
		NoNearEnd: true, Name: "TM-T88V"}})
	conn := dial(t, p)
	p.SetPaperOut(true)
	send(t, conn, "\x1d(H\x06\x0000abcd\x1dr\x01\x10\x04\x04")
	expect(t, conn, "\x72")
	p.SetPaperOut(false)
	send(t, conn, "\x1dI\x43")
	expect(t, conn, "\x5fTM-T88V\x00")

	mute := start(t, printer.Options{Model: printer.Model{Mute: true}})
	conn = dial(t, mute)
	send(t, conn, "\x10\x04\x01\x1dr\x01x\n"+cut)
	until(t, mute, func() bool { return len(mute.Receipts()) == 1 })
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 8)); err == nil {
		t.Errorf("a mute printer said %d bytes", n)
	}
}

func TestFaultsComeRightAfterTheirByte(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	if err := p.After(5, printer.FaultCover); err != nil {
		t.Fatal(err)
	}
	send(t, conn, "ab\ncd\nef\n"+cut)
	until(t, p, func() bool { return p.State().CoverOpen })
	if got := p.State().Waiting; got != 8 { // the line ends come after the fifth byte
		t.Errorf("%d bytes wait, want 8", got)
	}
	p.SetCover(false)
	until(t, p, func() bool { return len(p.Receipts()) == 1 })
	if err := p.After(4, printer.FaultPowerDip); err != nil {
		t.Fatal(err)
	}
	conn.Write([]byte("lost\n" + cut))
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a printer without power spoke")
	}
	p.SetPaperLow(false) // waits until it has its place on the line again
	print(t, dial(t, p), "after\n"+cut)
	if r := p.Receipts(); len(r) != 2 || r[1].Text != "after\n" {
		t.Errorf("receipts %+v", r)
	}
	if err := p.After(1, "earthquake"); err == nil {
		t.Error("a fault that nobody knows was planned")
	}
}

func TestImagesThatAreStoredPrintLater(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	print(t, conn, "\x1cq\x01\x01\x00\x01\x00abcdefgh"+"\x1d*\x01\x01ABCDEFGH"+
		"\x1b@\x1cp\x01\x00\x1cp\x02\x00\x1d/\x03\n"+cut)
	if got := p.Receipts()[0].Text; got != "[image]\n[image]\n\n" {
		t.Errorf("printed %q", got)
	}
}

func TestAMacroRunsAsOftenAsItIsTold(t *testing.T) {
	p := start(t, printer.Options{})
	conn := dial(t, p)
	print(t, conn, "\x1d:one\n\x1d:\x1d^\x02\x00\x00"+cut)
	if got := p.Receipts()[0].Text; got != "one\none\none\n" {
		t.Errorf("printed %q", got)
	}
}

func TestAStarPrinterTellsItsState(t *testing.T) {
	p := start(t, printer.Options{Language: printer.StarPRNT})
	conn := dial(t, p)
	send(t, conn, "\x1b\x1ea\x01")
	expect(t, conn, "\x23\x06\x00\x00\x00\x00\x00\x00\x00")
	p.SetPaperOut(true)
	expect(t, conn, "\x23\x06\x08\x00\x00\x0c\x00\x00\x00")
	p.SetPaperOut(false)
	expect(t, conn, "\x23\x06\x00\x00\x00\x00\x00\x00\x00")
	send(t, conn, "hello\n\x17\x1b\x1d\x03\x01ab\x1bd\x02")
	expect(t, conn, "\x23\x06\x00\x00\x00\x00\x00\x02\x00\x1b\x1d\x03\x01ab\x02\x00")
	until(t, p, func() bool { return len(p.Receipts()) == 1 })
}

func TestAPrinterThatCannotBeIsRefused(t *testing.T) {
	for name, o := range map[string]printer.Options{
		"a head of one dot": {Dots: 1}, "two lines": {Link: "x",
			TCP: ":0"}, "no buffer": {Buffer: 1},
		"a language that nobody speaks": {Language: "klingon"},
	} {
		o.OutDir = t.TempDir()
		if p, err := printer.Start(o); err == nil {
			p.Close()
			t.Errorf("%s: started", name)
		}
	}
}
