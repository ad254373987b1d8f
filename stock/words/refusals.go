package words

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"holdfast.dev/stock"
)

// row says one refusal to machines and to people.
type row struct {
	grpc codes.Code
	http int
	say  map[Lang]string
}

// sentences are the refusals, parsed. A mistake in one leaves it out, so that
// its code is shown; the tests of this package refuse it.
var sentences = sync.OnceValue(func() map[stock.Code]sentence {
	all := make(map[stock.Code]sentence, len(refusals))
	for code, row := range refusals {
		if s, err := compile(row.say); err == nil {
			all[code] = s
		}
	}
	return all
})

// GRPC returns the status code of a refusal for gRPC clients.
func GRPC(code stock.Code) codes.Code {
	if row, ok := refusals[code]; ok {
		return row.grpc
	}
	return codes.Unknown
}

// HTTP returns the status of a refusal for HTTP clients.
func HTTP(code stock.Code) int {
	if row, ok := refusals[code]; ok {
		return row.http
	}
	return 500
}

// Refusal words a refusal for the person in front of the screen. Times in it
// are given with their date, in the zone of this process; see RefusalAt.
func Refusal(lang Lang, r *stock.Refusal) string {
	return refusal(lang, r, func(t time.Time) string {
		return Date(lang, t.Local()) + calendars[known(lang)].dayTime + Time(lang, t.Local())
	})
}

// RefusalAt is Refusal with times as people say them at now, in now's zone.
func RefusalAt(lang Lang, r *stock.Refusal, now time.Time) string {
	return refusal(lang, r, func(t time.Time) string { return When(lang, t, now) })
}

func refusal(lang Lang, r *stock.Refusal, moment func(time.Time) string) string {
	s, ok := sentences()[r.Code]
	if !ok {
		return T(lang, "refusal.unknown", "code", r.Code)
	}
	values := make(map[string]string, len(r.Args))
	for name, value := range r.Args {
		if name, value, ok = wordArg(lang, name, value, moment); ok {
			values[name] = value
		}
	}
	said, _ := s.in(lang).say(lang, values)
	return said
}

// wordArg turns an argument into words. Arguments that name a choice of the
// program's are left out where no word for the choice is known: a person is
// better served by a shorter sentence than by a constant's name.
func wordArg(lang Lang, name, value string, moment func(time.Time) string) (string, string, bool) {
	switch name {
	case "at", "since", "until":
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return name, value, value != ""
		}
		return name, moment(t), true
	case "after_ms":
		ms, err := strconv.ParseInt(value, 10, 32)
		return "wait", Span(lang, time.Duration(ms)*time.Millisecond), err == nil
	case "state", "kind", "what", "step":
		key := fmt.Sprintf("refusal.%s.%s", name, slug(value))
		return name, T(lang, key), Has(key)
	}
	return name, value, value != ""
}

// slug is the key form of a choice: "Paper out" and "PAPER_OUT" are paper_out.
func slug(value string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(value))
}
