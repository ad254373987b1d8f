package devices_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/display"
	"holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/firmware-sim/locker"
	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/firmware-sim/scale"
	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/firmware-sim/wire"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/zpl"
	"holdfast.dev/node/devices"
	"holdfast.dev/stock"
)

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

func stateOf(s *devices.Set, name string) devices.State {
	for _, state := range s.States() {
		if state.Name == name {
			return state
		}
	}
	return devices.State{}
}

// refusedAs tells how a refusal names the state of a device.
func refusedAs(err error, code stock.Code) string {
	if r, ok := stock.AsRefusal(err); ok && r.Code == code {
		return r.Args["state"]
	}
	return fmt.Sprintf("no %s: %v", code, err)
}

func TestADisplayShowsAgainWhatACableTookAway(t *testing.T) {
	for _, c := range []struct{ dialect, driver string }{
		{display.Epson, "epson-serial"}, {display.CD5220, "cd5220-serial"},
	} {
		t.Run(c.dialect, func(t *testing.T) {
			link := filepath.Join(t.TempDir(), "display")
			sim, err := display.Start(display.Options{Options: wire.Options{Link: link}, Dialect: c.dialect})
			if err != nil {
				t.Fatal(err)
			}
			defer sim.Close()
			s := start(t, devices.Config{Name: "eyes", Kind: devices.Display, Driver: c.driver, Path: link})
			s.Show("eyes", "old", "text")
			s.Show("eyes", "Cola 0,5 l", "total 1,50")
			shows := func() bool {
				return sim.State().Lines == [2]string{"Cola 0,5 l          ", "total 1,50          "}
			}
			eventually(t, "the text", shows)
			await(t, s, "eyes", devices.Ready)
			sim.Cable.Unplug()
			await(t, s, "eyes", devices.Lost)
			sim.SetPower(false)
			sim.SetPower(true)
			if err := sim.Cable.Plug(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the text after the cable was out", shows)
			if got := stateOf(s, "eyes"); got.Losses != 1 || got.Shown[0] != "Cola 0,5 l" {
				t.Errorf("state = %+v", got)
			}
		})
	}
}

func TestALockerOpensItsDoorsAndTellsTheirState(t *testing.T) {
	sim, err := locker.Start(locker.Options{Options: wire.Options{TCP: "127.0.0.1:0"}, Doors: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{Name: "wall", Kind: devices.Locker, Driver: "cu16-tcp", Path: sim.Cable.Address(),
		Boards: []devices.Board{{Address: 0, Locks: 4}}, OpenWait: 2 * time.Second,
		Poll: 50 * time.Millisecond})
	await(t, s, "wall", devices.Ready)
	eventually(t, "all doors", func() bool {
		got := stateOf(s, "wall").Doors
		return len(got) == 4 && got[3].Door == hardware.Door{Board: 0, Lock: 4}
	})
	door := devices.Door{Device: "wall", Board: 0, Lock: 2}
	if err := s.OpenDoor(t.Context(), door); err != nil || sim.Doors()[1].Closed {
		t.Fatalf("OpenDoor = %v, and it is closed: %v", err, sim.Doors()[1].Closed)
	}
	eventually(t, "the open door", func() bool { return stateOf(s, "wall").Doors[1].State == hardware.DoorOpen })
	if err := sim.Stick(0, 3, true); err != nil {
		t.Fatal(err)
	}
	stuck := devices.Door{Device: "wall", Board: 0, Lock: 3}
	if got := refusedAs(s.OpenDoor(t.Context(), stuck), stock.LockerDown); got != "stuck" {
		t.Errorf("a door that does not open gives %s", got)
	}
	if err := sim.SetBoard(0, false); err != nil {
		t.Fatal(err)
	}
	if got := await(t, s, "wall", devices.Degraded); got.Trouble() != "board_silent" {
		t.Errorf("a silent board is %q", got.Trouble())
	}
	if got := refusedAs(s.OpenDoor(t.Context(), door), stock.LockerDown); got != "offline" {
		t.Errorf("a door that is out of sight gives %s", got)
	}
	if got := refusedAs(s.OpenDoor(t.Context(), devices.Door{Device: "none"}), stock.LockerDown); got != "offline" {
		t.Errorf("a door of no locker gives %s", got)
	}
}

func TestAScaleGivesAWeightOrSaysWhyNot(t *testing.T) {
	link := filepath.Join(t.TempDir(), "scale")
	sim, err := scale.Start(scale.Options{Options: wire.Options{Link: link}})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{Name: "pan", Kind: devices.Scale, Driver: "8217-serial", Path: link,
		Settle: 2 * time.Second, Poll: 50 * time.Millisecond})
	await(t, s, "pan", devices.Ready)
	weigh := func() (hardware.Weight, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return s.Weigh(ctx, "pan", 0)
	}
	if _, err := weigh(); refusedAs(err, stock.ScaleDown) != "empty_scale" {
		t.Errorf("an empty scale: %v", err)
	}
	sim.Put(740)
	if w, err := weigh(); err != nil || w.Grams != 740 {
		t.Errorf("Weigh = %+v, %v", w, err)
	}
	sim.Put(40_000)
	if _, err := weigh(); refusedAs(err, stock.ScaleDown) != "overload" {
		t.Errorf("too much: %v", err)
	}
	sim.SetPower(false)
	if got := await(t, s, "pan", devices.Degraded); got.Trouble() != "offline" {
		t.Errorf("a scale without power is %q", got.Trouble())
	}
	if _, err := weigh(); refusedAs(err, stock.ScaleDown) != "offline" {
		t.Errorf("without power: %v", err)
	}
	if got := stateOf(s, "pan"); got.Done != 1 {
		t.Errorf("%d weights were taken, want 1", got.Done)
	}
}

func TestAScaleThatComputesPricesIsToldThePrice(t *testing.T) {
	sim, err := scale.Start(scale.Options{Options: wire.Options{TCP: "127.0.0.1:0"}, Protocol: scale.Dialog06})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{Name: "pan", Kind: devices.Scale, Driver: "dialog06-tcp", Path: sim.Cable.Address(),
		Settle: time.Second})
	await(t, s, "pan", devices.Ready)
	sim.Put(500)
	if w, err := s.Weigh(t.Context(), "pan", 1290); err != nil || w.Grams != 500 || w.Amount != 645 {
		t.Errorf("Weigh = %+v, %v", w, err)
	}
	if _, err := s.Weigh(t.Context(), "pan", 1290); refusedAs(err, stock.ScaleDown) != "same_load" {
		t.Errorf("the same load again: %v", err)
	}
}

func TestALabelPrinterPrintsAndSaysWhatItLacks(t *testing.T) {
	sim, err := labelprinter.Start(labelprinter.Options{Options: wire.Options{TCP: "127.0.0.1:0"}, Chatty: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{Name: "bags", Kind: devices.LabelPrinter, Driver: "zpl-tcp",
		Path: sim.Cable.Address(), Poll: 50 * time.Millisecond})
	await(t, s, "bags", devices.Ready)
	job, err := zpl.Encode(zpl.ProductLabel{Name: "Rye crispbread", Price: "2,99 €", GTIN: "9521234500001"}.Label())
	if err != nil {
		t.Fatal(err)
	}
	if state, err := s.Print(t.Context(), "bags", job); err != nil || state == hardware.Failed {
		t.Fatalf("Print = %s, %v", state, err)
	}
	eventually(t, "the label", func() bool { return len(sim.Labels()) == 1 })
	sim.SetMedia(false)
	await(t, s, "bags", devices.Degraded)
	state, err := s.Print(t.Context(), "bags", job)
	if state != hardware.Failed || refusedAs(err, stock.PrinterDown) != "labels_out" {
		t.Errorf("Print without labels = %s, %v", state, err)
	}
	if got := stateOf(s, "bags").Jobs; got.Printed+got.Sent != 1 || got.Failed != 0 {
		t.Errorf("jobs = %+v", got)
	}
}

func TestACashDrawerOpensOnceForEachSale(t *testing.T) {
	sim, err := printer.Start(printer.Options{TCP: "127.0.0.1:0", OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{Name: "slips", Kind: devices.Printer, Driver: "escpos-tcp",
		Path: sim.State().Address})
	await(t, s, "slips", devices.Ready)
	for range 2 {
		if state, err := s.OpenDrawer(t.Context(), "slips", 1, "sale-1"); err != nil || state != hardware.DrawerOpen {
			t.Errorf("OpenDrawer = %s, %v", state, err)
		}
	}
	eventually(t, "the switch", func() bool { return stateOf(s, "slips").Drawer() == hardware.DrawerOpen })
	sim.CloseDrawer()
	eventually(t, "the switch", func() bool { return stateOf(s, "slips").Drawer() == hardware.DrawerClosed })
	sim.Unplug()
	await(t, s, "slips", devices.Lost)
	if err := sim.Plug(); err != nil {
		t.Fatal(err)
	}
	await(t, s, "slips", devices.Ready)
	if _, err := s.OpenDrawer(t.Context(), "slips", 1, "sale-1"); err != nil {
		t.Errorf("the same sale again: %v", err)
	}
	if got := sim.State().Pulses; got != 1 {
		t.Errorf("the coil was driven %d times, want once", got)
	}
}

func TestADrawerWhoseSwitchIsWiredTheOtherWayIsReadSo(t *testing.T) {
	sim, err := printer.Start(printer.Options{TCP: "127.0.0.1:0", OutDir: t.TempDir(),
		Model: printer.Model{Drawer: printer.DrawerLow}})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{Name: "slips", Kind: devices.Printer, Driver: "escpos-tcp",
		Path: sim.State().Address, DrawerSwitch: "low"})
	await(t, s, "slips", devices.Ready)
	eventually(t, "closed", func() bool { return stateOf(s, "slips").Drawer() == hardware.DrawerClosed })
	sim.OpenDrawer()
	eventually(t, "open", func() bool { return stateOf(s, "slips").Drawer() == hardware.DrawerOpen })
	if got := stateOf(s, "slips").DrawerSwitch; got != "low" {
		t.Errorf("the switch is %q", got)
	}
}

func TestAPacketScannerIsSetUpByItsModelAndBeepsAtARefusal(t *testing.T) {
	link := filepath.Join(t.TempDir(), "gun")
	sim, err := scanner.Start(scanner.Options{Mode: scanner.SSI, Link: link, Baud: 9600, Packets: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{Name: "gun", Kind: devices.Scanner, Model: "zebra-ssi", Path: link})
	await(t, s, "gun", devices.Ready)
	if err := sim.Scan(t.Context(), "8710398500014", "]E0"); err != nil {
		t.Fatal(err)
	}
	if got := next(t, s); string(got.Data) != "8710398500014" || got.AIM != "]E0" {
		t.Errorf("scan = %+v", got)
	}
	before := sim.Beeps()
	if err := s.Refuse(t.Context(), "gun"); err != nil || sim.Beeps() != before+1 {
		t.Errorf("Refuse = %v, %d beeps", err, sim.Beeps()-before)
	}
}

func TestASymbolThatIsExpectedIsNobodysScan(t *testing.T) {
	link := filepath.Join(t.TempDir(), "gun")
	sim, err := scanner.Start(scanner.Options{Link: link, Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{Name: "gun", Kind: devices.Scanner, Driver: "serial", Path: link, Baud: 115200})
	await(t, s, "gun", devices.Ready)
	expected, stop := s.Expect("PROOF-7")
	for _, code := range []string{"PROOF-7", "8710398500014", "PROOF-7"} {
		if err := sim.Scan(t.Context(), code, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := next(t, s); string(got.Data) != "8710398500014" {
		t.Errorf("scan = %+v", got)
	}
	for range 2 {
		if got := <-expected; string(got.Data) != "PROOF-7" || got.Device != "gun" {
			t.Errorf("expected scan = %+v", got)
		}
	}
	stop()
	if err := sim.Scan(t.Context(), "PROOF-7", ""); err != nil {
		t.Fatal(err)
	}
	if got := next(t, s); string(got.Data) != "PROOF-7" {
		t.Errorf("scan after the end = %+v", got)
	}
}
