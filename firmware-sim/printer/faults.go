package printer

import "fmt"

// order runs f in the goroutine that owns the machine and waits for it. After
// Close it does nothing.
func (p *Printer) order(f func()) {
	done := make(chan struct{})
	select {
	case p.orders <- func() { f(); p.work(); close(done) }:
		<-done
	case <-p.stopped:
	}
}

// SetPaperOut takes the paper away, or puts a full roll in.
func (p *Printer) SetPaperOut(out bool) {
	p.order(func() {
		p.machine.paperOut = out
		p.machine.paperLeft = 0
		if !out {
			p.machine.paperLow = false
		}
	})
}

// SetPaperLow covers or frees the near-end sensor.
func (p *Printer) SetPaperLow(low bool) {
	p.order(func() { p.machine.paperLow = low })
}

// SetPaperLeft lets the paper end after so many millimetres more.
func (p *Printer) SetPaperLeft(mm int) {
	p.order(func() { p.machine.paperLeft = mm * perMM })
}

// SetCutterJam blocks the knife or frees it. A cut that met the block stops the
// printer, and is finished when the knife is free.
func (p *Printer) SetCutterJam(jam bool) {
	p.order(func() {
		if jam {
			p.machine.jam = true
			return
		}
		p.machine.unjam()
	})
}

// Tear tears the paper off by hand, where the knife is.
func (p *Printer) Tear() { p.order(p.machine.sever) }

// SetStalled blocks the paper's motor, or frees it.
func (p *Printer) SetStalled(stalled bool) { p.order(func() { p.machine.stalled = stalled }) }

// SetHot makes the head too hot to print, or lets it cool.
func (p *Printer) SetHot(hot bool) { p.order(func() { p.machine.hot = hot }) }

// SetBroken breaks the printer until its power goes off.
func (p *Printer) SetBroken(broken bool) { p.order(func() { p.machine.broken = broken }) }

// SetFeeding holds the feed button, or lets it go.
func (p *Printer) SetFeeding(held bool) { p.order(func() { p.machine.feeding = held }) }

// CloseDrawer pushes the cash drawer in.
func (p *Printer) CloseDrawer() { p.order(func() { p.machine.drawer.open = false }) }

// OpenDrawer opens the cash drawer with its key.
func (p *Printer) OpenDrawer() { p.order(func() { p.machine.drawer.open = true }) }

// SetDrawerStuck locks the cash drawer, or frees it.
func (p *Printer) SetDrawerStuck(stuck bool) { p.order(func() { p.machine.drawer.stuck = stuck }) }

// SetWrongPage makes the printer print page 437 whatever page is selected, as
// one does whose switches are set wrongly.
func (p *Printer) SetWrongPage(wrong bool) { p.order(func() { p.machine.model.WrongPage = wrong }) }

// SetMute makes the printer say nothing, or speak again.
func (p *Printer) SetMute(mute bool) { p.order(func() { p.machine.model.Mute = mute }) }

// SetCover opens or closes the cover; an open printer waits.
func (p *Printer) SetCover(open bool) {
	p.order(func() { p.machine.cover = open })
}

// PowerOff stops the printer and empties its buffer; the paper stays as it is.
func (p *Printer) PowerOff() { p.power(false) }

// PowerOn starts the printer again with the settings of a new one. The error
// says that its place on the line could not be taken again.
func (p *Printer) PowerOn() error { return p.power(true) }

func (p *Printer) power(on bool) (err error) {
	p.order(func() {
		p.setState(func(s *State) { s.On = on })
		p.machine.powerUp()
		err = p.connect()
	})
	return err
}

// Unplug pulls the cable. What the printer has received it still prints.
func (p *Printer) Unplug() { p.cable(false) }

// Plug puts the cable in again. The error says that its place on the line
// could not be taken again.
func (p *Printer) Plug() error { return p.cable(true) }

func (p *Printer) cable(in bool) (err error) {
	p.order(func() {
		p.setState(func(s *State) { s.Plugged = in })
		err = p.connect()
	})
	return err
}

// Fault is something that happens to a printer by itself.
type Fault string

// Faults that can be planned.
const (
	FaultUnplug    Fault = "unplug"     // the cable is pulled
	FaultPowerOff  Fault = "power-off"  // and stays off
	FaultPowerDip  Fault = "power-dip"  // off and on again
	FaultPaperOut  Fault = "paper-out"  // at this place of the data
	FaultCover     Fault = "cover"      // somebody opens it
	FaultCutterJam Fault = "cutter-jam" // at the next cut
	FaultHot       Fault = "hot"        // the head must cool
	FaultBroken    Fault = "broken"     // the printer fails
)

// onByte is a fault that comes with a byte.
type onByte struct {
	bytes int // after the fault before it
	do    func()
}

// After plans a fault for when so many more bytes have come in, behind faults
// that were planned before. Zero bytes takes all plans back.
func (p *Printer) After(bytes int, f Fault) error {
	do, ok := p.faults()[f]
	if !ok {
		return fmt.Errorf("fault %q is not known", f)
	}
	p.order(func() {
		if bytes <= 0 {
			p.planned = nil
			return
		}
		for _, before := range p.planned {
			bytes -= before.bytes
		}
		p.planned = append(p.planned, onByte{max(1, bytes), do})
	})
	return nil
}

// faults are what run does to itself.
func (p *Printer) faults() map[Fault]func() {
	m := p.machine
	return map[Fault]func(){
		FaultUnplug: func() {
			p.setState(func(s *State) { s.Plugged = false })
			p.reconnect()
		},
		FaultPowerOff: func() {
			p.setState(func(s *State) { s.On = false })
			m.powerUp()
			p.reconnect()
		},
		FaultPowerDip: func() {
			p.setState(func(s *State) { s.On = false })
			m.powerUp()
			p.reconnect()
			p.setState(func(s *State) { s.On = true })
			p.reconnect()
		},
		FaultPaperOut:  func() { m.paperOut, m.paperLeft = true, 0 },
		FaultCover:     func() { m.cover = true },
		FaultCutterJam: func() { m.jam = true },
		FaultHot:       func() { m.hot = true },
		FaultBroken:    func() { m.broken = true },
	}
}

// reconnect connects where nobody waits for the answer.
func (p *Printer) reconnect() {
	if err := p.connect(); err != nil {
		p.setState(func(s *State) { s.Fault = err })
	}
}

// UnplugAfter pulls the cable by itself when so many more bytes came in; zero
// takes that back.
func (p *Printer) UnplugAfter(bytes int) {
	p.order(func() { p.planned = nil })
	_ = p.After(bytes, FaultUnplug) // it is known
}

// Close takes the printer away, with its link. Receipts stay.
func (p *Printer) Close() error {
	p.once.Do(func() { close(p.quit) })
	<-p.stopped
	return nil
}
