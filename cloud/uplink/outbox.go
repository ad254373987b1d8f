package uplink

import (
	"sync"

	"holdfast.dev/proto/uplink/v1"
)

// maxOutgoing is how many frames may wait to be sent; more is a node that does
// not read.
const maxOutgoing = 4096

// outbox holds the frames that wait to be sent. A session that has nothing to
// say, as most have at most times, costs no goroutine and no room.
type outbox struct {
	send func(*uplinkv1.CloudFrame) error

	mu      sync.Mutex
	waiting []*uplinkv1.CloudFrame // guarded by mu
	sending chan struct{}          // guarded by mu: closed when all are sent; nil: nothing waits
	broken  bool                   // guarded by mu: nothing can be sent any more
}

// put lets a frame wait, and sees to it that it is sent. It is false if too
// many wait.
func (o *outbox) put(f *uplinkv1.CloudFrame) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken {
		return true // the stream's end is on its way
	}
	if len(o.waiting) >= maxOutgoing {
		return false
	}
	o.waiting = append(o.waiting, f)
	if o.sending == nil {
		o.sending = make(chan struct{})
		go o.empty()
	}
	return true
}

// empty sends until nothing waits.
func (o *outbox) empty() {
	for {
		o.mu.Lock()
		if len(o.waiting) == 0 || o.broken {
			o.waiting = nil
			close(o.sending)
			o.sending = nil
			o.mu.Unlock()
			return
		}
		batch := o.waiting
		o.waiting = nil
		o.mu.Unlock()
		for _, f := range batch {
			if o.send(f) != nil { // who receives learns it too
				o.mu.Lock()
				o.broken = true
				o.mu.Unlock()
				break
			}
		}
	}
}

// idle returns a channel that is closed once nothing waits.
func (o *outbox) idle() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sending != nil {
		return o.sending
	}
	now := make(chan struct{})
	close(now)
	return now
}
