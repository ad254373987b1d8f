package check

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hardening is what every unit must say, besides its own needs.
var hardening = []string{
	"Type=notify", "WatchdogSec=30s", "Restart=always", "TimeoutStopSec=30s", "User=holdfast", "UMask=0077",
	"NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes",
	"ProtectProc=invisible", "ProtectClock=yes", "ProtectKernelTunables=yes", "ProtectKernelModules=yes",
	"ProtectKernelLogs=yes", "ProtectControlGroups=yes", "PrivateTmp=yes", "RestrictNamespaces=yes",
	"RestrictSUIDSGID=yes", "RestrictRealtime=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes",
	"SystemCallArchitectures=native", "SystemCallFilter=@system-service",
	"SystemCallFilter=~@privileged @resources", "DevicePolicy=closed", "StateDirectory=holdfast",
	"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
}

func unit(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy/systemd", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

func TestUnitsAreHardened(t *testing.T) {
	for _, name := range []string{"holdfast-node.service", "holdfast-cloud.service"} {
		lines := unit(t, name)
		for _, want := range hardening {
			if !slices.Contains(lines, want) {
				t.Errorf("%s: no line %q", name, want)
			}
		}
	}
}

func TestOnlyTheNodeReachesDevices(t *testing.T) {
	node, cloud := unit(t, "holdfast-node.service"), unit(t, "holdfast-cloud.service")
	for _, want := range []string{
		"SupplementaryGroups=dialout lp", "DeviceAllow=char-ttyS rw", "DeviceAllow=char-ttyUSB rw",
		"DeviceAllow=char-ttyACM rw", "DeviceAllow=char-usb rw", "DeviceAllow=char-lp rw",
	} {
		if !slices.Contains(node, want) {
			t.Errorf("holdfast-node.service: no line %q", want)
		}
	}
	if !slices.Contains(cloud, "PrivateDevices=yes") {
		t.Error("holdfast-cloud.service: devices are not private")
	}
	for _, line := range cloud {
		if strings.HasPrefix(line, "DeviceAllow=") {
			t.Errorf("holdfast-cloud.service: %s", line)
		}
	}
}
