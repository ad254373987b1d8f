package words

import (
	"strings"
	"testing"
)

func TestMatchTakesTheFirstLanguageThatTheReaderUnderstands(t *testing.T) {
	tests := []struct {
		header string
		want   Lang
	}{
		{"nl-BE,nl;q=0.9,en;q=0.8", NL},
		{"de-AT", DE},
		{"en-US,en;q=0.5", EN},
		{"nb,de-AT", DA},
		{"nn-NO;q=0.9,en;q=0.1", DA},
		{"no", DA},
		{"en;q=0.3,da;q=0.9", DA},
		{"fr-FR,fr;q=0.9,de;q=0.2", DE},
		{"lb-LU", DE},
		{"af", NL},
		{"fy-NL", NL},
		{"fr,it", EN},
		{"sv", EN},
		{"*", EN},
		{"", EN},
		{";;;", EN},
		{strings.Repeat("da,", 500), EN},
	}
	for _, tt := range tests {
		if got := Match(tt.header, EN); got != tt.want {
			t.Errorf("Match(%.40q) = %q, want %q", tt.header, got, tt.want)
		}
	}
	if got := Match("fr", NL); got != NL {
		t.Errorf("Match(fr) falls back to %q, want nl", got)
	}
}

func TestOnlyOurLanguagesParse(t *testing.T) {
	if l, ok := ParseLang("da"); !ok || l != DA {
		t.Errorf("ParseLang(da) = %q, %v", l, ok)
	}
	for _, code := range []string{"", "DA", "nb", "da-DK"} {
		if l, ok := ParseLang(code); ok {
			t.Errorf("ParseLang(%q) = %q, want none", code, l)
		}
	}
}
