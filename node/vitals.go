package node

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"holdfast.dev/internal/process"
	"holdfast.dev/node/devices"
	"holdfast.dev/stock"
)

// vitals is how a running node is, for its doctor.
type vitals struct {
	Store   stock.StoreID
	Town    string
	Version string
	Records uint64 // in the journal
	Fault   string // why the journal has stopped; empty: it has not
	Mode    string
	Clock   string
	Link    string // phase of the line to the cloud
	Since   time.Time
	Backlog uint64 // records that the cloud has not acknowledged
	Refused string // why the cloud refused, if it did
	Devices []devices.State
}

// serveVitals tells the doctor how the node is.
func (n *node) serveVitals(w http.ResponseWriter, _ *http.Request) {
	link := n.link.State()
	v := vitals{Store: n.id.Peer().Store, Town: n.info.Town, Version: process.Version(),
		Records: n.journal.Head().Seq, Mode: n.floor.Mode().String(), Clock: n.floor.Clock().String(),
		Link: link.Phase.String(), Since: link.Since, Backlog: link.Backlog, Refused: link.Refused,
		Devices: n.devices.States()}
	if err := n.journal.Err(); err != nil {
		v.Fault = err.Error()
	}
	writeJSON(w, v)
}

// serveSelfTest tests the devices that the node has open, and tells each finding
// as a line of JSON when it is there.
func (n *node) serveSelfTest(w http.ResponseWriter, r *http.Request) {
	wait, err := strconv.Atoi(r.URL.Query().Get("seconds"))
	if err != nil || wait < 1 || wait > maxProofSeconds {
		http.Error(w, "seconds must be 1 to "+strconv.Itoa(maxProofSeconds), http.StatusBadRequest)
		return
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Time{}) // what cannot have a deadline needs none lifted
	w.Header().Set("Content-Type", "application/jsonl")
	out := json.NewEncoder(w)
	t := selfTest{set: n.devices, wait: time.Duration(wait) * time.Second, tell: func(f Finding) {
		_ = out.Encode(f) // a reader that went away ends r's context
		_ = c.Flush()
	}}
	ask := r.URL.Query()
	if ask.Get("devices") != "false" {
		t.run(r.Context())
	}
	if printer := ask.Get("drawer"); printer != "" {
		t.calibrate(r.Context(), printer)
	}
}
