package headoffice_test

import (
	"testing"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
)

func TestWhatOlderMembersDoNotKnowNeedsAllToBeNewer(t *testing.T) {
	for name, c := range map[string]struct {
		command *recordv1.Command
		needs   uint32
	}{
		"a store is renewed":            {&recordv1.Command{Body: &recordv1.Command_Renew{Renew: &recordv1.Renew{Store: 1}}}, 2},
		"a timeline after one of nodes": {bump(3), 2},
		"the next timeline":             {bump(0), 1},
	} {
		if got := headoffice.Needs(c.command); got != c.needs {
			t.Errorf("%s: version %d, want %d", name, got, c.needs)
		}
	}
}

func bump(after uint32) *recordv1.Command {
	return &recordv1.Command{Body: &recordv1.Command_BumpTimeline{
		BumpTimeline: &recordv1.BumpTimeline{After: after}}}
}
