package kiosk

import (
	"context"
	"fmt"
	"html/template"
	"strings"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/internal/look"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk/spool"
	"holdfast.dev/stock/words"
)

// hardwareState is the store's devices and paper.
type hardwareState struct {
	Devices []deviceCard
	Jobs    []spool.Job
	Signed  bool // somebody may open doors here
}

// deviceCard is a device with the words for its state.
type deviceCard struct {
	devices.State
	Icon, Word, Level string
	Waiting           int // jobs in its queue
	Doors             []compartment
}

// Paper is the word for a printer's paper; empty when it does not tell.
func (c deviceCard) Paper() string {
	switch {
	case c.Printer == nil || c.Opened.IsZero():
		return ""
	case c.Printer.PaperOut:
		return "out"
	case c.Printer.PaperLow:
		return "low"
	}
	return "ok"
}

// Cover is the word for a printer's cover.
func (c deviceCard) Cover() string {
	if c.Printer.CoverOpen {
		return "open"
	}
	return "closed"
}

// MayDrawer tells whether the printer says how a cash drawer is.
func (c deviceCard) MayDrawer() bool { return c.State.Drawer() != hardware.DrawerUnknown }

// OnPaper counts the jobs that the printer took.
func (c deviceCard) OnPaper() uint64 { return c.Jobs.Printed + c.Jobs.Sent }

// Stable tells whether a scale has a weight.
func (c deviceCard) Stable() bool { return c.Weight != nil && c.Weight.State == hardware.ScaleStable }

// LastTrouble is the last trouble, when it is not the present one.
func (c deviceCard) LastTrouble() string {
	if c.Fault == c.LastError && c.Level == "bad" {
		return ""
	}
	return c.Fault
}

// Named tells whether a trouble is one that a device told of itself, which has a
// word in every language. The others are errors of ports.
func (v *view) Named(trouble string) bool { return words.Has("devices.word." + trouble) }

var deviceIcons = map[devices.Kind]string{devices.Scanner: "scan-barcode", devices.Printer: "printer",
	devices.LabelPrinter: "qr-code", devices.Display: "receipt-text", devices.Locker: "package", devices.Scale: "scale"}

func (k *Kiosk) loadDevices(ctx context.Context, v *view) error {
	const newest = 30
	h := hardwareState{Signed: v.Station.Staff != ""}
	for _, d := range k.o.Devices.States() {
		c := deviceCard{State: d, Icon: deviceIcons[d.Kind]}
		c.Word, c.Level = Condition(d)
		var err error
		if d.Prints() {
			c.Waiting, err = k.spool.Waiting(ctx, d.Name)
		}
		if err == nil && d.Kind == devices.Locker {
			c.Doors, err = k.compartments(ctx, v, d)
		}
		if err != nil {
			return err
		}
		h.Devices = append(h.Devices, c)
	}
	jobs, err := k.spool.List(ctx, newest)
	h.Jobs = jobs
	v.Data = h
	return err
}

// Condition gives the word for a device's state, which texts know as "devices.word" and
// "devices.help", and how bad that is: ok, warn or bad.
func Condition(d devices.State) (word, level string) {
	trouble := d.Trouble()
	switch {
	case d.Phase == devices.Connecting && d.LastError == "":
		return "connecting", "warn"
	case d.Phase == devices.Degraded && trouble == "offline":
		return "silent", "bad"
	case trouble == "offline" && d.Barred != "":
		return d.Barred, "bad"
	case trouble != "":
		return trouble, "bad"
	case d.Printer != nil && d.Printer.PaperLow:
		return "paper_low", "warn"
	case len(d.Stuck) > 0:
		return "door_stuck", "bad"
	}
	return "ready", "ok"
}

// Devices shows the station's devices in the bar: printer and scanner always,
// the others when something is wrong with them.
func (v *view) Devices() (all []template.HTML) {
	mine := v.k.station(v.Station.Name)
	for _, d := range v.k.o.Devices.States() {
		word, level := Condition(d)
		icon := deviceIcons[d.Kind]
		switch d.Name {
		case mine.Scanner, mine.Printer:
			all = append(all, look.Device(icon, v.barWord(d, word), level))
		case mine.Display, mine.Scale, mine.Labels:
			if level != "ok" {
				all = append(all, look.Device(icon, words.T(v.Lang, "devices.short."+string(d.Kind)), level))
			}
		}
		if _, ajar := v.k.ajar.Load(d.Name); ajar && d.Name == mine.Printer && mine.Drawer > 0 {
			all = append(all, look.Device("archive", words.T(v.Lang, "devices.short.drawer"), "warn"))
		}
	}
	return all
}

// barWords are the words of the bar for states that have one of their own.
var barWords = map[string]string{"ready": "ready", "paper_low": "low", "paper_out": "paper", "cover_open": "cover",
	"connecting": "connecting", "offline": "gone", devices.BarredInUse: "gone", devices.BarredNoRights: "gone"}

func (v *view) barWord(d devices.State, word string) string {
	short, ok := barWords[word]
	if !ok || d.Kind == devices.Scanner && (short == "low" || short == "paper" || short == "cover") {
		short = "degraded"
	}
	kind := "device.scanner."
	if d.Kind == devices.Printer {
		kind = "device.printer."
	}
	return v.T(kind + short)
}

// D is a text about devices.
func (v *view) D(key string, args ...any) string { return words.T(v.Lang, "devices."+key, args...) }

// Clock words a moment that stays on the screen.
func (v *view) Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return v.since(t)
}

// Grams words a weight.
func (v *view) Grams(n int) string { return words.Quantity(v.Lang, unitsOfAny(n), "g") }

// Slug is a word as keys of texts have it.
func (v *view) Slug(word fmt.Stringer) string { return strings.ReplaceAll(word.String(), " ", "_") }
