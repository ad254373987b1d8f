package escpos

import (
	"embed"

	"holdfast.dev/hardware/receipt/session"
)

// Profile says what a model can do.
type Profile = session.Profile

// Fences, the best first.
const (
	ByID     session.Fence = "process-id" // answers GS ( H after all printing before it
	BySensor session.Fence = "sensor"     // answers GS r in turn with the text; weaker
)

var known = session.Known{Usual: "epson", Fences: []session.Fence{ByID, BySensor}}

//go:embed profiles
var profileFiles embed.FS

// Profiles are the models that were thought of; look them up by Name. The first
// is the usual one.
var Profiles = session.MustLoad(profileFiles, known)
