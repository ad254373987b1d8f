package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

func TestEveryMutantAppliesToTheTree(t *testing.T) {
	patches := mutants(t)
	if len(patches) < 16 {
		t.Errorf("%d mutants, want 16 at least", len(patches))
	}
	for _, patch := range patches {
		absolute, err := filepath.Abs(patch)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "git", "apply", "--check", "-C1", absolute)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s does not apply: %v\n%s", patch, err, out)
		}
	}
}

func TestEveryMutantSaysWhatIsWrong(t *testing.T) {
	for _, patch := range mutants(t) {
		about, err := aboutMutant(patch)
		if err != nil || !strings.HasSuffix(about, ".") || strings.Contains(about, "|") {
			t.Errorf("%s begins with %q, %v", patch, about, err)
		}
	}
}

func TestPageNamesEveryMutant(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	for _, patch := range mutants(t) {
		name := strings.ReplaceAll(strings.TrimSuffix(patch, ".patch"), "-", " ")
		if !strings.Contains(string(text), "| "+name+" | ") {
			t.Errorf("%s does not name %q: run make mutants", page, name)
		}
	}
	if strings.Contains(string(text), "survived") {
		t.Errorf("%s has survivors", page)
	}
}

func TestPatchChangesACopyInARepository(t *testing.T) {
	outer := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", outer).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tree := filepath.Join(outer, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	file, patch := filepath.Join(tree, "a.txt"), filepath.Join(outer, "a.patch")
	for name, text := range map[string]string{file: "old\n",
		patch: "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+new\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := run(context.Background(), tree, "git", "apply", patch); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "new\n" {
		t.Errorf("the patched file has %q, %v", got, err)
	}
}

func mutants(t *testing.T) []string {
	t.Helper()
	patches, err := filepath.Glob("*.patch")
	if err != nil {
		t.Fatal(err)
	}
	return patches
}
