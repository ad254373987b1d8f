package hardwaretest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware/receipt/session"
)

// TestProfileTable checks that PROFILES.md in the driver's folder lists its
// profiles, or writes it.
func TestProfileTable(t *testing.T, title string, profiles []session.Profile, write bool) {
	t.Helper()
	const path = "PROFILES.md"
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nWritten by the driver's test from the files in `profiles/`. "+
		"The first is used when none is named.\n\n", title)
	b.WriteString("| profile | for | columns | dots | dpi | code tables | proof | knife |\n" +
		"|---|---|---|---|---|---|---|---|\n")
	for _, p := range profiles {
		var pages []string
		for _, page := range p.Pages {
			pages = append(pages, fmt.Sprintf("%d %s", page.Number, page.Page.Name()))
		}
		knife := "yes"
		if p.NoCutter {
			knife = "no"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %d | %d | %d | %s | %s | %s |\n", p.Name, p.Note, p.Columns, p.Dots,
			p.DPI, strings.Join(pages, ", "), p.Fence, knife)
	}
	if write {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}
