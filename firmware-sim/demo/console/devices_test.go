package console

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/program"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := program.Poll(ctx, time.Millisecond, func() error {
		if !holds() {
			return context.DeadlineExceeded
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: nothing happened", what)
	}
}

func TestButtonsMoveTheOtherDevices(t *testing.T) {
	c := idle(t)
	s := c.room.Stores[0]
	x := s.Extras
	for _, tt := range []struct {
		path string
		form url.Values
		done func() bool
	}{
		{"/scale", url.Values{"grams": {"350"}}, func() bool { return x.Scale.State().Load == 350 }},
		{"/scale", url.Values{"grams": {"40000"}}, func() bool { return x.Scale.State().Over }},
		{"/drawer", url.Values{"to": {"open"}}, func() bool { return s.Printer.State().DrawerOpen }},
		{"/drawer", url.Values{"to": {"shut"}}, func() bool { return !s.Printer.State().DrawerOpen }},
		{"/labels", url.Values{"to": {"out"}}, func() bool { return x.Labels.State().MediaOut }},
		{"/labels", url.Values{"to": {"in"}}, func() bool { return !x.Labels.State().MediaOut }},
		{"/door", url.Values{"lock": {"2"}, "to": {"jam"}}, func() bool { return x.Locker.Doors()[1].Stuck }},
		{"/door", url.Values{"lock": {"2"}, "to": {"free"}}, func() bool { return !x.Locker.Doors()[1].Stuck }},
	} {
		tt.form.Set("store", "1")
		press(t, c, tt.path, tt.form)
		eventually(t, fmt.Sprint(tt.path, tt.form), tt.done)
	}
	for _, path := range []string{"/scale", "/door", "/drawer", "/labels"} {
		press(t, c, path, url.Values{"store": {"2"}, "to": {"out"}})
		if last := c.room.Log.Last(1); last[0].Key != "console.log.fault" {
			t.Errorf("%s at a store without the device: %+v", path, last)
		}
	}
}

func TestALoadOnTheScaleIsWeighedThereAndNotBefore(t *testing.T) {
	c := idle(t)
	s := c.room.Stores[0]
	line, err := os.OpenFile(filepath.Join(s.Dir, "dev", demo.Till), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	read := bufio.NewReader(line)
	var cheese demo.Product
	for _, p := range c.opening {
		if p.Measured() && p.PLU != "" {
			cheese = p
		}
	}
	for _, tt := range []struct {
		grams int
		want  string
	}{{0, cheese.Label(740)}, {350, strings.TrimPrefix(cheese.GTIN, "0")}} {
		s.Extras.Scale.Put(tt.grams)
		press(t, c, "/scan", url.Values{"at": {"1.till"}, "gtin": {cheese.GTIN}})
		got := make([]byte, len(tt.want)+2)
		if _, err := io.ReadFull(read, got); err != nil || strings.TrimSpace(string(got)) != tt.want {
			t.Errorf("with %d g on the scale the scanner reads %q, %v; want %q", tt.grams, got, err, tt.want)
		}
	}
}

func TestWhatDevicesShowIsServedAsPictures(t *testing.T) {
	c := idle(t)
	device, err := os.OpenFile(filepath.Join(c.room.Stores[0].Dir, "dev", "labels"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if _, err := io.WriteString(device, "^XA^PW400^LL200^FO20,20^A0N,40^FDTjalk^FS^XZ"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the label", func() bool { return len(c.room.Stores[0].Extras.Labels.Labels()) == 1 })
	for path, want := range map[string]int{"/display.png": 200, "/label/1.png": 200, "/label/2.png": 404, "/label/x": 404} {
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want || want == 200 && w.Header().Get("Content-Type") != "image/png" {
			t.Errorf("%s answers %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}
