package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store/local/part"
)

const (
	// keepEvery is how often retention and merging are looked at.
	keepEvery = 10 * time.Second
	// settled is how long after its end an hour is left alone, since rows may come late.
	settled = 5 * time.Minute
	// mergedRows is how many rows a merged file has at most. More make a better file, but merging holds as many.
	mergedRows = 512 << 10
	// replacesNote is where a merged file names those that it replaces, each with its folder unless that is its own.
	replacesNote = "seine.replaces"
)

// keeper removes what is too old or too much, and merges small files.
func (s *Store) keeper() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if err := s.Maintain(ctx); err != nil && ctx.Err() == nil {
			s.note("merge", fmt.Sprintf("small files cannot be merged: %v", err))
		}
	}
}

// Maintain removes what is beyond the limits and merges what can be merged. The store does so by itself, too.
func (s *Store) Maintain(ctx context.Context) error {
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	s.retain()
	if err := s.mergeAll(ctx); err != nil {
		return fmt.Errorf("maintain store: %w", err)
	}
	s.unnote("merge")
	return nil
}

// retain removes files that are beyond the limits, oldest first.
func (s *Store) retain() {
	oldest := s.oldest()
	s.mu.Lock()
	slices.SortFunc(s.files, func(a, b *storedFile) int { return cmp.Compare(a.last, b.last) })
	var total int64
	for _, f := range s.files {
		total += f.bytes
	}
	var excess []*storedFile
	for _, f := range s.files {
		switch {
		case f.last < oldest:
		case s.config.MaxBytes > 0 && total > s.config.MaxBytes:
			s.losses[lossBytes] += uint64(f.rows)
		default:
			continue
		}
		total -= f.bytes
		excess = append(excess, f)
	}
	s.mu.Unlock()
	if len(excess) > 0 {
		s.remove(excess)
	}
}

// mergeAll merges until there is nothing left to merge.
func (s *Store) mergeAll(ctx context.Context) error {
	for ctx.Err() == nil {
		files, into := s.mergeable()
		if files == nil {
			return nil
		}
		if err := s.merge(ctx, files, into); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// mergeable returns files of a period, neighbours in time, that make one of a good size; of a period that is over, all
// that are left.
func (s *Store) mergeable() ([]*storedFile, *period) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until := flow.Time(s.config.Now().Add(-settled).UnixNano())
	folders := make(map[string][]*storedFile)
	for _, f := range s.files {
		if f.rows <= mergedRows/2 {
			folder := f.dataset.Name + "/" + f.mergesInto(until).folder(f.first)
			folders[folder] = append(folders[folder], f)
		}
	}
	for _, files := range folders {
		into := files[0].mergesInto(until)
		_, last := into.bounds(files[0].last)
		over := last < until
		slices.SortFunc(files, func(a, b *storedFile) int {
			return cmp.Or(cmp.Compare(a.first, b.first), strings.Compare(a.path, b.path))
		})
		rows, n := 0, 0
		for n < len(files) && rows+files[n].rows <= mergedRows {
			rows += files[n].rows
			n++
		}
		if n > 1 && (over || n < len(files)) {
			return slices.Clone(files[:n]), into
		}
	}
	return nil, nil
}

// mergesInto is the period of the file that this one may become a part of: that of an hour's is the day once that is over,
// since a file of few rows is mostly names and description.
func (f *storedFile) mergesInto(until flow.Time) *period {
	if _, last := daily.bounds(f.first); f.period == hourly && last < until {
		return daily
	}
	return f.period
}

// merge replaces files of one period by one.
func (s *Store) merge(ctx context.Context, files []*storedFile, into *period) error {
	name := partName{segment: s.wal.Number()}
	var names []string
	for _, f := range files {
		name.generation = max(name.generation, f.name.generation+1)
		names = append(names, filepath.Base(f.folder())+"/"+f.name.String())
	}
	inputs, done, err := openInputs(files)
	defer done()
	if s.isDamaged(err) {
		return nil
	}
	if err != nil {
		return err
	}
	first, last := into.bounds(files[0].first)
	notes := map[string]string{replacesNote: strings.Join(names, " ")}
	p, err := s.writePart(ctx, files[0].dataset, name, inputs, into, first, last, notes)
	if s.isDamaged(err) {
		return nil // The others are merged next time.
	}
	if err != nil {
		return err
	}
	if err := publish([]pendingFile{p}); err != nil {
		return err
	}
	s.replace(files, p.storedFile)
	return nil
}

// isDamaged says that an error is of a damaged file, which is then set aside.
func (s *Store) isDamaged(err error) bool {
	var damaged *damagedError
	if !errors.As(err, &damaged) {
		return false
	}
	s.damaged(damaged)
	return true
}

// openInputs opens all row groups of files.
func openInputs(files []*storedFile) (inputs []part.Input, done func(), err error) {
	var handles []*handle
	done = func() {
		for _, h := range handles {
			h.close()
		}
	}
	for _, f := range files {
		h := &handle{stored: f}
		handles = append(handles, h)
		file, err := h.open()
		if err != nil {
			return nil, done, h.failed(err)
		}
		for group := range file.Groups() {
			inputs = append(inputs, &checkedInput{file.Group(group), h})
		}
	}
	return inputs, done, nil
}

// checkedInput tells of which file an error is.
type checkedInput struct {
	part.Input
	handle *handle
}

func (c *checkedInput) Texts(f *flow.Field) ([]string, []int32, error) {
	dictionary, codes, err := c.Input.Texts(f)
	return dictionary, codes, c.handle.failed(err)
}

func (c *checkedInput) Numbers(f *flow.Field) ([]int64, []bool, error) {
	values, null, err := c.Input.Numbers(f)
	return values, null, c.handle.failed(err)
}

// replace puts a file in the place of others.
func (s *Store) replace(files []*storedFile, merged *storedFile) {
	s.mu.Lock()
	s.files = append(s.files, merged)
	s.files = slices.DeleteFunc(s.files, func(f *storedFile) bool { return slices.Contains(files, f) })
	s.mu.Unlock()
	s.remove(files)
}
