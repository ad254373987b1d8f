// Package blueprint is a driver to copy: a lamp on a serial line that shows a
// colour and says which.
package blueprint

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/exchange"
)

// The lamp's protocol, as its manual names it: 9600 baud, 8N1.
const (
	show   = "L"                    // L colour CR; answered by K colour CR
	answer = "K"                    // OK, with the colour that is lit
	end    = "\r"                   // of a question and of an answer
	limit  = 200 * time.Millisecond // the lamp answers within 50 ms
)

// Lamp is the driver. Everything that it does is a question with an answer.
type Lamp struct{ line *exchange.Line }

// New makes a driver of a lamp on a port that is open. It serves one Run, which
// closes the port.
func New(port hardware.Port) *Lamp { return &Lamp{line: exchange.New(port, 0)} }

// Run reads the port until ctx ends (nil) or the port fails (a fault). It never
// reconnects: whoever opened the port opens another and makes another driver. A
// driver that watches its device does so in the function that is nil here.
func (l *Lamp) Run(ctx context.Context) error { return l.line.Run(ctx, nil) }

// Show lights a colour, 0 to 9. It returns nil when the lamp said that the colour
// is lit; any error means that nobody knows.
func (l *Lamp) Show(ctx context.Context, colour int) error {
	if colour < 0 || colour > 9 {
		return fmt.Errorf("colour %d: want 0 to 9", colour)
	}
	digit := string(rune('0' + colour))
	_, err := l.line.Ask(ctx, []byte(show+digit+end), limit, func(heard []byte) bool {
		lit, found := parse(heard)
		return found && lit == colour
	})
	if err != nil {
		return fmt.Errorf("show colour %d: %w", colour, err)
	}
	return nil
}

// parse finds the last whole answer in what was heard, whatever stands around it.
func parse(heard []byte) (colour int, found bool) {
	at := bytes.LastIndex(heard, []byte(end))
	if at < 2 || string(heard[at-2]) != answer || heard[at-1] < '0' || heard[at-1] > '9' {
		return 0, false
	}
	return int(heard[at-1] - '0'), true
}
