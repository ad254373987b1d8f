package journal

import (
	"runtime"
	"testing"
	"time"
)

// waitFor yields until ready is true.
func waitFor(t testing.TB, ready func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ready(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("nothing happened for 10 s")
		}
	}
}
