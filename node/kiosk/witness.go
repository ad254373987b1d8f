package kiosk

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
)

// Headers by which tills are witnesses of this store's journal, and its second
// copy. gRPC callers find them in the metadata.
const (
	headerHead    = "Holdfast-Head"    // in every answer: epoch, newest record and its hash
	headerAcked   = "Holdfast-Acked"   // in every answer: the newest record that the cloud has
	headerSeen    = "Holdfast-Seen"    // in a request: the newest head that the caller was told
	headerResend  = "Holdfast-Resend"  // in an answer: send again what you keep
	headerRequest = "Holdfast-Request" // from our own pages: the id of the request
	headerKeep    = "Holdfast-Keep"    // to our own pages: how to send that request again
)

// seenText writes a head as the headers carry it: "1.3/120/0f3a…".
func seenText(s shopfloor.Seen) string { return fmt.Sprintf("%s/%d/%s", s.Epoch, s.Seq, s.Hash) }

// parseSeen reads what seenText wrote; nothing is nothing seen.
func parseSeen(text string) (s shopfloor.Seen, err error) {
	if text == "" {
		return s, nil
	}
	bad := badRequest(headerSeen, "%.80q", text)
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return s, bad
	}
	hash, err := hex.DecodeString(parts[2])
	if err != nil || len(hash) != len(s.Hash) {
		return s, bad
	}
	copy(s.Hash[:], hash)
	if s.Epoch, err = parseEpoch(parts[0]); err != nil {
		return s, bad
	}
	if s.Seq, err = strconv.ParseUint(parts[1], 10, 63); err != nil {
		return s, bad
	}
	return s, nil
}

// parseEpoch reads an epoch such as "1.3".
func parseEpoch(text string) (stock.Epoch, error) {
	timeline, counter, _ := strings.Cut(text, ".")
	t, errT := strconv.ParseUint(timeline, 10, 32)
	c, errC := strconv.ParseUint(counter, 10, 32)
	if errT != nil || errC != nil {
		return stock.Epoch{}, badRequest("epoch", "%.40q", text)
	}
	return stock.Epoch{Timeline: stock.Timeline(t), Counter: uint32(c)}, nil
}

// refusedKey finds why a request must not be served, which each kind of caller
// is told in its own way.
type refusedKey struct{}

// refusedBefore returns why a request was refused before anybody looked at it.
func refusedBefore(ctx context.Context) error {
	err, _ := ctx.Value(refusedKey{}).(error)
	return err
}

// witnessed lets callers be witnesses: it compares what they have seen with
// this store's journal, and tells them what to see next.
func (k *Kiosk) witnessed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		seen, err := parseSeen(r.Header.Get(headerSeen))
		resend := false
		if err == nil {
			resend, err = k.o.Floor.Witness(ctx, seen)
		}
		if err != nil {
			r = r.WithContext(context.WithValue(ctx, refusedKey{}, err))
		}
		next.ServeHTTP(&answering{ResponseWriter: w, begin: func(status int, h http.Header) {
			h.Set(headerHead, seenText(k.o.Floor.Seen()))
			h.Set(headerAcked, strconv.FormatUint(k.o.Floor.Acknowledged(), 10))
			if resend {
				h.Set(headerResend, "true")
			}
			if id, err := parseID(r.Header.Get(headerRequest)); err == nil && status/100 == 2 {
				k.tellKeep(context.WithoutCancel(ctx), id, h)
			}
		}}, r)
	})
}

// answering calls begin once, before the first byte of an answer: what it says
// of the journal is then true of the answer's own record too.
type answering struct {
	http.ResponseWriter
	begin func(status int, h http.Header)
	begun bool
}

func (a *answering) start(status int) {
	if !a.begun {
		a.begun = true
		a.begin(status, a.Header())
	}
}

// WriteHeader begins the answer.
func (a *answering) WriteHeader(status int) {
	a.start(status)
	a.ResponseWriter.WriteHeader(status)
}

// Write writes a piece of the answer.
func (a *answering) Write(p []byte) (int, error) {
	a.start(http.StatusOK)
	return a.ResponseWriter.Write(p)
}

// Flush sends what was written.
func (a *answering) Flush() {
	a.start(http.StatusOK)
	_ = http.NewResponseController(a.ResponseWriter).Flush() // else it is sent at the end
}

// Unwrap is for http.ResponseController.
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// repeat is a request of the API that does once more what a page did.
type repeat struct {
	Path string          `json:"path"`
	Body json.RawMessage `json:"body"`
}

// tellKeep tells a page how to send its request again, should this store lose
// it. A page that is not told keeps nothing, so trouble is only logged.
func (k *Kiosk) tellKeep(ctx context.Context, id shopfloor.ID, h http.Header) {
	e, known, err := k.o.Journal.Find(ctx, id)
	if err != nil || !known {
		return
	}
	var rec recordv1.Record
	if err := proto.Unmarshal(e.Data, &rec); err != nil {
		k.log.Error("decode record to keep", "seq", e.Seq, "err", err)
		return
	}
	path, body, err := k.repeatOf(ctx, idString(id), &rec)
	if err != nil || body == nil {
		return
	}
	small, err := protojson.Marshal(body)
	if err != nil {
		return
	}
	raw, err := json.Marshal(repeat{path, small})
	if err == nil {
		h.Set(headerKeep, url.PathEscape(string(raw)))
	}
}

func reservationIn(rec *recordv1.Record) (id shopfloor.ID) {
	copy(id[:], books.ReservationIn(rec))
	return id
}
