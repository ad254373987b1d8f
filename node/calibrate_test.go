package node_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/node"
	"holdfast.dev/node/devices"
)

// lookIntoDrawer runs the doctor for the drawer on a printer, with somebody who
// does what it asks, and gives what it found.
func lookIntoDrawer(t *testing.T, o node.DoctorOptions, paper *printer.Printer) node.Finding {
	t.Helper()
	o.JSON, o.Drawer = true, "paper"
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := node.Doctor(t.Context(), o, "", in)
		in.Close()
		done <- err
	}()
	var found node.Finding
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var f node.Finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		switch {
		case f.Check != "drawer paper":
		case f.State != node.Asks:
			found = f
		case strings.HasPrefix(f.Says, "close"):
			paper.CloseDrawer()
		default:
			paper.OpenDrawer()
		}
	}
	if err := <-done; err != nil && !errors.Is(err, node.ErrUnwell) {
		t.Error(err)
	}
	return found
}

func TestTheDoctorFindsOutHowADrawerSaysThatItIsOpen(t *testing.T) {
	const short, long = time.Second, time.Minute
	for name, c := range map[string]struct {
		drawer     printer.DrawerSwitch
		configured string
		wait       time.Duration
		state      node.Verdict
		says, todo string
	}{
		"as it is sold":        {printer.DrawerHigh, "", long, node.Sound, "says high", ""},
		"the other way":        {printer.DrawerLow, "", long, node.Bad, "high is configured", `drawer_switch = "low"`},
		"configured":           {printer.DrawerLow, "low", long, node.Sound, "says low", ""},
		"back again":           {printer.DrawerHigh, "low", long, node.Bad, "low is configured", `drawer_switch = "high"`},
		"without a switch":     {printer.DrawerSwitchNo, "", short, node.Doubt, "never changed", `drawer_switch = "none"`},
		"configured as absent": {printer.DrawerHigh, "none", short, node.Bad, `set "high" first`, "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paper, err := printer.Start(printer.Options{TCP: "127.0.0.1:0", OutDir: t.TempDir(),
				Model: printer.Model{Drawer: c.drawer}})
			if err != nil {
				t.Fatal(err)
			}
			defer paper.Close()
			paper.OpenDrawer()
			f := lookIntoDrawer(t, node.DoctorOptions{Data: t.TempDir(), Listen: "127.0.0.1:0",
				Admin: "127.0.0.1:1", Wait: c.wait, Devices: []devices.Config{{Name: "paper",
					Kind: devices.Printer, Driver: "escpos-tcp", Path: paper.State().Address,
					DrawerSwitch: c.configured}}}, paper)
			if f.State != c.state || !strings.Contains(f.Says, c.says) || !strings.Contains(f.Todo, c.todo) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestTheDoctorLooksIntoADrawerThroughARunningNode(t *testing.T) {
	d := furnish(t)
	r := open(t, d.wire)
	r.online()
	d.paper.OpenDrawer()
	o := node.DoctorOptions{Data: r.options.Data, Listen: r.options.Listen, Admin: r.options.Admin,
		Wait: time.Minute}
	r.until("the drawer is looked into", func() bool {
		return lookIntoDrawer(t, o, d.paper).State == node.Sound
	})
}
