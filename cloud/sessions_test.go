package cloud

import (
	"testing"

	"holdfast.dev/cloud/quorum"
)

func TestANewProcessEndsNoStreamsOfOthers(t *testing.T) {
	members := []quorum.Info{{ID: "self", Self: true}, {ID: "other"}}
	for _, tt := range []struct {
		what  string
		leads bool
		id    string
		want  bool
	}{
		{"its own, of before", false, "self", true},
		{"its own, where it leads", true, "self", true},
		{"a member's", false, "other", false},
		{"a member's, where it leads", true, "other", false},
		{"one that it has not heard of yet", false, "newest", false},
		{"one that is no more, where it leads", true, "newest", true},
	} {
		if got := goneBefore(tt.leads, "self", members)(tt.id); got != tt.want {
			t.Errorf("%s: %t", tt.what, got)
		}
	}
}
