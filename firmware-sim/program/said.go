package program

import (
	"os"
	"strings"
	"sync"
)

const (
	tailBytes = 3000 // of what a program said, shown when it does not do as it should
	// maxLog bounds a log's file. One that is full is kept beside the next, so
	// that the last of it is always there.
	maxLog  = 16 << 20
	oldTail = ".old"
)

// said is what a program said: the end of it, and a file with more.
type said struct {
	path string

	mu   sync.Mutex
	tail []byte   // guarded by mu
	file *os.File // guarded by mu; nil: not open
	size int64    // of the file; guarded by mu
}

// open opens the file, if there is to be one.
func (s *said) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "" || s.file != nil {
		return nil
	}
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	s.file, s.size = file, info.Size()
	return nil
}

// Write keeps what a program says. A file that cannot be written does not stop
// the program.
func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail = append(s.tail, text...)
	s.tail = append(s.tail[:0], s.tail[max(0, len(s.tail)-tailBytes):]...)
	if s.file == nil {
		return len(text), nil
	}
	if s.size+int64(len(text)) > maxLog {
		s.turn()
	}
	n, _ := s.file.Write(text)
	s.size += int64(n)
	return len(text), nil
}

// turn puts the full file beside and begins another. If that does not work, it
// goes on from the start of the full one.
func (s *said) turn() {
	if os.Rename(s.path, s.path+oldTail) == nil {
		next, err := os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_ = s.file.Close() // all that was written is in it
			s.file, s.size = next, 0
			return
		}
	}
	_ = s.file.Truncate(0) // appending goes on at its end
	s.size = 0
}

func (s *said) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close() // a log that is not whole harms nobody
		s.file = nil
	}
}

// String is the end of what was said.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(string(s.tail))
}
