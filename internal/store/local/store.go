package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local/memory"
	"github.com/seine-net/seine/internal/store/local/wal"
)

// Store is the engine. It implements store.Engine.
type Store struct {
	config  Config
	log     *slog.Logger
	lock    *os.File
	wal     *wal.Log
	origins *origins

	// mu protects what follows. It is never held while the disk is waited for.
	mu     sync.Mutex
	tables []*table
	files  []*storedFile
	losses map[string]uint64
	moved  uint64
	notes  notes
	full   bool
	// room is closed, and made anew, when rows have left the memory.
	room chan struct{}

	// maintenance is held while files are removed or merged.
	maintenance sync.Mutex

	// flushNow wakes the flusher, one request is enough for any number of reasons.
	flushNow chan struct{}
	stop     chan struct{}
	stopped  sync.WaitGroup
	closed   sync.Once
}

var _ store.Engine = (*Store)(nil)

// table is the rows of one segment of the log that are in no file.
type table struct {
	segment uint64
	begun   time.Time
	// sets holds the rows by dataset.
	sets map[*columns.Dataset]*memory.Table
}

func (t *table) rows() (rows int, bytes int64) {
	for _, set := range t.sets {
		rows += set.Rows()
		bytes += set.Bytes()
	}
	return rows, bytes
}

// folders of the store's folder.
const (
	walFolder   = "wal"
	asideFolder = "set-aside"
	tmpFolder   = "tmp"
)

// Open opens the folder, takes what an earlier process left in the log into memory, and starts to serve. The error
// names the process that uses the folder, if one does.
func Open(config Config, log *slog.Logger) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	lock, err := lockDir(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{
		config: config, log: log, lock: lock, origins: newOrigins(),
		losses: make(map[string]uint64), room: make(chan struct{}),
		flushNow: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), lock.Close())
	}
	s.stopped.Go(s.flusher)
	s.stopped.Go(s.keeper)
	return s, nil
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.config.Dir}, parts...)...)
}

// Close writes what is in memory as files, if the disk lets it, and releases the folder.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		close(s.stop)
		s.stopped.Wait()
		if flushErr := s.flush(context.Background()); flushErr != nil {
			s.log.Warn("rows stay in the log", "error", flushErr)
		}
		err = errors.Join(s.wal.Close(), s.lock.Close())
	})
	return err
}
