package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"holdfast.dev/internal/process"
)

// inRunbook finds a command of ours in the runbook, in a block or in a sentence.
var inRunbook = regexp.MustCompile("(?m)^    [a-c]\\$ (holdfast-cloud [^\n]*)$|`(holdfast-cloud [^`]*)`")

func TestEveryCommandOfTheRunbookExists(t *testing.T) {
	text, err := os.ReadFile("../../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	found := inRunbook.FindAllStringSubmatch(string(text), -1)
	const least = 12
	if len(found) < least {
		t.Fatalf("%d commands, there were %d", len(found), least)
	}
	t.Setenv("HOLDFAST_CLOUD_CONFIG", os.DevNull)
	for _, f := range found {
		args := strings.Fields(f[1] + f[2])[1:]
		if _, err := process.Load("holdfast-cloud", args, new(commands)); err != nil {
			t.Errorf("%s: %v", strings.Join(args, " "), err)
		}
	}
}
