package kiosk

import (
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	storev1 "holdfast.dev/proto/store/v1"
)

// eventQueue is how many events one reader may be behind. A reader that falls
// further behind is cut off: it comes back and reads everything afresh.
const eventQueue = 256

// hub hands every event to every reader without waiting for any of them.
type hub struct {
	mu      sync.Mutex
	readers map[chan *storev1.Event]string // guarded by mu; the station it follows, or ""
}

func newHub() *hub { return &hub{readers: make(map[chan *storev1.Event]string)} }

// subscribe returns what happens from now on at a station and in the store, or
// everywhere when station is empty. The channel is closed by leave, or when the
// reader is too slow.
func (h *hub) subscribe(station string) (events <-chan *storev1.Event, leave func()) {
	c := make(chan *storev1.Event, eventQueue)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers[c] = station
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(c)
	}
}

// drop needs mu.
func (h *hub) drop(c chan *storev1.Event) {
	if _, here := h.readers[c]; here {
		delete(h.readers, c)
		close(c)
	}
}

func (h *hub) publish(e *storev1.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, station := range h.readers {
		if e.GetStation() != "" && station != "" && e.GetStation() != station {
			continue
		}
		select {
		case c <- e:
		default:
			h.drop(c)
		}
	}
}

func event(kind, station, id string) *storev1.Event {
	return &storev1.Event{Kind: kind, Station: station, Id: id, At: timestamppb.New(time.Now())}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
