package wire

import (
	"log/slog"
	"sync"
	"time"
)

// seldomEvery is the shortest time between two lines of a seldom.
const seldomEvery = time.Second

// seldom logs what the other end can cause as often as it likes: one line a second, with the number of those left out.
type seldom struct {
	log *slog.Logger

	mu   sync.Mutex
	last time.Time
	left int
}

// Warn logs a line, or counts it as left out.
func (s *seldom) Warn(message string, attributes ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last) < seldomEvery {
		s.left++
		return
	}
	if s.left > 0 {
		attributes = append(attributes, "left_out", s.left)
	}
	s.last, s.left = time.Now(), 0
	//nolint:sloglint // The callers' messages are constant.
	s.log.Warn(message, attributes...)
}
