package process

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// Notify tells systemd something, such as "READY=1". Without systemd it does
// nothing.
func Notify(state string) error {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", socket) // a leading @ is the abstract namespace
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// Systemd is the part that says "ready" when it starts and "stopping" when it
// stops, so it goes last in Run. In between it feeds the watchdog while alive
// returns nil; when it does not for too long, systemd restarts the program.
func Systemd(log *slog.Logger, alive func(context.Context) error) Part {
	return Part{Name: "systemd", Run: func(ctx context.Context) error {
		tell(log, "READY=1")
		defer tell(log, "STOPPING=1")
		every := watchdogInterval()
		if every == 0 {
			<-ctx.Done()
			return nil
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			if err := answer(ctx, alive, every); err != nil {
				log.Error("not alive, watchdog not fed", "err", err)
			} else {
				tell(log, "WATCHDOG=1")
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}}
}

func tell(log *slog.Logger, state string) {
	if err := Notify(state); err != nil {
		log.Warn("systemd does not listen", "err", err)
	}
}

// watchdogInterval is half of what systemd asks for; zero if it asks nothing.
func watchdogInterval() time.Duration {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	return time.Duration(usec) * time.Microsecond / 2
}
