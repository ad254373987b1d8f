package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast.dev/internal/process"
	"holdfast.dev/node/devices"
)

// commented is an option of the sample that is not in effect.
var commented = regexp.MustCompile(`^# (\[\[|[a-z_-]+ = )`)

func TestEverySampleOptionIsOne(t *testing.T) {
	sample, err := os.ReadFile("../../../deploy/holdfast-node.toml")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(sample)) {
		if commented.MatchString(line) {
			line = strings.TrimPrefix(line, "# ")
		}
		lines = append(lines, line)
	}
	path := filepath.Join(t.TempDir(), "node.toml")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	var c commands
	if _, err := process.Load("holdfast-node", []string{"run", "--config", path}, &c); err != nil {
		t.Fatal(err)
	}
	if err := devices.Check(c.Run.Devices); err != nil {
		t.Error(err)
	}
	for _, kind := range devices.Kinds() {
		if !slices.ContainsFunc(c.Run.Devices, func(d devices.Config) bool { return d.Kind == kind }) {
			t.Errorf("the sample shows no %s", kind)
		}
	}
	if c.Run.Country == "" || c.Run.Logo == "" || len(c.Run.Measures) != 1 ||
		len(c.Run.Stations) != 1 || c.Run.Stations[0].Drawer != 1 {
		t.Errorf("the sample gives %+v", c.Run)
	}
	if len(c.Doctor.Devices) != len(c.Run.Devices) {
		t.Error("the doctor does not hear of the devices")
	}
}
