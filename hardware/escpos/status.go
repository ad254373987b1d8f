package escpos

import (
	"errors"

	"holdfast.dev/hardware"
)

// What keeps a printer from printing.
var (
	ErrOffline  = errors.New("printer offline")
	ErrPaperOut = errors.New("paper out")
	ErrCover    = errors.New("cover open")
	ErrCutter   = errors.New("cutter blocked")
	ErrBroken   = errors.New("printer error")
)

// condition is what the printer last said, bit by bit.
type condition struct {
	hardware.PrinterStatus
	broken bool // an error that is neither paper nor cover nor cutter
}

// questions are the n of DLE EOT n, in the order in which they are asked.
const questions = "\x01\x02\x03\x04"

// learn takes the answer to DLE EOT question.
func (c *condition) learn(question, b byte, drawerLow bool) {
	switch question {
	case 1:
		c.Online = b&0x08 == 0
		c.DrawerOpen = (b&0x04 != 0) != drawerLow
	case 2:
		c.CoverOpen = b&0x04 != 0
		c.broken = b&0x40 != 0
	case 3:
		c.CutterError = b&0x08 != 0
		c.broken = b&0x64 != 0
	case 4:
		c.PaperLow = b&0x0c != 0
		c.PaperOut = b&0x60 != 0
	}
}

// adopt takes an automatic status.
func (c *condition) adopt(b [4]byte, drawerLow bool) {
	c.Online = b[0]&0x08 == 0
	c.CoverOpen = b[0]&0x20 != 0
	c.DrawerOpen = (b[0]&0x04 != 0) != drawerLow
	c.CutterError = b[1]&0x08 != 0
	c.broken = b[1]&0x64 != 0
	c.PaperLow = b[2]&0x03 != 0
	c.PaperOut = b[2]&0x0c != 0
}

// fault names the cause that a person can remove, or nil if the printer is ready.
func (c *condition) fault() error {
	switch {
	case c.CoverOpen:
		return ErrCover
	case c.PaperOut:
		return ErrPaperOut
	case c.CutterError:
		return ErrCutter
	case c.broken:
		return ErrBroken
	case !c.Online:
		return ErrOffline
	}
	return nil
}
