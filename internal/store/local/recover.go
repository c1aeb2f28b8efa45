package local

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/store/local/wal"
)

// recover makes of what the folder holds a state in which every row is there once.
func (s *Store) recover() error {
	for _, folder := range []string{walFolder, asideFolder, tmpFolder} {
		if err := os.MkdirAll(s.path(folder), 0o750); err != nil {
			return err
		}
	}
	if err := s.clearTmp(); err != nil {
		return err
	}
	segments, err := wal.Segments(s.path(walFolder))
	if err != nil {
		return err
	}
	if err := s.findFiles(segments); err != nil {
		return err
	}
	next := s.nextSegment(segments)
	s.wal = wal.New(wal.Options{
		Dir: s.path(walFolder), Next: next, SyncInterval: s.config.SyncInterval, Origins: s.origins.durable,
	})
	for _, segment := range segments {
		if err := s.replay(segment); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) nextSegment(segments []uint64) uint64 {
	newest := uint64(0)
	for _, segment := range segments {
		newest = max(newest, segment)
	}
	for _, f := range s.files {
		newest = max(newest, f.name.segment)
	}
	return newest + 1
}

func (s *Store) clearTmp() error {
	if info, err := os.Lstat(s.path(tmpFolder)); err != nil || !info.IsDir() {
		return errors.Join(fmt.Errorf("%s: not a folder", s.path(tmpFolder)), err)
	}
	entries, err := os.ReadDir(s.path(tmpFolder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(s.path(tmpFolder, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// findFiles fills the catalog. Files of a segment that is still in the log are removed, since the segment has all rows;
// but if they are complete, the segment is.
func (s *Store) findFiles(segments []uint64) error {
	found := make(map[string]*storedFile)
	var replaced []string
	for _, d := range columns.Datasets() {
		paths, err := filepath.Glob(s.path(d.Name, "*", "*"+extension))
		if err != nil {
			return err
		}
		for _, path := range paths {
			f, replaces, err := readStoredFile(path, d)
			if err != nil {
				s.setAside(path, err)
				continue
			}
			found[path] = f
			for name := range strings.FieldsSeq(replaces) {
				replaced = append(replaced, filepath.Join(f.hour(), name))
			}
		}
	}
	for _, path := range replaced {
		if err := dropFile(found, path); err != nil {
			return err
		}
	}
	for _, segment := range segments {
		if err := s.settle(found, segment); err != nil {
			return err
		}
	}
	s.files = slices.Collect(maps.Values(found))
	return nil
}

func dropFile(found map[string]*storedFile, path string) error {
	delete(found, path)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// settle decides between a segment and the files made from it.
func (s *Store) settle(found map[string]*storedFile, segment uint64) error {
	var made []string
	complete := 0
	for path, f := range found {
		if f.name.segment == segment && f.name.generation == 0 {
			made, complete = append(made, path), f.name.count
		}
	}
	if len(made) == 0 {
		return nil
	}
	if len(made) == complete {
		return s.learnOrigins(segment)
	}
	for _, path := range made {
		if err := dropFile(found, path); err != nil {
			return err
		}
	}
	return nil
}

// learnOrigins takes from a segment whose rows are in files what it knows of origins. The segment stays until the next
// one has begun, as an empty table.
func (s *Store) learnOrigins(segment uint64) error {
	s.tableOf(segment)
	return wal.Read(wal.Path(s.path(walFolder), segment), func(f wal.Frame) error {
		s.learn(f)
		return nil
	}, func(wal.Damage) {})
}

// learn takes from a frame the numbers of origins, and says whether its batch is new.
func (s *Store) learn(f wal.Frame) bool {
	if f.Kind == wal.BatchFrame {
		return f.Origin == "" || s.origins.learn(f.Origin, f.Sequence)
	}
	known, err := wal.ParseOrigins(f.Payload)
	if err != nil {
		s.log.Warn("origins in the log cannot be read", "error", err)
	}
	for name, sequence := range known {
		s.origins.learn(name, sequence)
	}
	return false
}

// replay takes the rows of a segment into memory.
func (s *Store) replay(segment uint64) error {
	if t := s.tables; len(t) > 0 && slices.ContainsFunc(t, func(t *table) bool { return t.segment == segment }) {
		return nil // Its rows are in files.
	}
	s.tableOf(segment)
	path := wal.Path(s.path(walFolder), segment)
	return wal.Read(path, func(f wal.Frame) error {
		if s.learn(f) {
			s.replayBatch(path, segment, f)
		}
		return nil
	}, func(d wal.Damage) { s.setDamageAside(path, d) })
}

func (s *Store) replayBatch(path string, segment uint64, f wal.Frame) {
	d, ok := columns.ByName(f.Dataset)
	if !ok {
		s.note("dataset_"+f.Dataset, fmt.Sprintf("the log has rows of dataset %q, which this version does not know", f.Dataset))
		return
	}
	limits := columns.DefaultLimits
	batch, err := columns.Decode(d, f.Payload, limits)
	if err != nil {
		s.setDamageAside(path, wal.Damage{Bytes: slices.Clone(f.Payload)})
		return
	}
	defer batch.Release()
	s.keep(segment, d, batch)
}

// setAside moves a file that cannot be read out of the way.
func (s *Store) setAside(path string, cause error) {
	name := strings.ReplaceAll(strings.TrimPrefix(path, s.config.Dir+string(filepath.Separator)), string(filepath.Separator), "_")
	target := s.path(asideFolder, name)
	if err := os.Rename(path, target); err != nil {
		s.note("aside_"+path, fmt.Sprintf("file %s cannot be read (%v) nor moved: %v", path, cause, err))
		return
	}
	s.note("aside_"+path, fmt.Sprintf("file %s cannot be read and was set aside as %s: %v", path, target, cause))
}

// setDamageAside keeps the bytes of a log that hold no frame. A write that was cut off is none of that: nobody was told
// that it is kept.
func (s *Store) setDamageAside(path string, d wal.Damage) {
	if d.Torn {
		s.log.Info("cut a torn write off the log", "file", path, "bytes", len(d.Bytes))
		return
	}
	target := s.path(asideFolder, fmt.Sprintf("%s-at-%d", filepath.Base(path), d.Offset))
	err := os.WriteFile(target, d.Bytes, 0o640)
	s.lose(lossDamaged, 1)
	text := fmt.Sprintf("%d bytes at %d of %s are damaged and were set aside as %s", len(d.Bytes), d.Offset, path, target)
	if err != nil {
		text = fmt.Sprintf("%d bytes at %d of %s are damaged, and cannot be set aside: %v", len(d.Bytes), d.Offset, path, err)
	}
	s.note("damage_"+target, text)
}
