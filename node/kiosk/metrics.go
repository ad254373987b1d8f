package kiosk

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast.dev/node/shopfloor"
)

// metrics counts what happens at the stations.
type metrics struct {
	scans    *prometheus.CounterVec
	refusals *prometheus.CounterVec
	answer   prometheus.Histogram
}

func newMetrics(r *prometheus.Registry) *metrics {
	m := &metrics{
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_scans_total",
			Help: "Scans that were answered, by result: ok, refused, fault or unassigned."},
			[]string{"result"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_refusals_total",
			Help: "Refusals at the stations and in the local API, by code."}, []string{"code"}),
		answer: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "holdfast_scan_answer_seconds",
			Help:    "From the last byte of a scan to its answer on the event streams.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}}),
	}
	if r != nil {
		r.MustRegister(m.scans, m.refusals, m.answer)
	}
	return m
}

func (m *metrics) scanned(a shopfloor.Answer, began time.Time) {
	result := "ok"
	if a.Refusal != nil {
		result = "refused"
		m.refusals.WithLabelValues(a.Refusal.Code.String()).Inc()
	}
	m.scans.WithLabelValues(result).Inc()
	m.answer.Observe(time.Since(began).Seconds())
}
