package escpos

import "holdfast.dev/hardware/receipt/session"

// learn takes the answer to DLE EOT question.
func learn(c *session.Condition, question int, b byte, drawer session.Switch) {
	switch question {
	case 1:
		c.Online = b&0x08 == 0
		c.Pin = b&0x04 != 0
		c.DrawerOpen = drawer.Open(c.Pin)
	case 2:
		c.CoverOpen = b&0x04 != 0
		c.Broken = b&0x40 != 0
	case 3:
		c.CutterError = b&0x08 != 0
		c.Broken = b&0x64 != 0
	case 4:
		c.PaperLow = b&0x0c != 0
		c.PaperOut = b&0x60 != 0
	}
}

// adopt takes an automatic status.
func adopt(c *session.Condition, b [4]byte, drawer session.Switch) {
	c.Online = b[0]&0x08 == 0
	c.CoverOpen = b[0]&0x20 != 0
	c.Pin = b[0]&0x04 != 0
	c.DrawerOpen = drawer.Open(c.Pin)
	c.CutterError = b[1]&0x08 != 0
	c.Broken = b[1]&0x64 != 0
	c.PaperLow = b[2]&0x03 != 0
	c.PaperOut = b[2]&0x0c != 0
}
