package process

import (
	"strings"
	"testing"
)

func TestOnlyTheRightPINFits(t *testing.T) {
	hash := HashPIN("4711")
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=12288,t=3,p=1$") || strings.Contains(hash, "4711") {
		t.Errorf("hash is %s", hash)
	}
	if HashPIN("4711") == hash {
		t.Error("two hashes of a PIN are equal: no salt")
	}
	for pin, want := range map[string]bool{"4711": true, "4712": false, "": false, "47110": false} {
		got, err := CheckPIN(hash, pin)
		if err != nil || got != want {
			t.Errorf("PIN %q: got %v, %v, want %v", pin, got, err, want)
		}
	}
}

func TestStoredHashThatIsNoneIsAFault(t *testing.T) {
	good := HashPIN("1")
	for _, bad := range []string{
		"", "4711", "$argon2i" + good[len("$argon2id"):], good[:40],
		strings.Replace(good, "m=12288", "m=99999999", 1),
		strings.Replace(good, "t=3", "t=0", 1), strings.Replace(good, "t=3", "t=99", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=1x", 1),
		strings.Replace(good, "v=19", "v=16", 1), good + "$",
	} {
		if ok, err := CheckPIN(bad, "1"); err == nil || ok {
			t.Errorf("%q: got %v, %v, want a fault", bad, ok, err)
		}
	}
}
