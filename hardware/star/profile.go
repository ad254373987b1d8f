package star

import (
	"embed"

	"holdfast.dev/hardware/receipt/session"
)

// Profile says what a model can do.
type Profile = session.Profile

// Languages; they differ in how pictures are sent.
const (
	PRNT = "starprnt"
	Line = "star-line"
)

// Fences, the best first.
const (
	ByGroup   session.Fence = "group"   // answers ESC GS ETX, and only to the one who asked
	ByCounter session.Fence = "counter" // counts ETB in its status
)

var known = session.Known{Usual: "starprnt", Languages: []string{PRNT, Line},
	Fences: []session.Fence{ByGroup, ByCounter}}

//go:embed profiles
var profileFiles embed.FS

// Profiles are the models that were thought of; look them up by Name. The first
// is the usual one.
var Profiles = session.MustLoad(profileFiles, known)
