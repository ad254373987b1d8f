package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock"
)

func TestJoinStringReadsBack(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:8443", "cloud.example.org:443", "[2001:db8::1]:8443",
		"a:8443,b:8443,[2001:db8::1]:8443"} {
		j := NewJoin([32]byte{1, 2, 3}, addr, 417)
		text := j.String()
		for name, form := range map[string]string{
			"as is": text, "upper case": strings.ToUpper(text),
			"in two lines": text[:70] + "\n  " + text[70:] + " ",
		} {
			got, err := ParseJoin(form)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(j, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

func TestEveryTypingErrorInAJoinStringIsRefused(t *testing.T) {
	text := NewJoin([32]byte{9}, "cloud.example.org:8443", 7).String()
	for i := range text {
		for _, c := range "a2z7.10" {
			wrong := text[:i] + string(c) + text[i+1:]
			if wrong == text {
				continue
			}
			if _, err := ParseJoin(wrong); !stock.Refused(err, stock.BadRequest) {
				t.Fatalf("letter %d as %q: got %v, want a refusal", i, c, err)
			}
		}
		if _, err := ParseJoin(text[:i]); !stock.Refused(err, stock.BadRequest) {
			t.Fatalf("cut at %d: got %v, want a refusal", i, err)
		}
		if i > 0 && text[i] != text[i-1] {
			swapped := text[:i-1] + string(text[i]) + string(text[i-1]) + text[i+1:]
			if _, err := ParseJoin(swapped); !stock.Refused(err, stock.BadRequest) {
				t.Fatalf("letters %d and %d swapped: got %v, want a refusal", i-1, i, err)
			}
		}
	}
}

func TestJoinStringWithAGoodCheckButBadFieldsIsRefused(t *testing.T) {
	good := strings.Split(NewJoin([32]byte{9}, "a:1", 7).String(), ".")
	for name, c := range map[string]struct {
		field int
		value string
	}{
		"short hash":      {1, "aaaa"},
		"long secret":     {4, good[4] + "aaaaaaaa"},
		"no base32":       {4, "1" + good[4][1:]},
		"store zero":      {3, "0"},
		"store too large": {3, "4294967296"},
		"no port":         {2, joinEncoding.EncodeToString([]byte("cloud"))},
		"no host":         {2, joinEncoding.EncodeToString([]byte(":8443"))},
		"other version":   {0, "hf2"},
	} {
		field := append([]string(nil), good[:5]...)
		field[c.field] = c.value
		body := strings.Join(field, ".")
		_, err := ParseJoin(body + "." + joinCheck(body))
		if !stock.Refused(err, stock.BadRequest) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
		if err != nil && strings.Contains(err.Error(), good[4]) {
			t.Errorf("%s: the refusal quotes the secret", name)
		}
	}
}

func TestJoinSecretsDifferAndHashTheSame(t *testing.T) {
	a, b := NewJoin([32]byte{}, "a:1", 7), NewJoin([32]byte{}, "a:1", 7)
	if a.Secret == b.Secret {
		t.Error("two joins with one secret")
	}
	if a.SecretHash() != SecretHash(a.Secret[:]) || a.SecretHash() == b.SecretHash() {
		t.Error("the hash does not tell secrets apart")
	}
}

func FuzzParseJoin(f *testing.F) {
	f.Add(NewJoin([32]byte{1}, "a:1", 1).String())
	f.Add("hf1.....")
	f.Fuzz(func(t *testing.T, text string) {
		j, err := ParseJoin(text)
		if err != nil {
			if _, ok := stock.AsRefusal(err); !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			return
		}
		if again, err := ParseJoin(j.String()); err != nil || again != j {
			t.Fatalf("read %+v back as %+v, %v", j, again, err)
		}
	})
}
