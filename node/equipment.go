package node

import (
	"errors"
	"fmt"

	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk"
	"holdfast.dev/stock/gtin"
)

// Measure is how one range of in-store numbers with a weight or a price in them
// is laid out, as gtin.ParseRule reads it.
type Measure struct {
	Mask     string `toml:"mask"`     // "23.....{NNNDD}"
	Measure  string `toml:"measure"`  // weight, price or count
	Currency string `toml:"currency"` // of a price; empty: the shop's own
}

// decoder reads symbols by the store's own rules, and then by those of its
// country. Without either it reads them as a shop that labels by weight.
func decoder(country string, own []Measure) (d gtin.Decoder, err error) {
	var wrong []error
	for _, m := range own {
		rule, err := gtin.ParseRule(m.Mask, m.Measure, m.Currency)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("measure %q: %w", m.Mask, err))
			continue
		}
		d.Rules = append(d.Rules, rule)
	}
	if country != "" {
		rules, ok := gtin.Country(country)
		if !ok {
			wrong = append(wrong, fmt.Errorf("country %q has no rules for weighed goods; leave it out", country))
		}
		d.Rules = append(d.Rules, rules...)
	}
	return d, errors.Join(wrong...)
}

// checkStations finds stations with devices that are not there, or are
// something else.
func checkStations(all []kiosk.Station, list []devices.Config) error {
	kinds := make(map[string]devices.Kind, len(list))
	for _, d := range list {
		kinds[d.Name] = d.Kind
	}
	var wrong []error
	for _, s := range all {
		for _, use := range []struct {
			name string
			kind devices.Kind
		}{{s.Scanner, devices.Scanner}, {s.Printer, devices.Printer}, {s.Display, devices.Display},
			{s.Scale, devices.Scale}, {s.Labels, devices.LabelPrinter}} {
			if use.name != "" && kinds[use.name] != use.kind {
				wrong = append(wrong, fmt.Errorf("station %q: no %s is called %q", s.Name, use.kind, use.name))
			}
		}
		if s.Drawer < 0 || s.Drawer > 2 || s.Drawer > 0 && s.Printer == "" {
			wrong = append(wrong, fmt.Errorf("station %q: drawer %d: 1 or 2 on its own printer", s.Name, s.Drawer))
		}
		if s.BagLabels && s.Labels == "" {
			wrong = append(wrong, fmt.Errorf("station %q: bag-labels needs a label printer", s.Name))
		}
	}
	return errors.Join(wrong...)
}
