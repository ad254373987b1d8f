package fleet

import "testing"

// BenchmarkWorld runs the first seeds over and over. An event is a frame that
// arrives, a deadline or a step of a person; facts are records and commands. The
// figures are per second of CPU time.
func BenchmarkWorld(b *testing.B) {
	const seeds = 200
	var days int
	var events, facts uint64
	k := new(kit)
	defer k.close()
	used := cpuTime()
	for seed := uint64(0); b.Loop(); seed++ {
		r, err := Run(b.Context(), Options{Seed: 1 + seed%seeds, kit: k})
		if err != nil {
			b.Fatal(err)
		}
		days += r.StoreDays
		events += r.Steps
		facts += r.Records + r.Commands
	}
	cpu := (cpuTime() - used).Seconds()
	b.ReportMetric(float64(days)/cpu, "store-days/s")
	b.ReportMetric(float64(events)/cpu, "events/s")
	b.ReportMetric(float64(facts)/cpu, "facts/s")
}
