package devices

import (
	"github.com/prometheus/client_golang/prometheus"

	"holdfast.dev/hardware"
)

// collector shows the states of a set as metrics, as they are when asked for.
type collector struct{ set *Set }

// Collector gives the metrics of a set, for a registry.
func Collector(s *Set) prometheus.Collector { return collector{s} }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("holdfast_device_"+name, help, append([]string{"device", "kind"}, labels...), nil)
}

var (
	upMetric       = describe("up", "1 while the device can do its work.")
	phaseMetric    = describe("phase", "1 for the phase that the device is in.", "phase")
	seenMetric     = describe("last_seen_seconds", "Unix time at which the device last said something.")
	lossesMetric   = describe("losses_total", "Times that the device was lost.")
	scansMetric    = describe("scans_total", "Frames of a scanner, by result: ok, garbage, suppressed.", "result")
	jobsMetric     = describe("jobs_total", "Jobs of a printer, by state: printed, sent, failed, unknown.", "state")
	doneMetric     = describe("actions_total", "Doors and drawers opened, weights taken, texts shown.")
	troubleMetric  = describe("trouble", "1 for what keeps the device from its work.", "trouble")
	paperLowMetric = describe("paper_low", "1 while a printer says that its paper ends soon.")
	drawerMetric   = describe("drawer_open", "1 while the cash drawer on a printer is open.")
	doorsMetric    = describe("doors", "Doors of a locker, by state: open, closed, unknown.", "state")
)

// Describe names the metrics.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{upMetric, phaseMetric, seenMetric, lossesMetric, scansMetric, jobsMetric,
		doneMetric, troubleMetric, paperLowMetric, drawerMetric, doorsMetric} {
		out <- d
	}
}

// Collect reads the states.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.set.States() {
		collect(s, func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, kind, value, append([]string{s.Name, string(s.Kind)}, labels...)...)
		})
	}
}

// emit gives one value.
type emit func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string)

func collect(s State, give emit) {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	give(upMetric, gauge, flag(s.Phase == Ready))
	give(phaseMetric, gauge, 1, string(s.Phase))
	give(lossesMetric, counter, float64(s.Losses))
	if !s.LastSeen.IsZero() {
		give(seenMetric, gauge, float64(s.LastSeen.UnixMilli())/1000)
	}
	if trouble := s.Trouble(); trouble != "" {
		give(troubleMetric, gauge, 1, trouble)
	}
	if s.Kind != Scanner {
		give(doneMetric, counter, float64(s.Done))
	}
	switch {
	case s.Kind == Scanner:
		give(scansMetric, counter, float64(s.Scans), "ok")
		give(scansMetric, counter, float64(s.Garbage), "garbage")
		give(scansMetric, counter, float64(s.Suppressed), "suppressed")
	case s.Prints():
		give(jobsMetric, counter, float64(s.Jobs.Printed), "printed")
		give(jobsMetric, counter, float64(s.Jobs.Sent), "sent")
		give(jobsMetric, counter, float64(s.Jobs.Failed), "failed")
		give(jobsMetric, counter, float64(s.Jobs.Unknown), "unknown")
	case s.Kind == Locker:
		collectDoors(s, give)
	}
	if s.Printer != nil {
		give(paperLowMetric, gauge, flag(s.Printer.PaperLow))
	}
	if drawer := s.Drawer(); drawer != hardware.DrawerUnknown {
		give(drawerMetric, gauge, flag(drawer == hardware.DrawerOpen))
	}
}

func collectDoors(s State, give emit) {
	count := make(map[hardware.DoorState]int)
	for _, d := range s.Doors {
		count[d.State]++
	}
	for _, state := range []hardware.DoorState{hardware.DoorOpen, hardware.DoorClosed, hardware.DoorUnknown} {
		give(doorsMetric, prometheus.GaugeValue, float64(count[state]), state.String())
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
