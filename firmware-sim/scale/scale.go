// Package scale is the firmware of a checkout scale with its platform: the 8217
// protocol or Dialog 06, on a pseudo terminal or a TCP port. It shares no code
// with the driver, so that the two do not agree on a mistake.
package scale

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"holdfast.dev/firmware-sim/wire"
)

// Protocols.
const (
	Toledo   = "8217"
	Dialog06 = "dialog06"
)

// Options say what scale it is and where it is plugged in.
type Options struct {
	wire.Options
	Protocol string // Toledo, which is the default, or Dialog06
}

// State is what a bystander sees.
type State struct {
	On        bool
	Load      int // grams that lie there
	Shown     int // grams on its display
	Moving    bool
	Over      bool
	Under     bool
	Zeroed    bool
	UnitPrice int // minor units, of a scale that computes
	Unknown   int // commands received that no manual names
}

// Scale is a scale that is switched on.
type Scale struct {
	Cable    *wire.Cable
	protocol string
	machine  wire.Machine
	platform *platform
}

// Start switches a scale on and plugs it in.
func Start(o Options) (*Scale, error) {
	s, err := newScale(o.Protocol)
	if err != nil {
		return nil, err
	}
	if s.Cable, err = wire.Start(o.Options, s.machine); err != nil {
		return nil, err
	}
	return s, nil
}

// On switches a scale on at the other end of a connection.
func On(conn io.ReadWriteCloser, protocol string) (*Scale, error) {
	s, err := newScale(protocol)
	if err != nil {
		return nil, err
	}
	s.Cable = wire.Attach(conn, s.machine)
	return s, nil
}

func newScale(protocol string) (*Scale, error) {
	s := &Scale{protocol: protocol}
	switch protocol {
	case "", Toledo:
		m := &toledo{}
		s.protocol, s.machine, s.platform = Toledo, m, &m.platform
	case Dialog06:
		m := &dialog06{}
		s.machine, s.platform = m, &m.platform
	default:
		return nil, fmt.Errorf("scale protocol %q: want %s or %s", protocol, Toledo, Dialog06)
	}
	s.platform.switched = true
	s.platform.zero(false)
	return s, nil
}

// Put replaces what lies on the platform. Below zero, the platform was taken off.
func (s *Scale) Put(grams int) {
	s.Cable.Do(func(now time.Time) { s.platform.put(grams, now) })
}

// Shake keeps the load from coming to rest, or lets it.
func (s *Scale) Shake(shake bool) {
	s.Cable.Do(func(now time.Time) {
		s.platform.shaken = shake
		s.platform.rest = now.Add(settles)
		s.platform.moved = true
	})
}

// Zero presses the button that takes the load for zero.
func (s *Scale) Zero() {
	s.Cable.Do(func(now time.Time) { s.platform.zero(!s.platform.moving(now)) })
}

// SetPower switches the scale off or on. One that is switched on with a load
// must be emptied before it weighs.
func (s *Scale) SetPower(on bool) {
	s.Cable.Do(func(now time.Time) {
		p := s.platform
		*p = platform{load: p.load, shaken: p.shaken, switched: on, rest: now.Add(settles), moved: true}
		p.zero(false)
		if d, ok := s.machine.(*dialog06); ok {
			d.price, d.error, d.open = 0, "", false
		}
	})
}

// State is the scale's state at this moment.
func (s *Scale) State() State {
	var got State
	s.Cable.Do(func(now time.Time) {
		p := s.platform
		got = State{On: p.switched, Load: p.load, Shown: p.gross() - p.tare, Moving: p.moving(now),
			Over: p.over(), Under: p.under(), Zeroed: p.zeroed}
		switch m := s.machine.(type) {
		case *toledo:
			got.Unknown = m.unknown
		case *dialog06:
			got.UnitPrice, got.Unknown = m.price, m.unknown
		}
	})
	return got
}

// Close takes the scale away.
func (s *Scale) Close() error { return s.Cable.Close() }

// Panel is the scale's page.
func (s *Scale) Panel() wire.Panel {
	return wire.Panel{
		Title: "Scale, " + s.protocol, Cable: s.Cable, View: s.view,
		Do: map[string]func(url.Values) error{
			"put": func(f url.Values) error {
				grams, err := wire.Number(f, "grams", 0)
				if err == nil {
					s.Put(grams)
				}
				return err
			},
			"shake": func(f url.Values) error { s.Shake(f.Get("on") == "true"); return nil },
			"zero":  func(url.Values) error { s.Zero(); return nil },
			"power": func(f url.Values) error { s.SetPower(f.Get("on") == "true"); return nil },
		},
	}
}

func (s *Scale) view() wire.View {
	now := s.State()
	shown := fmt.Sprintf("%d.%03d kg", now.Shown/1000, max(0, now.Shown)%1000)
	switch {
	case !now.On:
		shown = "dark"
	case !now.Zeroed:
		shown = "wants to be emptied"
	case now.Over:
		shown = "‾‾‾‾‾"
	case now.Under:
		shown = "_____"
	}
	facts := []wire.Fact{
		{Name: "display", Value: shown, Bad: !now.On || now.Over || now.Under || !now.Zeroed},
		{Name: "load", Value: fmt.Sprintf("%d g", now.Load)},
		{Name: "moving", Value: fmt.Sprint(now.Moving)},
	}
	if s.protocol == Dialog06 {
		facts = append(facts, wire.Fact{Name: "price of a kilogram", Value: fmt.Sprint(now.UnitPrice)})
	}
	fields := func(name, value string) map[string]string { return map[string]string{name: value} }
	return wire.View{Facts: facts, Actions: []wire.Action{
		{Label: "Put on", Do: "put", Fields: fields("grams", "")},
		{Label: "250 g", Do: "put", Fields: fields("grams", "250")},
		{Label: "1.25 kg", Do: "put", Fields: fields("grams", "1250")},
		{Label: "Too much", Do: "put", Fields: fields("grams", "20000")},
		{Label: "Empty", Do: "put", Fields: fields("grams", "0")},
		{Label: "Shake", Do: "shake", Fields: fields("on", "true")},
		{Label: "Let it rest", Do: "shake", Fields: fields("on", "false")},
		{Label: "Zero", Do: "zero"},
		{Label: "Switch off", Do: "power", Fields: fields("on", "false")},
		{Label: "Switch on", Do: "power", Fields: fields("on", "true")},
	}}
}
