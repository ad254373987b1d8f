package uplink_test

import (
	"context"
	"testing"

	"holdfast.dev/cloud/uplink"
	"holdfast.dev/proto/record/v1"
)

// BenchmarkCatchUp sends a backlog over mTLS on loopback: once to an office
// that takes everything at once, which is the limit of the uplink itself, and
// once to head office.
func BenchmarkCatchUp(b *testing.B) {
	const backlog = 100_000
	cases := []struct {
		name   string
		change func(*uplink.Options)
	}{
		{"uplink alone", func(o *uplink.Options) { o.Office = freeOffice{o.Office} }},
		{"head office", nil},
	}
	for _, test := range cases {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				c := newCloud(b, test.change)
				n := c.enrol()
				n.floor.receive(1, backlog)
				b.StartTimer()
				stop := n.start(b, c.addr, nil)
				eventually(b, n.link.Watch, func() bool { return n.link.State().Acked >= backlog })
				b.StopTimer()
				stop()
				b.StartTimer()
			}
			b.ReportMetric(float64(backlog*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// freeOffice applies batches without looking at them.
type freeOffice struct{ uplink.Office }

func (o freeOffice) Propose(ctx context.Context, c *recordv1.Command) (*recordv1.Result, error) {
	b := c.GetApplyBatch()
	if b == nil {
		return o.Office.Propose(ctx, c)
	}
	last := b.GetFrom() + uint64(len(b.GetRecords())) - 1
	return &recordv1.Result{Body: &recordv1.Result_Batch{
		Batch: &recordv1.BatchResult{Applied: last}}}, nil
}
