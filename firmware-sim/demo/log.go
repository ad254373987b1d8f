package demo

import (
	"sync"
	"time"
)

// maxLog is how many entries are remembered.
const maxLog = 200

// Entry is one thing that happened in the room.
type Entry struct {
	At    time.Time
	Store uint32 // zero: not in a store
	Key   string // of the sentence in the texts
	Args  []any  // pairs of a name and a value
}

// Log remembers what happened, for the console.
type Log struct {
	changed func()

	mu      sync.Mutex
	entries []Entry // guarded by mu
}

// Add notes something. Its sentence is the text with this key.
func (l *Log) Add(store uint32, key string, args ...any) {
	l.mu.Lock()
	l.entries = append(l.entries, Entry{At: time.Now(), Store: store, Key: key, Args: args})
	l.entries = l.entries[max(0, len(l.entries)-maxLog):]
	l.mu.Unlock()
	l.changed()
}

// Last returns the newest entries, newest first.
func (l *Log) Last(n int) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := make([]Entry, 0, n)
	for i := len(l.entries) - 1; i >= 0 && len(last) < n; i-- {
		last = append(last, l.entries[i])
	}
	return last
}
