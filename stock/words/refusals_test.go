package words

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"holdfast.dev/stock"
)

func TestEveryRefusalHasASentenceInEveryLanguage(t *testing.T) {
	seen := make(map[string]stock.Code)
	for _, code := range stock.Codes() {
		if _, err := compile(refusals[code].say); err != nil {
			t.Errorf("%s: %v", code, err)
			continue
		}
		for _, lang := range Langs() {
			said := Refusal(lang, stock.Refuse(code, "for developers"))
			if strings.ContainsAny(said, "{}[]|#_") || strings.Contains(said, "  ") {
				t.Errorf("%s in %s without arguments: %q", code, lang, said)
			}
			if strings.Count(said, ".") < 2 || len(said) > 150 {
				t.Errorf("%s in %s wants one sentence and a next step: %q", code, lang, said)
			}
			if other, ok := seen[said]; ok {
				t.Errorf("%s and %s both say %q", code, other, said)
			}
			seen[said] = code
		}
	}
	if got, want := len(refusals), len(stock.Codes()); got != want {
		t.Errorf("%d rows for %d codes", got, want)
	}
}

func TestRefusalSaysWhatItIsAbout(t *testing.T) {
	refuse := func(code stock.Code, args ...string) *stock.Refusal {
		r := stock.Refuse(code, "")
		for i := 0; i < len(args); i += 2 {
			r.With(args[i], args[i+1])
		}
		return r
	}
	tests := []struct {
		lang Lang
		r    *stock.Refusal
		want string
	}{
		{EN, refuse(stock.WrongItem, "wanted", "Rye crispbread 250 g"),
			"Not this one. The order needs Rye crispbread 250 g."},
		{NL, refuse(stock.WrongItem, "product", "Kaas", "wanted", "Melk"),
			"Niet deze: Kaas. De bestelling vraagt Melk."},
		{EN, refuse(stock.Short, "available", "0", "product", "Milk"),
			"None left of Milk. Choose less, or another store."},
		{DA, refuse(stock.Short, "available", "1"),
			"Kun én tilbage. Vælg færre eller en anden butik."},
		{DE, refuse(stock.Short, "available", "350 g", "product", ""),
			"Nur noch 350 g da. Bitte weniger wählen oder eine andere Filiale."},
		{EN, refuse(stock.AlreadyCollected, "at", "2025-11-20T13:02:00Z", "code", "7K3M2Q9A"),
			"Order 7K3M2Q9A was collected already (14:02). Look for another open order by name."},
		{DA, refuse(stock.Locked, "until", "2025-11-20T14:30:00Z"),
			"For mange forkerte pinkoder: låst et stykke tid, til 15.30. " +
				"Prøv igen bagefter, eller spørg en leder."},
		{DE, refuse(stock.Offline, "since", "2025-11-19T17:00:00Z"),
			"Die Filiale ist gerade nicht erreichbar (seit gestern 18:00). " +
				"Bitte später neu versuchen oder eine andere wählen."},
		{NL, refuse(stock.Busy, "after_ms", "1500"),
			"Het is nu erg druk. Probeer het over 2 seconden opnieuw."},
		{NL, refuse(stock.Busy, "after_ms", "soon"),
			"Het is nu erg druk. Probeer het zo dadelijk opnieuw."},
		{EN, refuse(stock.PrinterDown, "state", "PAPER_OUT"),
			"The printer does not print: out of paper. " +
				"Check paper, cover and cable, then print again."},
		{EN, refuse(stock.PrinterDown, "state", "ENOENT"),
			"The printer does not print. Check paper, cover and cable, then print again."},
		{DE, refuse(stock.UnsupportedCode, "kind", "coupon"),
			"Das ist ein Gutschein, kein Produkt. " +
				"Bitte den Strichcode des Produkts selbst scannen."},
		{EN, refuse(stock.WrongPIN, "left", "1"),
			"That PIN is not right. Try again; one try left."},
		{EN, refuse(stock.PromisedOnline, "promised", "2", "available", "2", "risk", "0.1"),
			"2 are promised to customers online. Leave it for them, or ask a manager."},
		{EN, refuse(stock.Code(9999)), "That did not work (CODE_9999). Try again, or ask for help."},
	}
	now := time.Date(2025, 11, 20, 14, 10, 0, 0, time.FixedZone("CET", 3600))
	for _, tt := range tests {
		if got := RefusalAt(tt.lang, tt.r, now); got != tt.want {
			t.Errorf("%s in %s:\n got %q\nwant %q", tt.r.Code, tt.lang, got, tt.want)
		}
	}
}

func TestRefusalWithoutAClockGivesTheDate(t *testing.T) {
	at := time.Date(2025, 11, 20, 14, 2, 0, 0, time.Local)
	r := stock.Refuse(stock.AlreadyCollected, "").With("at", at.UTC().Format(time.RFC3339))
	got, want := Refusal(EN, r), "(20 November 2025 14:02)"
	if !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}

// TestStatusesOfAnyRefusalAgree keeps the gRPC and the HTTP client's view of a
// refusal in step: whose fault it is, and whether trying again can help.
func TestStatusesOfAnyRefusalAgree(t *testing.T) {
	allowed := map[codes.Code]int{
		codes.InvalidArgument: 400, codes.Unauthenticated: 401, codes.PermissionDenied: 403,
		codes.NotFound: 404, codes.AlreadyExists: 409, codes.Aborted: 409,
		codes.FailedPrecondition: 409, codes.ResourceExhausted: 429, codes.Unimplemented: 501,
		codes.Unavailable: 503,
	}
	for _, code := range stock.Codes() {
		if got, want := HTTP(code), allowed[GRPC(code)]; got != want {
			t.Errorf("%s: HTTP %d, gRPC %s wants %d", code, got, GRPC(code), want)
		}
	}
	if HTTP(9999) != 500 || GRPC(9999) != codes.Unknown {
		t.Errorf("a code without a row: HTTP %d, gRPC %s", HTTP(9999), GRPC(9999))
	}
}
