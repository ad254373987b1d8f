package kiosk

import (
	"context"
	"strings"
	"sync"
	"unicode"

	"holdfast.dev/hardware/display"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock/words"
)

// showDisplays keeps the customers' displays true until ctx ends.
func (k *Kiosk) showDisplays(ctx context.Context) error {
	var all sync.WaitGroup
	for _, s := range k.o.Stations {
		if s.Display != "" {
			all.Go(func() { k.keepShowing(ctx, s) })
		}
	}
	all.Wait()
	return nil
}

// keepShowing shows what a station's customer should read after every event.
// One that fell behind is cut off and follows anew.
func (k *Kiosk) keepShowing(ctx context.Context, s Station) {
	for ctx.Err() == nil {
		events, leave := k.events.subscribe(s.Name)
		k.showCustomer(ctx, s)
		for open := true; open; {
			select {
			case <-ctx.Done():
				leave()
				return
			case e, more := <-events:
				open = more
				if kind := e.GetKind(); kind == "answer" || kind == "station" {
					k.showCustomer(ctx, s)
				}
			}
		}
		leave()
	}
}

func (k *Kiosk) showCustomer(ctx context.Context, s Station) {
	st, err := k.o.Floor.Station(ctx, s.Name)
	if err != nil {
		if ctx.Err() == nil {
			k.log.Error("customer display", "device", s.Display, "err", err)
		}
		return
	}
	top, bottom := k.customerLines(st)
	k.o.Devices.Show(s.Display, top, bottom)
}

// customerLines are the last line and the total while a basket is open, and a
// greeting else.
func (k *Kiosk) customerLines(st shopfloor.Station) (top, bottom string) {
	lang := k.o.Info.Language
	if st.Mode != shopfloor.Selling || len(st.Lines) == 0 {
		return centred(k.o.Info.Name), centred(words.T(lang, "devices.show.hello"))
	}
	last := st.Lines[len(st.Lines)-1]
	total, _ := st.Total()
	return display.Pair(catalogue.Name(last.Product, string(lang)), k.bareAmount(last.Line.GetTotalMinor())),
		display.Pair(words.T(lang, "devices.show.total"), k.bareAmount(total))
}

// bareAmount is an amount without its currency, which displays lack signs for.
func (k *Kiosk) bareAmount(minor int64) string {
	money := words.Money(k.o.Info.Language, minor, k.o.Info.Currency)
	sign := ""
	if minor < 0 {
		sign = "-"
	}
	return sign + strings.TrimFunc(money, func(r rune) bool { return !unicode.IsDigit(r) })
}

func centred(text string) string {
	runes := []rune(text)
	runes = runes[:min(len(runes), display.Columns)]
	return strings.Repeat(" ", (display.Columns-len(runes))/2) + string(runes)
}
