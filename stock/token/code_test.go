package token

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast.dev/stock"
	"holdfast.dev/stock/gtin"
)

func TestCodeIsDrawnEvenlyAndReadsAsAPickup(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	seen := make(map[rune]int)
	const draws = 20_000
	for range draws {
		code, err := NewCode(random)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := gtin.Decode([]byte(code), ""); err != nil || s.Kind != gtin.Pickup {
			t.Fatalf("%s scans as %s, %v", code, s.Kind, err)
		}
		if again, err := ParseCode(GroupCode(strings.ToLower(code))); err != nil || again != code {
			t.Fatalf("%s reads back as %q, %v", code, again, err)
		}
		for _, c := range code {
			seen[c]++
		}
	}
	want := draws * codeLength / len(alphabet)
	for _, c := range alphabet {
		if n := seen[c]; n < want*94/100 || n > want*106/100 {
			t.Errorf("%c was drawn %d times, want about %d", c, n, want)
		}
	}
}

func TestCodeNeedsRandomness(t *testing.T) {
	if code, err := NewCode(strings.NewReader("abc")); err == nil {
		t.Errorf("three bytes gave %q", code)
	}
	if code, err := NewCode(bytes.NewReader(make([]byte, 1000))); err == nil {
		t.Errorf("zeros gave %q", code)
	}
}

func TestCodeReadsAsPeopleTypeIt(t *testing.T) {
	for typed, want := range map[string]string{
		"7K3M2Q9A": "7K3M2Q9A", " 7k3m-2q9a ": "7K3M2Q9A", "7 K 3 M 2 Q 9 A": "7K3M2Q9A",
		"7K3M2Q9": "", "7K3M2Q9AA": "", "7K3M2Q9O": "", "7K3M1Q9A": "", "": "", "7K3M2Q9Ä": "",
		"23456789": "",
	} {
		got, err := ParseCode(typed)
		if got != want || (want == "") != stock.Refused(err, stock.Unreadable) {
			t.Errorf("%q = %q, %v, want %q", typed, got, err, want)
		}
	}
	if got, want := GroupCode("7K3M2Q9A"), "7K3M-2Q9A"; got != want {
		t.Errorf("GroupCode = %q, want %q", got, want)
	}
}
