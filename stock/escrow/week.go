package escrow

import "holdfast.dev/stock"

// Times in this file and its neighbours are the store's own wall clock in
// milliseconds: Unix time plus the offset of its zone. A wrong clock makes
// shares worse, never wrong.
const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	weekHours = 168
	week      = weekHours * hour
)

// milli is what one unit counts in sums that lose a part every day.
const milli = 1000

// Every day, what was seen before loses one part in fifty.
const (
	lostPart = 50
	// maxDecays is how many days may matter at all.
	maxDecays = 400
)

// decayed is n after some days.
func decayed(n, days int64) int64 {
	if days > maxDecays {
		return 0
	}
	for ; days > 0 && n > 0; days-- {
		n -= (n + lostPart - 1) / lostPart
	}
	return n
}

// Week is what a store learns about when its customers, or its shoppers, come:
// units by the hour of the week, all products together. The zero value is a
// store that has seen nobody.
type Week struct {
	Units [weekHours]int64 // thousandths
	Day   int64            // since 1970, that Units were brought up to
}

// Add counts n units that were asked for at a time.
func (w *Week) Add(at int64, n stock.Units) {
	if today := at / day; today > w.Day {
		for h := range w.Units {
			w.Units[h] = decayed(w.Units[h], today-w.Day)
		}
		w.Day = today
	}
	h := hourOf(at)
	w.Units[h] = min(w.Units[h]+thousandths(n), mostSum/weekHours)
}

func hourOf(at int64) int64 { return (at%week + week) % week / hour }

// Hours says how busy each hour of the week is: time that is stretched when
// the store is busy and shrunk when it is closed, 168 hours a week in all.
type Hours struct {
	upTo [weekHours + 1]int64 // busy time since the week began, up to each hour
}

// doubt is the units that each hour is taken to have seen before any was.
const doubt = 1 * milli

// Hours gives the busy time by what was learned.
func (w Week) Hours() *Hours {
	all := int64(doubt * weekHours)
	for _, n := range w.Units {
		all += n
	}
	h, sum := &Hours{}, int64(0)
	for i, n := range w.Units {
		sum += n + doubt
		h.upTo[i+1] = int64(float64(sum) / float64(all) * float64(week))
	}
	h.upTo[weekHours] = week
	return h
}

// Between is the busy time from one time to another.
func (h *Hours) Between(from, to int64) int64 {
	if to <= from {
		return 0
	}
	return h.since(to) - h.since(from)
}

// since is the busy time since 1970.
func (h *Hours) since(at int64) int64 {
	i := hourOf(at)
	weeks := (at - (at%week+week)%week) / week
	part := (at%hour + hour) % hour
	return weeks*week + h.upTo[i] + (h.upTo[i+1]-h.upTo[i])*part/hour
}
