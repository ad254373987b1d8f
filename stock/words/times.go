package words

import (
	"strconv"
	"time"
)

// calendar holds a language's names of days and what stands between the parts
// of a date.
type calendar struct {
	months    [12]string
	weekdays  [7]string // from Sunday
	date      string    // between day and month
	dayTime   string    // between a day and a time of day
	clock     string    // layout of a time of day
	now       string
	yesterday string
	tomorrow  string
}

var calendars = map[Lang]calendar{
	NL: {
		months: [12]string{"januari", "februari", "maart", "april", "mei", "juni", "juli",
			"augustus", "september", "oktober", "november", "december"},
		weekdays: [7]string{"zondag", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag",
			"zaterdag"},
		date: " ", dayTime: " ", clock: "15:04",
		now: "zojuist", yesterday: "gisteren", tomorrow: "morgen",
	},
	DA: {
		months: [12]string{"januar", "februar", "marts", "april", "maj", "juni", "juli",
			"august", "september", "oktober", "november", "december"},
		weekdays: [7]string{"søndag", "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag"},
		date:     ". ", dayTime: " kl. ", clock: "15.04",
		now: "lige nu", yesterday: "i går", tomorrow: "i morgen",
	},
	DE: {
		months: [12]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli",
			"August", "September", "Oktober", "November", "Dezember"},
		weekdays: [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag",
			"Samstag"},
		date: ". ", dayTime: " ", clock: "15:04",
		now: "gerade eben", yesterday: "gestern", tomorrow: "morgen",
	},
	EN: {
		months: [12]string{"January", "February", "March", "April", "May", "June", "July",
			"August", "September", "October", "November", "December"},
		weekdays: [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
			"Saturday"},
		date: " ", dayTime: " ", clock: "15:04",
		now: "just now", yesterday: "yesterday", tomorrow: "tomorrow",
	},
}

// Date words a day in t's zone: "20 November 2025".
func Date(lang Lang, t time.Time) string {
	return dayMonth(lang, t) + " " + strconv.Itoa(t.Year())
}

// Time words a time of day in t's zone: "14:02".
func Time(lang Lang, t time.Time) string { return t.Format(calendars[known(lang)].clock) }

// When words a moment as people say it at now, in now's zone: "just now",
// "14:02", "yesterday 18:00", "Thursday 18:00" within a week, else with the date.
func When(lang Lang, t, now time.Time) string {
	c := calendars[known(lang)]
	t = t.In(now.Location())
	if age := now.Sub(t); age > -time.Second && age < time.Minute {
		return c.now
	}
	clock := t.Format(c.clock)
	switch days := dayNumber(t) - dayNumber(now); {
	case days == 0:
		return clock
	case days == -1:
		return c.yesterday + c.dayTime + clock
	case days == 1:
		return c.tomorrow + c.dayTime + clock
	case -7 < days && days < 7:
		return c.weekdays[t.Weekday()] + c.dayTime + clock
	case t.Year() == now.Year():
		return dayMonth(lang, t) + c.dayTime + clock
	}
	return Date(lang, t) + c.dayTime + clock
}

// Span words a length of time, rounded up to its largest unit: "5 seconds".
func Span(lang Lang, d time.Duration) string {
	seconds := (d + time.Second - 1) / time.Second
	switch {
	case seconds < 60:
		return T(lang, "common.span.seconds", "n", max(int64(seconds), 1))
	case seconds < 60*60:
		return T(lang, "common.span.minutes", "n", int64(seconds+59)/60)
	}
	return T(lang, "common.span.hours", "n", int64(seconds+3599)/3600)
}

func dayMonth(lang Lang, t time.Time) string {
	c := calendars[known(lang)]
	return strconv.Itoa(t.Day()) + c.date + c.months[t.Month()-1]
}

// dayNumber counts calendar days, so that a day with a change to summer time
// counts as one.
func dayNumber(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
}
