package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk"
	"holdfast.dev/stock/words"
)

// openWithin bounds how long the doctor waits for devices that it opens itself.
const openWithin = 8 * time.Second

// askVitals asks a running node how it is.
func askVitals(ctx context.Context, admin string) (running bool, v vitals) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/vitals", nil)
	if err != nil {
		return false, v
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, v
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&v) == nil, v
}

// checkPath looks at the device file of a device: there, ours, and a name that
// stays.
func (d *doctor) checkPath(cfg devices.Config) {
	if !filepath.IsAbs(cfg.Path) {
		return // on the network
	}
	info, err := os.Stat(cfg.Path)
	if errors.Is(err, os.ErrNotExist) {
		d.tell(Finding{Check: "port " + cfg.Name, State: Bad, Says: cfg.Path + " is not there",
			Todo: "Plug the device in." + there(cfg.Path)})
		return
	}
	if err == nil {
		err = unix.Access(cfg.Path, unix.R_OK|unix.W_OK)
	}
	if err != nil {
		d.judge("port "+cfg.Name, "", fmt.Errorf("%s: %w", cfg.Path, err), groupHint(info))
		return
	}
	f := Finding{Check: "port " + cfg.Name, State: Sound, Says: cfg.Path}
	if fleeting(cfg.Path) {
		f.State, f.Says = Doubt, cfg.Path+" may be another device tomorrow"
		f.Todo = "Use a name that stays, below /dev/serial/by-id or /dev/holdfast." + there("/dev/serial/by-id/x")
	}
	d.tell(f)
}

// fleeting tells whether the kernel gives the name to whatever comes first.
func fleeting(path string) bool {
	for _, prefix := range []string{"/dev/ttyUSB", "/dev/ttyACM", "/dev/usb/lp", "/dev/input/event", "/dev/hidraw"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// there lists what stands beside a path.
func there(path string) string {
	const most = 8
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) == 0 {
		return ""
	}
	var names []string
	for _, e := range entries[:min(len(entries), most)] {
		names = append(names, e.Name())
	}
	return fmt.Sprintf(" In %s there is: %s", filepath.Dir(path), strings.Join(names, ", "))
}

// groupHint says how the node's user comes to own a port.
func groupHint(info os.FileInfo) string {
	if info == nil {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid))); err == nil {
			return fmt.Sprintf("Put the node's user into its group: usermod -aG %s holdfast", g.Name)
		}
	}
	return "Let the node's user read and write it."
}

// checkRead finds what was changed in the configuration since the running node
// has read it. Nothing else would tell of a device that was added there.
func (d *doctor) checkRead(running []devices.State) {
	known := make(map[string]devices.State, len(running))
	for _, s := range running {
		known[s.Name] = s
	}
	var news []string
	for _, cfg := range d.o.Devices {
		s, ok := known[cfg.Name]
		switch {
		case !ok:
			news = append(news, cfg.Name+" is new")
		case s.Kind != cfg.Kind || s.Path != cfg.Path || cfg.Driver != "" && s.Driver != cfg.Driver:
			news = append(news, fmt.Sprintf("%s was a %s by %s on %s", cfg.Name, s.Kind, s.Driver, s.Path))
		}
		delete(known, cfg.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		news = append(news, name+" is not in it any more")
	}
	if len(news) == 0 {
		return
	}
	d.tell(Finding{Check: "configuration", State: Bad,
		Says: "the running node has read another one: " + strings.Join(news, ", "),
		Todo: "Start the node again: systemctl restart holdfast-node. Or name its file with --config."})
}

// checkDevices judges the states that a node's devices are in.
func (d *doctor) checkDevices(all []devices.State) {
	for _, s := range all {
		word, level := kiosk.Condition(s)
		f := Finding{Check: "device " + s.Name, State: Sound, Says: fmt.Sprintf("%s, %s by %s",
			strings.ToLower(words.T(words.EN, "devices.word."+word)), s.Kind, s.Driver)}
		if !s.LastSeen.IsZero() {
			f.Says += ", last heard " + s.LastSeen.Format(time.TimeOnly)
		}
		if level != "ok" {
			f.State, f.Todo = map[string]Verdict{"warn": Doubt, "bad": Bad}[level], helpFor(s)
			if s.LastError != "" && s.LastError != word {
				f.Says += ": " + s.LastError
			}
		}
		d.tell(f)
	}
}

// helpFor is what to do about a device.
func helpFor(s devices.State) string {
	word, _ := kiosk.Condition(s)
	return words.T(words.EN, "devices.help."+word)
}

// withDevices tests the devices if that is wanted: through the node while it
// runs, since each line has one owner. The devices of a node that does not run
// are opened here.
func (d *doctor) withDevices(ctx context.Context, running bool) error {
	if running && (d.o.SelfTest || d.o.Drawer != "") {
		return d.testRunning(ctx)
	}
	if running || len(d.o.Devices) == 0 || devices.Check(d.o.Devices) != nil {
		return nil
	}
	set := devices.New(devices.Options{Devices: d.o.Devices})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	go func() {
		for range set.Scans() { // nobody sells here
		}
	}()
	settled(ctx, set)
	d.checkDevices(set.States())
	t := selfTest{set: set, wait: d.o.Wait, tell: d.tell}
	if d.o.SelfTest {
		t.run(ctx)
	}
	if d.o.Drawer != "" {
		t.calibrate(ctx, d.o.Drawer)
	}
	cancel()
	return <-done
}

// settled waits until every device is ready or has said why not.
func settled(ctx context.Context, set *devices.Set) {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	for range set.Watch(ctx) {
		waiting := false
		for _, s := range set.States() {
			waiting = waiting || s.Phase == devices.Connecting && s.LastError == ""
		}
		if !waiting {
			return
		}
	}
}

// testRunning lets the running node test its devices.
func (d *doctor) testRunning(ctx context.Context) error {
	seconds := min(maxProofSeconds, max(1, int(d.o.Wait.Seconds())))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost,
		fmt.Sprintf("http://%s/self-test?seconds=%d&devices=%t&drawer=%s", d.o.Admin, seconds, d.o.SelfTest,
			url.QueryEscape(d.o.Drawer)), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running node: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // what there is of it
		return fmt.Errorf("ask the running node: %s: %s", resp.Status, text)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var f Finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("read what the node found: %w", err)
		}
		d.tell(f)
	}
	return lines.Err()
}
