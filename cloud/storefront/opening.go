package storefront

import (
	"strconv"
	"strings"
	"time"

	"holdfast.dev/stock/words"
)

// hours are one opening on one day, in minutes after midnight.
type hours struct{ from, to int }

// weekdays are the days as opening times name them, in time.Weekday's order.
var weekdays = []string{"Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"}

// spell is one part of opening times: "Mo-Fr 08:00-20:00".
type spell struct {
	first, last int // of weekdays
	hours
}

// parseOpening reads "Mo-Fr 08:00-20:00; Sa 09:00-18:00". What it does not
// understand is not worded, but shown as it is.
func parseOpening(text string) ([]spell, bool) {
	var all []spell
	for part := range strings.SplitSeq(text, ";") {
		days, clock, ok := strings.Cut(strings.TrimSpace(part), " ")
		first, last, several := strings.Cut(days, "-")
		if !several {
			last = first
		}
		s := spell{first: dayOf(first), last: dayOf(last)}
		from, to, span := strings.Cut(clock, "-")
		s.from, s.to = minutes(from), minutes(to)
		if !ok || !span || s.first < 0 || s.last < 0 || s.from < 0 || s.to <= s.from {
			return nil, false
		}
		all = append(all, s)
	}
	return all, true
}

func dayOf(name string) int {
	for i, d := range weekdays {
		if d == name {
			return i
		}
	}
	return -1
}

// minutes reads "08:30"; -1 when it is no time of day.
func minutes(clock string) int {
	h, m, ok := strings.Cut(strings.TrimSpace(clock), ":")
	hour, errH := strconv.Atoi(h)
	minute, errM := strconv.Atoi(m)
	if !ok || errH != nil || errM != nil || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > 24*60 {
		return -1
	}
	return hour*60 + minute
}

// on tells whether the spell covers a day; a week goes round.
func (s spell) on(day int) bool {
	if s.first <= s.last {
		return s.first <= day && day <= s.last
	}
	return day >= s.first || day <= s.last
}

// Opening words opening times, a line for each part.
func (v view) Opening(text string) []string {
	all, ok := parseOpening(text)
	if !ok {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	lines := make([]string, len(all))
	for i, s := range all {
		days := v.T("day." + strings.ToLower(weekdays[s.first]))
		if s.first != s.last {
			days += "–" + v.T("day."+strings.ToLower(weekdays[s.last]))
		}
		lines[i] = days + " " + v.clock(s.from) + "–" + v.clock(s.to)
	}
	return lines
}

func (v view) clock(minute int) string {
	return words.Time(v.Lang, time.Date(2000, 1, 1, 0, minute, 0, 0, time.UTC))
}

// OpenNow words whether a store is open, and until or from when; nothing when
// its opening times are not understood.
func (v view) OpenNow(text, zoneName string) string {
	all, ok := parseOpening(text)
	if !ok || zoneName == "" {
		return ""
	}
	now := v.Now.In(zone(zoneName))
	minute := now.Hour()*60 + now.Minute()
	for ahead := range 8 {
		date := now.AddDate(0, 0, ahead)
		opens := -1
		for _, s := range all {
			switch {
			case !s.on(int(date.Weekday())):
			case ahead == 0 && s.from <= minute && minute < s.to:
				return v.T("open.until", "time", v.clock(s.to))
			case (ahead > 0 || s.from > minute) && (opens < 0 || s.from < opens):
				opens = s.from
			}
		}
		if opens >= 0 {
			at := time.Date(date.Year(), date.Month(), date.Day(), 0, opens, 0, 0, now.Location())
			return v.T("open.from", "time", words.When(v.Lang, at, now))
		}
	}
	return ""
}
