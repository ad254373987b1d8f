package printer

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

// UnplugAfter pulls the cable by itself when so many more bytes came in.
func (p *Printer) UnplugAfter(bytes int) {
	p.order(func() { p.unplugAfter = bytes })
}

// Close takes the printer away, with its link. Receipts stay.
func (p *Printer) Close() error {
	p.once.Do(func() { close(p.quit) })
	<-p.stopped
	return nil
}
