package check

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// linked is one package inside a program, as the go command tells it.
type linked struct {
	ImportPath string
	Standard   bool
	Module     *struct {
		Path, Version, Dir string
		Main               bool
	}
}

var programs = []string{
	"./node/cmd/holdfast-node", "./cloud/cmd/holdfast-cloud", "./firmware-sim/cmd/holdfast-sim",
}

func deps(t *testing.T, packages ...string) []linked {
	t.Helper()
	sources(t) // see there: makes the test cache notice changes
	args := append([]string{"list", "-deps", "-json=ImportPath,Standard,Module"}, packages...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var fault strings.Builder
	cmd.Stderr = &fault
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", packages, err, fault.String())
	}
	all := []linked{}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var l linked
		err := decoder.Decode(&l)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
}

func TestProgramsLinkOnlyTheirSide(t *testing.T) {
	for program, forbidden := range map[string][]string{
		"./node/cmd/holdfast-node": {
			module + "/cloud", module + "/firmware-sim", "github.com/hashicorp/raft", "testing",
			"github.com/creack/pty", "github.com/chromedp/chromedp",
		},
		// Where raft is, testing is too: it keeps its test helpers in the package.
		"./cloud/cmd/holdfast-cloud": {
			module + "/node", module + "/hardware", module + "/firmware-sim", "github.com/tarm/serial",
			"github.com/creack/pty", "github.com/chromedp/chromedp",
		},
		// It measures the parts of both sides, and runs the programs themselves.
		"./firmware-sim/cmd/holdfast-sim": {module + "/node/cmd", module + "/cloud/cmd"},
	} {
		t.Run(filepath.Base(program), func(t *testing.T) {
			for _, l := range deps(t, program) {
				if inside(l.ImportPath, forbidden) {
					t.Errorf("links %s", l.ImportPath)
				}
				if dir, ours := strings.CutPrefix(l.ImportPath, module+"/"); ours && isTestHelper(dir) {
					t.Errorf("links %s, which is for tests", l.ImportPath)
				}
			}
		})
	}
}

func TestSimulatedFirmwareKnowsNothingOfUs(t *testing.T) {
	// Cables and ink know nothing of a protocol.
	shared := []string{module + "/firmware-sim/wire", module + "/firmware-sim/paint"}
	for _, device := range []string{"scanner", "printer", "display", "labelprinter", "locker", "scale"} {
		self := module + "/firmware-sim/" + device
		for _, l := range deps(t, "./firmware-sim/"+device) {
			if inside(l.ImportPath, []string{module}) && !inside(l.ImportPath, append(shared, self)) {
				t.Errorf("firmware-sim/%s links %s", device, l.ImportPath)
			}
		}
	}
}

// licenceMarks find a licence by words that only it has; order matters.
var licenceMarks = []struct{ words, licence string }{
	{"Mozilla Public License", "MPL-2.0"},
	{"GNU AFFERO", "AGPL"},
	{"GNU LESSER", "LGPL"},
	{"GNU GENERAL", "GPL"},
	{"Apache License", "Apache-2.0"},
	{"Redistributions in binary form", "BSD"},
	{"Permission is hereby granted, free of charge", "MIT"},
	{"Permission to use, copy, modify, and", "ISC"},
}

func TestEveryLinkedModuleHasALicenceWeMayShip(t *testing.T) {
	allowed := []string{"MPL-2.0", "Apache-2.0", "BSD", "MIT", "ISC"}
	seen := map[string]bool{}
	for _, l := range deps(t, programs...) {
		if l.Module == nil || l.Module.Main || seen[l.Module.Path] {
			continue
		}
		seen[l.Module.Path] = true
		if got := licenceIn(t, l.Module.Dir); !slices.Contains(allowed, got) {
			t.Errorf("module %s %s: licence %q", l.Module.Path, l.Module.Version, got)
		}
	}
}

func licenceIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		flat := strings.Join(strings.Fields(string(text)), " ")
		for _, mark := range licenceMarks {
			if strings.Contains(flat, mark.words) {
				return mark.licence
			}
		}
	}
	return "none found"
}

func TestTheProjectHasALicence(t *testing.T) {
	if got := licenceIn(t, root); got != "Apache-2.0" && got != "MIT" && got != "BSD" && got != "MPL-2.0" {
		t.Errorf("the licence of the project is %q", got)
	}
}
