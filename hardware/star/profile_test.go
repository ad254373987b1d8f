package star_test

import (
	"flag"
	"testing"

	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/star"
)

var update = flag.Bool("update", false, "write PROFILES.md anew")

func TestTheProfilesAreListed(t *testing.T) {
	hardwaretest.TestProfileTable(t, "Star printers", star.Profiles, *update)
}
