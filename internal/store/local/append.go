package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local/memory"
	"github.com/seine-net/seine/internal/store/local/wal"
)

// The reasons under which Stats.Losses counts rows.
const (
	// lossExpired: the rows were older than MaxAge when they came.
	lossExpired = "expired"
	// lossFull: there was no room; the batch was refused and may be sent again.
	lossFull = "refused_full"
	// lossBytes: the rows were removed because the files were larger than MaxBytes.
	lossBytes = "removed_max_bytes"
	// lossDamaged: the rows were in a file or a range of the log that cannot be read. Where their number is not known it
	// is guessed by the bytes.
	lossDamaged = "damaged"
)

// Append keeps a batch. Batches of one origin are kept in the order of their sequence numbers; who sends several of one
// origin at a time gets ErrRepeated for those that are overtaken.
func (s *Store) Append(ctx context.Context, b store.Batch) error {
	d, ok := columns.ByName(b.Dataset)
	if !ok {
		return fmt.Errorf("append: dataset %q is not known", b.Dataset)
	}
	rows, err := s.admit(d, b.Rows)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	defer rows.Release()
	var from *origin
	if b.Origin != "" {
		from = s.origins.acquire(b.Origin)
		defer from.Unlock()
		if s.origins.has(from, b.Sequence) {
			return store.ErrRepeated
		}
	}
	if err := s.waitForRoom(ctx); err != nil {
		return s.refused(rows, err)
	}
	buffer := payloads.Get().(*[]byte)
	defer payloads.Put(buffer)
	payload, err := columns.EncodeQuick(*buffer, rows)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	*buffer = payload[:cap(payload)]
	frame := &wal.Frame{Kind: wal.QuickFrame, Dataset: d.Name, Origin: b.Origin, Sequence: b.Sequence, Payload: payload}
	err = s.wal.Append(frame, func(segment uint64) {
		s.keep(segment, d, rows)
		if from != nil {
			s.origins.set(from, b.Sequence)
		}
	})
	return s.refused(rows, err)
}

// payloads are buffers for encoded batches, of which the log takes a copy.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

// refused turns an error that means a full disk into ErrFull, and counts the rows.
func (s *Store) refused(rows arrow.RecordBatch, err error) error {
	if err == nil {
		return nil
	}
	if isFull(err) {
		s.lose(lossFull, uint64(rows.NumRows()))
		s.note(noteFull, "the disk is full: batches are refused until there is room")
		return fmt.Errorf("append: %w", errors.Join(store.ErrFull, err))
	}
	return fmt.Errorf("append: %w", err)
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, store.ErrFull)
}

// waitForRoom waits until the memory has room. While the disk is full there is none to be expected.
func (s *Store) waitForRoom(ctx context.Context) error {
	for {
		s.mu.Lock()
		crowded, full, room := s.crowded(), s.full, s.room
		s.mu.Unlock()
		switch {
		case !crowded:
			return nil
		case full:
			return store.ErrFull
		}
		s.wakeFlusher()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stop:
			return wal.ErrClosed
		}
	}
}

// crowded says that the memory holds all that it may.
func (s *Store) crowded() bool {
	rows, bytes := s.unflushed()
	return rows > 2*s.config.FlushRows || bytes > 2*flushBytes
}

// flushBytes is the memory that a table may take before it is written as files.
const flushBytes = 96 << 20

func (s *Store) unflushed() (rows int, bytes int64) {
	for _, t := range s.tables {
		r, b := t.rows()
		rows += r
		bytes += b
	}
	return rows, bytes
}

// keep adds rows to the table of a segment. It is called by one goroutine at a time.
func (s *Store) keep(segment uint64, d *columns.Dataset, batch arrow.RecordBatch) {
	rows, expired := s.unexpired(d, batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losses[lossExpired] += uint64(expired)
	t := s.tableOf(segment)
	if t.sets[d] == nil {
		t.sets[d] = memory.New(d)
	}
	t.sets[d].Add(batch, rows)
	if n, bytes := t.rows(); n >= s.config.FlushRows || bytes >= flushBytes {
		s.wakeFlusher()
	}
}

func (s *Store) tableOf(segment uint64) *table {
	if last := len(s.tables) - 1; last >= 0 && s.tables[last].segment == segment {
		return s.tables[last]
	}
	t := &table{segment: segment, begun: time.Now(), sets: make(map[*columns.Dataset]*memory.Table)}
	s.tables = append(s.tables, t)
	return t
}

func (s *Store) wakeFlusher() {
	select {
	case s.flushNow <- struct{}{}:
	default:
	}
}
