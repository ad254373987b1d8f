package quorum

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain lets many tests run at once: they mostly wait for elections.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
