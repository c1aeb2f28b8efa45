package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store/local/memory"
	"github.com/seine-net/seine/internal/store/local/part"
)

// retryAfter is how long the flusher waits after a failure.
const retryAfter = time.Second

// flusher writes tables as files when they are large or old enough.
func (s *Store) flusher() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tick := time.NewTicker(retryAfter)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.flushNow:
		case <-tick.C:
		}
		if !s.flushDue() {
			continue
		}
		if err := s.flush(ctx); err != nil {
			s.flushFailed(err)
			s.pause()
			continue
		}
		s.mu.Lock()
		s.full = false
		s.mu.Unlock()
		s.unnote(noteFull)
		s.unnote("flush")
	}
}

func (s *Store) pause() {
	select {
	case <-s.stop:
	case <-time.After(retryAfter):
	}
}

func (s *Store) flushFailed(err error) {
	if !isFull(err) {
		s.note("flush", fmt.Sprintf("rows cannot be written as files, and stay in the log: %v", err))
		return
	}
	s.note(noteFull, "the disk is full: batches are refused until there is room")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = true
	s.announceRoom() // Who waits is refused.
}

// announceRoom wakes all that wait for room. The caller holds mu.
func (s *Store) announceRoom() {
	close(s.room)
	s.room = make(chan struct{})
}

// flushDue says whether a table is to be written.
func (s *Store) flushDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full || len(s.tables) > 1 {
		return true
	}
	for _, t := range s.tables {
		rows, bytes := t.rows()
		if rows >= s.config.FlushRows || bytes >= flushBytes || rows > 0 && time.Since(t.begun) >= s.config.FlushAge {
			return true
		}
	}
	return false
}

// flush ends the log's segment and writes all that is in memory as files.
func (s *Store) flush(ctx context.Context) error {
	sealed, err := s.wal.Rotate()
	if err != nil {
		return err
	}
	for {
		t := s.oldestTable(sealed)
		if t == nil {
			return nil
		}
		if err := s.flushTable(ctx, t); err != nil {
			return fmt.Errorf("flush: %w", err)
		}
	}
}

func (s *Store) oldestTable(sealed uint64) *table {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tables) == 0 || s.tables[0].segment > sealed {
		return nil
	}
	return s.tables[0]
}

// flushTable writes the rows of a segment as files and removes the segment.
func (s *Store) flushTable(ctx context.Context, t *table) error {
	pending, err := s.writeTable(ctx, t)
	if err == nil {
		err = publish(pending)
	}
	if err == nil {
		err = s.wal.Remove(t.segment)
	}
	if err != nil {
		return errors.Join(err, discard(pending))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables = slices.DeleteFunc(s.tables, func(other *table) bool { return other == t })
	for _, p := range pending {
		s.files = append(s.files, p.storedFile)
	}
	s.announceRoom()
	return nil
}

// pendingFile is a file that was written under a name in the folder tmp.
type pendingFile struct {
	*storedFile
	tmp string
}

// slice is the rows of a table that go into one file: those of one dataset from first to last, which are in one period.
type slice struct {
	dataset     *columns.Dataset
	rows        *memory.Snapshot
	period      *period
	first, last flow.Time
}

// writeTable writes the files of a table.
func (s *Store) writeTable(ctx context.Context, t *table) (pending []pendingFile, err error) {
	slices := s.slices(t)
	for i, slice := range slices {
		name := partName{segment: t.segment, index: i + 1, count: len(slices)}
		p, err := s.writePart(ctx, slice.dataset, name, []part.Input{slice.rows}, slice.period, slice.first, slice.last, nil)
		if err != nil {
			return pending, err
		}
		pending = append(pending, p)
	}
	return pending, nil
}

// The most hours of a table that get a file each, the newest, and the most longer periods that the rest is put into. Rows
// that come from everywhere in time would else hold up the flush for minutes.
const (
	maxHours   = 24
	maxPeriods = 64
)

// slices returns the periods of each dataset that have rows. The table gets no more rows, so its rows can be read without
// the lock.
func (s *Store) slices(t *table) []slice {
	var all []slice
	for _, d := range columns.Datasets() {
		set := t.sets[d]
		if set == nil {
			continue
		}
		rows := set.Snapshot()
		ends, _, _ := rows.Numbers(d.End)
		hours := hoursOf(ends)
		recent := max(0, len(hours)-maxHours)
		all = append(all, coarse(d, rows, hours[:recent], hours[recent:])...)
		for _, hour := range hours[recent:] {
			_, last := hourly.bounds(hour)
			all = append(all, slice{d, rows, hourly, hour, last})
		}
	}
	return all
}

// hoursOf returns the begins of the hours that some times are in.
func hoursOf(ends []int64) []flow.Time {
	hours := make([]flow.Time, 0, 4)
	for _, end := range ends {
		hour, _ := hourly.bounds(flow.Time(end))
		if len(hours) == 0 || hours[len(hours)-1] != hour {
			hours = append(hours, hour)
		}
	}
	slices.Sort(hours)
	return slices.Compact(hours)
}

// coarse puts old hours into longer periods, the shortest that are few enough. The recent hours are left out of them.
func coarse(d *columns.Dataset, rows *memory.Snapshot, old, recent []flow.Time) (all []slice) {
	for i := range periods[1:] {
		p := &periods[1+i]
		all = all[:0]
		for _, hour := range old {
			first, last := p.bounds(hour)
			if n := len(all); n == 0 || all[n-1].first != first {
				all = append(all, slice{d, rows, p, first, min(last, recent[0]-1)})
			}
		}
		if len(all) <= maxPeriods {
			break
		}
	}
	return all
}

// writePart writes rows of the inputs whose time is from first to last, which are in one period, into the folder tmp.
func (s *Store) writePart(ctx context.Context, d *columns.Dataset, name partName, inputs []part.Input, p *period, first, last flow.Time,
	notes map[string]string,
) (pending pendingFile, err error) {
	rows, err := part.Order(d, inputs, first, last)
	if err != nil {
		return pending, err
	}
	folder := p.folder(first)
	tmp := s.path(tmpFolder, fmt.Sprintf("%s-%s-%s", d.Name, folder, name))
	bounds, size, err := writeFile(ctx, tmp, d, inputs, rows, notes)
	if err != nil {
		return pending, errors.Join(err, os.Remove(tmp))
	}
	f := &storedFile{path: s.path(d.Name, folder, name.String()), name: name, dataset: d, bytes: size, period: p}
	for _, b := range bounds {
		f.add(b)
	}
	return pendingFile{f, tmp}, nil
}

func writeFile(ctx context.Context, path string, d *columns.Dataset, inputs []part.Input, rows []part.Row,
	notes map[string]string,
) (bounds []part.Bounds, size int64, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if bounds, err = part.Write(ctx, file, d, inputs, rows, notes); err != nil {
		return nil, 0, err
	}
	if err := file.Sync(); err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	return bounds, info.Size(), nil
}

// publish gives files their names, durably.
func publish(pending []pendingFile) error {
	for _, p := range pending {
		if err := makeDir(p.folder()); err != nil {
			return err
		}
		if err := os.Rename(p.tmp, p.path); err != nil {
			return err
		}
	}
	for _, p := range pending {
		if err := syncDir(p.folder()); err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes the folder of an hour, and that of its dataset.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	dataset := filepath.Dir(dir)
	return errors.Join(syncDir(dataset), syncDir(filepath.Dir(dataset)))
}

// discard removes files, whichever name they have.
func discard(pending []pendingFile) error {
	var errs []error
	for _, p := range pending {
		for _, path := range []string{p.tmp, p.path} {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
