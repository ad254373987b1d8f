// Package star prints receipts on Star printers in StarPRNT or Star Line mode
// and says how much of that is certain.
package star

import (
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/receipt/session"
)

// New makes a driver of a printer on port, which Run will close. It prints jobs
// of Encode.
func New(port hardware.Port, profile Profile) *session.Printer {
	return session.New(port, newDialect(profile), profile)
}
