package console

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/display"
	"holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/firmware-sim/locker"
	"holdfast.dev/firmware-sim/scale"
)

// shownLabels is how many labels the page shows.
const shownLabels = 3

// loads are what can be put on the scale, in grams: nothing, a bit of cheese, a
// bag of apples, and more than it can weigh.
var loads = []int{0, 350, 1240, 40_000}

// extrasNow is the devices that the first store has beside the usual ones, at
// one moment.
type extrasNow struct {
	Display display.State
	Scale   scale.State
	Doors   []locker.Door
	Labels  []labelprinter.Label // newest first
	Printer labelprinter.State
}

func lookAtExtras(x *demo.Extras) *extrasNow {
	if x == nil {
		return nil
	}
	now := &extrasNow{Display: x.Display.State(), Scale: x.Scale.State(), Doors: x.Locker.Doors(),
		Labels: x.Labels.Labels(), Printer: x.Labels.State()}
	slices.Reverse(now.Labels)
	now.Labels = now.Labels[:min(len(now.Labels), shownLabels)]
	return now
}

// Fitted is the store that has every device.
func (v *view) Fitted() storeNow {
	for _, s := range v.Seen.Stores {
		if s.Extras != nil {
			return s
		}
	}
	return storeNow{}
}

// Loads are what can be put on the scale.
func (v *view) Loads() []int { return loads }

// Version changes when the text of a display does, so that its picture is
// fetched again.
func (x *extrasNow) Version() string {
	h := fnv.New32a()
	fmt.Fprint(h, x.Display)
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

// Says is what stands on the display.
func (x *extrasNow) Says() string {
	return strings.TrimSpace(x.Display.Lines[0]) + " / " + strings.TrimSpace(x.Display.Lines[1])
}

// Name is how a door is called.
func doorName(d locker.Door) string { return fmt.Sprintf("L%d-%d", d.Board, d.Lock) }

// extrasOf finds the devices of the store that a form is about.
func (c *Console) extrasOf(r *http.Request) (*demo.Store, *demo.Extras, error) {
	s, err := c.storeOf(r)
	if err == nil && s.Store.ID != c.room.Stores[0].ID {
		err = fmt.Errorf("store %d has no such device", s.ID)
	}
	if err != nil {
		return nil, nil, err
	}
	return s, s.Extras, nil
}

// loadScale puts something on the scale, or takes it off.
func (c *Console) loadScale(_ context.Context, r *http.Request) error {
	s, x, err := c.extrasOf(r)
	if err != nil {
		return err
	}
	grams, err := strconv.Atoi(r.PostForm.Get("grams"))
	if err != nil {
		return fmt.Errorf("grams %.20q", r.PostForm.Get("grams"))
	}
	x.Scale.Put(grams)
	c.room.Log.Add(s.ID, "console.log.load", "n", grams)
	return nil
}

// moveDoor closes a door of the locker, or jams and frees it.
func (c *Console) moveDoor(_ context.Context, r *http.Request) error {
	s, x, err := c.extrasOf(r)
	if err != nil {
		return err
	}
	lock, err := strconv.Atoi(r.PostForm.Get("lock"))
	if err != nil {
		return fmt.Errorf("lock %.20q", r.PostForm.Get("lock"))
	}
	to := r.PostForm.Get("to")
	switch to {
	case "shut":
		err = x.Locker.Shut(0, lock)
	case "jam", "free":
		err = x.Locker.Stick(0, lock, to == "jam")
	default:
		err = fmt.Errorf("a door cannot be %.20q", to)
	}
	if err == nil {
		c.room.Log.Add(s.ID, "console.log.door_"+to, "door", doorName(locker.Door{Lock: lock}))
	}
	return err
}

// moveDrawer pushes the cash drawer in, or opens it with its key.
func (c *Console) moveDrawer(_ context.Context, r *http.Request) error {
	s, _, err := c.extrasOf(r)
	if err != nil {
		return err
	}
	if r.PostForm.Get("to") == "shut" {
		s.Printer.CloseDrawer()
		c.room.Log.Add(s.ID, "console.log.drawer_shut")
		return nil
	}
	s.Printer.OpenDrawer()
	c.room.Log.Add(s.ID, "console.log.drawer_open")
	return nil
}

// changeLabels takes the roll of labels, or puts one in.
func (c *Console) changeLabels(_ context.Context, r *http.Request) error {
	s, x, err := c.extrasOf(r)
	if err != nil {
		return err
	}
	in := r.PostForm.Get("to") == "in"
	x.Labels.SetMedia(in)
	c.room.Log.Add(s.ID, map[bool]string{true: "console.log.labels_in", false: "console.log.labels_out"}[in])
	return nil
}

// serveDisplay serves the picture of the customers' display.
func (c *Console) serveDisplay(w http.ResponseWriter, _ *http.Request) {
	png, err := c.room.Stores[0].Extras.Display.PNG()
	servePNG(w, png, err)
}

// serveLabel serves the picture of a label.
func (c *Console) serveLabel(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(strings.TrimSuffix(r.PathValue("file"), ".png"))
	for _, l := range c.room.Stores[0].Extras.Labels.Labels() {
		if err == nil && l.Number == number {
			png, err := l.PNG()
			servePNG(w, png, err)
			return
		}
	}
	http.NotFound(w, r)
}

func servePNG(w http.ResponseWriter, png []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(png) // the browser went away
}

// weighed tells whether a scan at a place takes its weight from the scale: then
// the product's own code is read, not a label of the fresh-goods scale.
func (c *Console) weighed(p place) bool {
	x := p.Store.Extras
	return x != nil && p.Station == demo.Till && x.Scale.State().Load > 0
}
