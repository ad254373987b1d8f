package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"holdfast.dev/internal/process"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk"
)

// DoctorOptions say which node to examine. What the configuration file says of
// the node counts here too.
type DoctorOptions struct {
	Data     string           `help:"Folder of the node's database and identity." default:"/var/lib/holdfast/node"`
	Listen   string           `help:"Address of the store's pages and its local API." default:"127.0.0.1:8090"`
	Admin    string           `help:"Admin address of the node, which is asked while it runs." default:"127.0.0.1:8091"`
	Cloud    string           `help:"host:port of the cloud, several with commas; the join string's unless given." placeholder:"HOST:PORT"`
	Logo     string           `help:"PNG picture for the head of receipts." placeholder:"FILE"`
	Country  string           `help:"ISO 3166 code of the country whose rules weighed goods follow."`
	JSON     bool             `name:"json" help:"Print the findings as lines of JSON."`
	SelfTest bool             `help:"Print a code, show it, and wait until every scanner has read it."`
	Drawer   string           `help:"Find out, with somebody who closes and opens it, how the cash drawer on this printer says that it is open." placeholder:"PRINTER"`
	Wait     time.Duration    `help:"How long the self-test waits for the scans, or for the drawer." default:"60s"`
	Devices  []devices.Config `kong:"-" toml:"device"`
	Stations []kiosk.Station  `kong:"-" toml:"station"`
	Measures []Measure        `kong:"-" toml:"measure"`
}

// Verdict is how grave a finding is.
type Verdict string

// Verdicts.
const (
	Sound Verdict = "ok"
	Doubt Verdict = "warn" // works, or cannot be told from here
	Bad   Verdict = "bad"
	Asks  Verdict = "ask" // somebody must do something now
)

// Finding is the result of one check.
type Finding struct {
	Check string  `json:"check"`
	State Verdict `json:"state"`
	Says  string  `json:"says"`
	Todo  string  `json:"todo,omitempty"`
}

// ErrUnwell says that the doctor found something bad; the findings say what.
var ErrUnwell = errors.New("something is wrong; see above")

// Doctor examines a node, running or not, and writes its findings. File is the
// configuration that the options come from. It returns ErrUnwell when something
// is bad.
func Doctor(ctx context.Context, o DoctorOptions, file string, out io.Writer) error {
	d := &doctor{o: o, out: out}
	d.checkConfig(file)
	d.checkUser()
	d.checkData()
	d.checkDisk()
	d.checkClock()
	running, v := askVitals(ctx, o.Admin)
	if running {
		d.checkRunning(v)
	} else {
		d.checkStopped()
	}
	d.checkCloud(ctx)
	for _, cfg := range o.Devices {
		d.checkPath(cfg)
	}
	if running {
		d.checkRead(v.Devices)
		d.checkDevices(v.Devices)
	}
	if err := d.withDevices(ctx, running); err != nil {
		return err
	}
	if d.bad > 0 {
		return fmt.Errorf("%d of %d: %w", d.bad, d.count, ErrUnwell)
	}
	return nil
}

// doctor writes findings down and counts them.
type doctor struct {
	o          DoctorOptions
	out        io.Writer
	bad, count int
}

func (d *doctor) tell(f Finding) {
	if f.State != Asks {
		d.count++
	}
	if f.State == Bad {
		d.bad++
	}
	if d.o.JSON {
		line, err := json.Marshal(f)
		if err != nil {
			panic(err) // four texts are always JSON
		}
		fmt.Fprintf(d.out, "%s\n", line)
		return
	}
	mark := map[Verdict]string{Sound: "  ok ", Doubt: "  ?  ", Bad: " BAD ", Asks: "  >> "}[f.State]
	says := strings.ReplaceAll(f.Says, "\n", fmt.Sprintf("\n      %-24s ", ""))
	fmt.Fprintf(d.out, "%s %-24s %s\n", mark, f.Check, says)
	if f.Todo != "" {
		fmt.Fprintf(d.out, "      %-24s -> %s\n", "", f.Todo)
	}
}

// judge tells a finding that is good unless there is an error.
func (d *doctor) judge(check, good string, err error, todo string) {
	d.tell(finding(check, good, err, todo))
}

func finding(check, good string, err error, todo string) Finding {
	if err == nil {
		return Finding{Check: check, State: Sound, Says: good}
	}
	return Finding{Check: check, State: Bad, Says: err.Error(), Todo: todo}
}

func (d *doctor) checkConfig(file string) {
	where := file
	if file == "" {
		where = "no file; all options are the usual ones"
	}
	_, rules := decoder(d.o.Country, d.o.Measures)
	_, logo := readLogo(d.o.Logo)
	err := errors.Join(devices.Check(d.o.Devices), checkStations(d.o.Stations, d.o.Devices), rules, logo)
	d.judge("configuration", fmt.Sprintf("%s: %d devices, %d stations", where, len(d.o.Devices), len(d.o.Stations)),
		err, "Correct the configuration file and start the node again.")
}

// checkUser warns that root may do what the node may not.
func (d *doctor) checkUser() {
	if os.Geteuid() == 0 {
		d.tell(Finding{Check: "user", State: Doubt, Says: "this is root, who may open what the node may not",
			Todo: "Run the doctor as the node's user: sudo -u holdfast holdfast-node doctor"})
	}
}

// checkRunning judges what a running node says of itself.
func (d *doctor) checkRunning(v vitals) {
	d.tell(Finding{Check: "node", State: Sound, Says: fmt.Sprintf("runs as store %s, %s, version %s",
		v.Store, v.Town, v.Version)})
	journal := Finding{Check: "journal", State: Sound, Says: fmt.Sprintf("%d records", v.Records)}
	if v.Fault != "" {
		journal = Finding{Check: "journal", State: Bad, Says: v.Fault,
			Todo: "Look at the disk and at the log; the node starts again by itself."}
	}
	d.tell(journal)
	d.tell(linkFinding(v))
}

func linkFinding(v vitals) Finding {
	f := Finding{Check: "line to the cloud", State: Sound, Says: fmt.Sprintf("%s, %d records to send", v.Link, v.Backlog)}
	switch {
	case v.Refused != "":
		f.State, f.Says, f.Todo = Bad, "the cloud refuses this node: "+v.Refused, "Call head office."
	case v.Link == "offline":
		f.State, f.Todo = Doubt, "The store works on. See what is said of the cloud below."
		f.Says += "; since " + v.Since.Format(time.DateTime)
	}
	return f
}

// checkStopped looks whether a node could start here.
func (d *doctor) checkStopped() {
	d.tell(Finding{Check: "node", State: Doubt, Says: "no node answers at " + d.o.Admin,
		Todo: "Start it: systemctl start holdfast-node. Its log: journalctl -u holdfast-node"})
	for _, use := range []struct{ option, address string }{{"listen", d.o.Listen}, {"admin", d.o.Admin}} {
		l, err := process.Listen(use.option, use.address)
		if err == nil {
			err = l.Close()
		}
		d.judge("address "+use.option, use.address+" is free", err, "End the other program, or choose another address.")
	}
}
