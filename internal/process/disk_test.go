package process

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func hasBallast(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ballastFile))
	return err == nil
}

func TestADiskThatFillsUpWarnsAndThenGivesUpItsBallast(t *testing.T) {
	const mib = 1 << 20
	dir, free := t.TempDir(), int64(40*mib)
	var log strings.Builder
	d := &Disk{dir: dir, log: slog.New(slog.NewTextHandler(&log, nil)),
		stat: func(string) (int64, int64, error) { return free, 64 * mib, nil }}
	look := func() {
		t.Helper()
		if err := d.look(); err != nil {
			t.Fatal(err)
		}
	}
	look()
	health, registry := new(Health), NewRegistry()
	d.Register(registry, health)
	admin := AdminMux(health, registry)
	warning := func() string {
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		var a Alive
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK || a.Status != "alive" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return a.Warnings["disk"]
	}
	if d.Room() != RoomEnough || !hasBallast(dir) || warning() != "" {
		t.Fatalf("on an empty disk: %s, ballast %t, %q", d.Room(), hasBallast(dir), warning())
	}
	for _, tt := range []struct {
		free    int64
		room    Room
		ballast bool
	}{{20 * mib, RoomEnough, true}, {5 * mib, RoomLow, true}, {mib, RoomScarce, true}, {0, RoomScarce, false}} {
		free = tt.free
		look()
		if d.Room() != tt.room || hasBallast(dir) != tt.ballast || (warning() == "") != (tt.room == RoomEnough) {
			t.Errorf("%d MiB free: %s, ballast %t, %q", tt.free/mib, d.Room(), hasBallast(dir), warning())
		}
	}
	if !strings.Contains(log.String(), "make room now") {
		t.Errorf("the log does not say that the disk is full:\n%s", log.String())
	}
	w := httptest.NewRecorder()
	admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(w.Body.String(), "\nholdfast_disk_room 2\n") {
		t.Error("the metrics do not say that the disk is scarce")
	}
	free = 40 * mib
	if look(); d.Room() != RoomEnough || !hasBallast(dir) {
		t.Errorf("with room again: %s, ballast %t", d.Room(), hasBallast(dir))
	}
	real, err := NewDisk(dir, slog.New(slog.DiscardHandler))
	if err != nil || real.Free() == 0 {
		t.Errorf("a real disk: %d bytes free, %v", real.Free(), err)
	}
}
