package check

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mayImport says which packages of ours each package may import. "a/..." is a
// and all below it. A package follows the longest name that fits it. One that
// no line names needs a line here, and a reason in ARCHITECTURE.md.
var mayImport = map[string][]string{
	"stock":             {},
	"stock/gtin":        {"stock"},
	"stock/ledger":      {"stock"},
	"stock/escrow":      {"stock"},
	"stock/reservation": {"stock"},
	"stock/journal":     {"stock"},
	"stock/token":       {"stock"},
	"stock/words":       {"stock"},
	"stock/books":       {"stock/...", "proto/record/..."},

	// A proof shares no code with what it is about.
	"stock/escrow/model": {},

	"proto/...": {"proto/..."},

	"hardware":     {},
	"hardware/...": {"hardware"},
	// A packet of SSI holds what a frame holds.
	"hardware/ssi": {"hardware", "hardware/barcode"},
	// These ask one question at a time, and share how.
	"hardware/zpl":       {"hardware", "hardware/exchange"},
	"hardware/display":   {"hardware", "hardware/exchange"},
	"hardware/locker":    {"hardware", "hardware/exchange"},
	"hardware/scale":     {"hardware", "hardware/exchange"},
	"hardware/blueprint": {"hardware", "hardware/exchange"},
	// A receipt is one thing, and so is the conversation with what prints it.
	"hardware/receipt/...": {"hardware", "hardware/receipt"},
	"hardware/escpos":      {"hardware", "hardware/receipt/..."},
	"hardware/star":        {"hardware", "hardware/receipt/..."},

	"internal/look":     {"stock", "stock/words"},
	"internal/identity": {"stock"},
	"internal/process":  {"stock", "stock/words"},

	"node/shopfloor/...": {"node/shopfloor/...", "stock/...", "proto/record/..."},
	"node/devices":       {"hardware/...", "stock"},
	"node/catalogue":     {"stock/...", "proto/..."},
	"node/uplink":        {"stock/...", "proto/uplink/...", "proto/record/...", "internal/..."},
	"node/kiosk/...": {"node/kiosk/...", "node/shopfloor/...", "node/devices", "node/catalogue",
		"node/uplink", "stock/...", "proto/...", "hardware", "hardware/receipt", "hardware/zpl",
		"hardware/display", "hardware/drawer", "internal/..."},
	"node":                   {"node/...", "stock/...", "proto/...", "hardware/...", "internal/..."},
	"node/cmd/holdfast-node": {"node/...", "stock/...", "internal/..."},

	"cloud/headoffice/...":     {"cloud/headoffice/...", "stock/...", "proto/record/..."},
	"cloud/uplink":             {"cloud/headoffice", "stock/...", "proto/uplink/...", "proto/record/...", "internal/..."},
	"cloud/quorum/...":         {"cloud/quorum/...", "stock", "stock/journal"},
	"cloud/engine":             {"cloud/headoffice", "cloud/quorum", "stock/...", "proto/record/..."},
	"cloud/postgres":           {"cloud/headoffice/...", "stock/...", "proto/record/..."},
	"cloud/gateway":            {"cloud/headoffice/...", "stock/...", "proto/...", "internal/..."},
	"cloud/web":                {"cloud/gateway", "stock/...", "proto/shop/...", "internal/..."},
	"cloud/storefront":         {"cloud/gateway", "cloud/web", "stock/...", "proto/shop/...", "internal/..."},
	"cloud/dashboard":          {"cloud/gateway", "cloud/web", "stock/...", "proto/shop/...", "internal/..."},
	"cloud":                    {"cloud/...", "stock/...", "proto/...", "internal/..."},
	"cloud/cmd/holdfast-cloud": {"cloud/...", "stock/...", "internal/..."},

	// What is sold as the firmware of a device must not know who talks to it.
	"firmware-sim/scanner": {},
	"firmware-sim/printer": {},
	"firmware-sim/drawer":  {},
	// Cables and ink of simulated devices; nothing of a protocol.
	"firmware-sim/wire":         {},
	"firmware-sim/paint":        {},
	"firmware-sim/display":      {"firmware-sim/wire", "firmware-sim/paint"},
	"firmware-sim/labelprinter": {"firmware-sim/wire", "firmware-sim/paint"},
	"firmware-sim/locker":       {"firmware-sim/wire"},
	"firmware-sim/scale":        {"firmware-sim/wire"},
	// Whoever starts real programs says which; how is the same for all.
	"firmware-sim/program": {},
	// The simulator of the whole system runs the product's own rules.
	"firmware-sim/fleet/...": {"firmware-sim/fleet/...", "stock/...", "proto/...", "node/shopfloor/...",
		"cloud/headoffice/...", "node/uplink", "cloud/uplink"},
	// What is measured is what the programs link.
	"firmware-sim/bench": {"firmware-sim/...", "node/...", "cloud/...", "hardware/...", "stock/...",
		"proto/...", "internal/..."},
	"firmware-sim/...": {"firmware-sim/...", "stock/...", "proto/...", "internal/..."},

	"deploy/check": {},
}

// mayUse says who alone may import a library, in tests too.
var mayUse = map[string][]string{
	"modernc.org/sqlite":                     {"stock/journal"},
	"modernc.org/libc":                       {"stock/journal"},
	"github.com/hashicorp/raft":              {"cloud/quorum"},
	"github.com/hashicorp/raft-boltdb":       {"cloud/quorum"},
	"github.com/tarm/serial":                 {"hardware/serial"},
	"google.golang.org/grpc/cmd":             {},
	"github.com/mattn/go-sqlite3":            {},
	"github.com/stretchr/testify":            {},
	"github.com/grpc-ecosystem/grpc-gateway": {"internal/process", "cloud", "node", "proto", "firmware-sim"},
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || isTestHelper(s.dir) {
			continue
		}
		allowed, ok := rule(s.dir)
		if !ok {
			t.Errorf("%s: package %s is not in the table of imports", s.path, s.dir)
			continue
		}
		for _, imp := range s.imports() {
			target, ours := strings.CutPrefix(imp, module+"/")
			if !ours || slices.ContainsFunc(allowed, func(a string) bool { return fits(a, target) }) {
				continue
			}
			t.Errorf("%s: %s may not import %s", s.path, s.dir, target)
		}
	}
}

// isTestHelper tells whether only tests use the package: its name ends in test.
func isTestHelper(dir string) bool { return strings.HasSuffix(path.Base(dir), "test") }

// rule returns the line for a package: the longest name that fits.
func rule(dir string) ([]string, bool) {
	best := ""
	for name := range maps.Keys(mayImport) {
		if fits(name, dir) && closeness(name) > closeness(best) {
			best = name
		}
	}
	return mayImport[best], best != ""
}

// closeness orders names: the longer is closer, and a package closer than a
// pattern of the same folder.
func closeness(name string) int {
	parent, all := strings.CutSuffix(name, "/...")
	if all {
		return 2 * len(parent)
	}
	return 2*len(name) + 1
}

func fits(pattern, dir string) bool {
	parent, all := strings.CutSuffix(pattern, "/...")
	return dir == parent || all && strings.HasPrefix(dir, parent+"/")
}

func TestTheTableOfImportsIsRead(t *testing.T) {
	for dir, want := range map[string]string{
		"stock/ledger": "stock", "hardware/serial": "hardware", "proto/record/v1": "proto/...",
		"node/shopfloor": "node/shopfloor/...", "firmware-sim/cmd/holdfast-sim": "firmware-sim/...",
	} {
		got, ok := rule(dir)
		if !ok || got[0] != want {
			t.Errorf("%s follows %v, want %s first", dir, got, want)
		}
	}
	if got, ok := rule("util"); ok {
		t.Errorf("util follows %v", got)
	}
	if fits("stock", "stock/ledger") || fits("node/...", "nodes") || !fits("node/...", "node") {
		t.Error("patterns fit what they should not, or the reverse")
	}
}

func TestLibrariesStayBehindOnePackage(t *testing.T) {
	for _, s := range sources(t) {
		for _, imp := range s.imports() {
			for library, users := range mayUse {
				if inside(imp, []string{library}) && !inside(s.dir, users) {
					t.Errorf("%s: only %v may import %s", s.path, users, imp)
				}
			}
			if imp == "testing" && s.own() && !isTestHelper(s.dir) {
				t.Errorf("%s: test code in a production package", s.path)
			}
		}
	}
}

func TestInternalHoldsOnlyWhatBothSidesNeed(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff([]string{"identity", "look", "process"}, got); diff != "" {
		t.Errorf("internal/ needs a reason for each package in it: %s", diff)
	}
}
