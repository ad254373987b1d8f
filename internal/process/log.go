package process

import (
	"io"
	"log/slog"
)

// LogOptions chooses how a program logs; embed it with prefix:"log-".
type LogOptions struct {
	Level  slog.Level `default:"info" help:"Log lines of this level and above: debug, info, warn, error." placeholder:"LEVEL"`
	Format string     `default:"text" enum:"text,json" help:"Form of the log lines: text or json."`
}

// Logger returns a logger that writes to w.
func (o LogOptions) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: o.Level}
	if o.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
