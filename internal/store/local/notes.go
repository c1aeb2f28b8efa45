package local

import (
	"maps"
	"slices"

	"github.com/seine-net/seine/internal/store"
)

// The notes that end by themselves, by their key.
const noteFull = "full"

// maxNotes bounds the notes; the oldest make room.
const maxNotes = 50

// notes are sentences for the operator, each under a key, so that what happens again is said once.
type notes []note

type note struct{ key, text string }

// note adds a sentence, or replaces that of the same key.
func (s *Store) note(key, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.notes, func(n note) bool { return n.key == key }); i >= 0 {
		s.notes[i].text = text
		return
	}
	if len(s.notes) >= maxNotes {
		s.notes = slices.Delete(s.notes, 0, 1)
	}
	s.notes = append(s.notes, note{key, text})
	s.log.Warn("store needs attention", "note", text)
}

func (s *Store) unnote(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = slices.DeleteFunc(s.notes, func(n note) bool { return n.key == key })
}

func (s *Store) lose(reason string, rows uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losses[reason] += rows
}

// Stats tells what is kept and what was lost.
func (s *Store) Stats() store.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, bytes := s.unflushed()
	stats := store.Stats{Rows: int64(rows), Bytes: bytes, Losses: maps.Clone(s.losses), Moved: s.moved}
	for _, f := range s.files {
		stats.Rows += int64(f.rows)
		stats.Bytes += f.bytes
		stats.Oldest = earlier(stats.Oldest, int64(f.first))
	}
	for _, t := range s.tables {
		for _, set := range t.sets {
			if first, ok := set.First(); ok {
				stats.Oldest = earlier(stats.Oldest, int64(first))
			}
		}
	}
	stats.Oldest = later(stats.Oldest, int64(s.oldest()))
	for _, n := range s.notes {
		stats.Notes = append(stats.Notes, n.text)
	}
	return stats
}

// later returns the larger time, or 0 if the first is.
func later(a, b int64) int64 {
	if a == 0 {
		return 0
	}
	return max(a, b)
}

// earlier returns the smaller time, 0 being none.
func earlier(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}
