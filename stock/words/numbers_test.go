package words

import (
	"math"
	"strings"
	"testing"
	"time"

	"holdfast.dev/stock"
)

// plain makes the tables readable.
func plain(s string) string { return strings.ReplaceAll(s, nbsp, " ") }

// TestMoneyReadsAsInICU compares with ICU 78 (CLDR 48), en as en-GB.
func TestMoneyReadsAsInICU(t *testing.T) {
	tests := []struct {
		minor    int64
		currency string
		nl, da   string
		de, en   string
	}{
		{123450, "EUR", "€ 1.234,50", "1.234,50 €", "1.234,50 €", "€1,234.50"},
		{123450, "DKK", "DKK 1.234,50", "1.234,50 kr.", "1.234,50 DKK", "DKK 1,234.50"},
		{-5, "GBP", "£ -0,05", "-0,05 £", "-0,05 £", "-£0.05"},
		{123456789, "USD", "US$ 1.234.567,89", "1.234.567,89 US$", "1.234.567,89 $", "US$1,234,567.89"},
		{1200, "SEK", "SEK 12,00", "12,00 SEK", "12,00 SEK", "SEK 12.00"},
		{1200, "ISK", "ISK 1.200", "1.200 ISK", "1.200 ISK", "ISK 1,200"},
		{1234, "KWD", "KWD 1,234", "1,234 KWD", "1,234 KWD", "KWD 1.234"},
		{0, "EUR", "€ 0,00", "0,00 €", "0,00 €", "€0.00"},
		{-100000, "CHF", "CHF -1.000,00", "-1.000,00 CHF", "-1.000,00 CHF", "-CHF 1,000.00"},
		{math.MinInt64, "EUR", "€ -92.233.720.368.547.758,08", "-92.233.720.368.547.758,08 €",
			"-92.233.720.368.547.758,08 €", "-€92,233,720,368,547,758.08"},
	}
	for _, tt := range tests {
		for lang, want := range map[Lang]string{NL: tt.nl, DA: tt.da, DE: tt.de, EN: tt.en} {
			if got := plain(Money(lang, tt.minor, tt.currency)); got != want {
				t.Errorf("%d %s in %s: %q, want %q", tt.minor, tt.currency, lang, got, want)
			}
		}
	}
	if got, want := Money("xx", 100, "EUR"), "€1.00"; got != want {
		t.Errorf("in no language: %q, want %q", got, want)
	}
}

func TestAmountsDoNotBreakAcrossLines(t *testing.T) {
	for _, s := range []string{Money(DA, 1, "DKK"), Money(NL, 1, "EUR"), Quantity(EN, 5, "g")} {
		if strings.Contains(s, " ") {
			t.Errorf("%q has a space that breaks", s)
		}
	}
}

func TestQuantityReadsInTheUnitOfTheShelf(t *testing.T) {
	tests := []struct {
		units stock.Units
		base  string
		de    string
		en    string
	}{
		{3, "each", "3", "3"},
		{12345, "each", "12.345", "12,345"},
		{-2, "each", "-2", "-2"},
		{350, "g", "350 g", "350 g"},
		{1250, "g", "1,25 kg", "1.25 kg"},
		{2000, "g", "2 kg", "2 kg"},
		{-1005, "g", "-1,005 kg", "-1.005 kg"},
		{0, "g", "0 g", "0 g"},
		{750, "ml", "750 ml", "750 ml"},
		{1500, "ml", "1,5 l", "1.5 l"},
		{1234567800, "ml", "1.234.567,8 l", "1,234,567.8 l"},
	}
	for _, tt := range tests {
		if got := plain(Quantity(DE, tt.units, tt.base)); got != tt.de {
			t.Errorf("%d %s in de: %q, want %q", tt.units, tt.base, got, tt.de)
		}
		if got := plain(Quantity(EN, tt.units, tt.base)); got != tt.en {
			t.Errorf("%d %s in en: %q, want %q", tt.units, tt.base, got, tt.en)
		}
	}
}

func TestCountedUnitsStandBeforeAName(t *testing.T) {
	for base, want := range map[string]string{"each": "1.200 ×", "": "1.200 ×", "g": "1,2 kg", "ml": "1,2 l"} {
		if got := plain(Counted(DA, 1200, base)); got != want {
			t.Errorf("%q: %q, want %q", base, got, want)
		}
	}
}

// TestDateAndTimeReadAsInICU compares with ICU 78 (CLDR 48), en as en-GB.
func TestDateAndTimeReadAsInICU(t *testing.T) {
	at := time.Date(2025, 11, 20, 14, 2, 0, 0, time.UTC)
	want := map[Lang][2]string{
		NL: {"20 november 2025", "14:02"},
		DA: {"20. november 2025", "14.02"},
		DE: {"20. November 2025", "14:02"},
		EN: {"20 November 2025", "14:02"},
	}
	for lang, w := range want {
		if got := [2]string{Date(lang, at), Time(lang, at)}; got != w {
			t.Errorf("%s: %q, want %q", lang, got, w)
		}
	}
}

func TestWhenSpeaksAsPeopleDo(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2025, month, day, hour, minute, 0, 0, zone)
	}
	now := at(11, 18, 14, 2) // a Tuesday
	tests := []struct {
		t    time.Time
		lang Lang
		want string
	}{
		{now, EN, "just now"},
		{now.Add(-59 * time.Second), DA, "lige nu"},
		{now.Add(-time.Minute), EN, "14:01"},
		{now.Add(30 * time.Second), EN, "14:02"},
		{at(11, 18, 0, 0), NL, "00:00"},
		{at(11, 18, 23, 59).UTC(), DA, "23.59"},
		{at(11, 17, 23, 59), EN, "yesterday 23:59"},
		{at(11, 19, 0, 0), DA, "i morgen kl. 00.00"},
		{at(11, 20, 18, 0), EN, "Thursday 18:00"},
		{at(11, 20, 18, 0), DA, "torsdag kl. 18.00"},
		{at(11, 12, 18, 0), DE, "Mittwoch 18:00"},
		{at(11, 25, 18, 0), NL, "25 november 18:00"},
		{at(11, 11, 18, 0), DE, "11. November 18:00"},
		{at(11, 20, 18, 0).AddDate(1, 0, 0), EN, "20 November 2026 18:00"},
	}
	for _, tt := range tests {
		if got := When(tt.lang, tt.t, now); got != tt.want {
			t.Errorf("When(%s) in %s = %q, want %q", tt.t, tt.lang, got, tt.want)
		}
	}
}

func TestSpanRoundsUp(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 second", time.Millisecond: "1 second", 1500 * time.Millisecond: "2 seconds",
		time.Minute: "1 minute", 61 * time.Second: "2 minutes", time.Hour: "1 hour",
		90 * time.Minute: "2 hours",
	} {
		if got := Span(EN, d); got != want {
			t.Errorf("Span(%s) = %q, want %q", d, got, want)
		}
	}
}
