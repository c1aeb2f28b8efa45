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
	var log replayed
	for _, segment := range segments {
		if err := s.replay(segment, &log); err != nil {
			return err
		}
	}
	for _, d := range log.damages {
		s.setDamageAside(d, log.kept)
	}
	return nil
}

// size is rows and their bytes, from which the rows of other bytes can be guessed.
type size struct{ rows, bytes int64 }

func (s *size) add(rows, bytes int64) { s.rows, s.bytes = s.rows+rows, s.bytes+bytes }

// guess returns about how many rows so many bytes are: as many as in what is known, or else at some bytes a row.
func (s size) guess(bytes, otherwise int64) uint64 {
	if s.rows > 0 && s.bytes > 0 {
		return uint64(max(1, bytes*s.rows/s.bytes))
	}
	return uint64(max(1, bytes/otherwise))
}

// About what a row takes in a file, and in the log.
const (
	fileRowBytes = 50
	logRowBytes  = 200
)

// replayed is what was found in the log.
type replayed struct {
	kept    size
	damages []damage
}

// damage is a range of a segment that cannot be read.
type damage struct {
	path string
	wal.Damage
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
	defer func() { s.files = slices.Collect(maps.Values(found)) }()
	for _, d := range columns.Datasets() {
		paths, err := filepath.Glob(s.path(d.Name, "*", "*"+extension))
		if err != nil {
			return err
		}
		var known size
		unreadable := make(map[string]error)
		for _, path := range paths {
			f, replaces, err := readStoredFile(path, d)
			if err != nil {
				unreadable[path] = err
				continue
			}
			found[path] = f
			known.add(int64(f.rows), f.bytes)
			replaced = append(replaced, f.replaced(replaces)...)
		}
		for path, cause := range unreadable {
			s.loseFile(path, known)
			s.setAside(path, cause)
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
	return nil
}

// replaced returns the files that a note of this one names.
func (f *storedFile) replaced(note string) (paths []string) {
	for name := range strings.FieldsSeq(note) {
		folder, base := filepath.Split(name)
		if folder == "" {
			folder = filepath.Base(f.folder())
		}
		folder = filepath.Clean(folder)
		_, isFolder := periodOf(folder)
		if _, isPart := parsePartName(base); isFolder && isPart {
			paths = append(paths, filepath.Join(filepath.Dir(f.folder()), folder, base))
		}
	}
	return paths
}

// loseFile counts the rows of a file that cannot be read, by its size.
func (s *Store) loseFile(path string, known size) {
	bytes := int64(0)
	if info, err := os.Lstat(path); err == nil {
		bytes = info.Size()
	}
	s.lose(lossDamaged, known.guess(bytes, fileRowBytes))
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
	if f.Kind == wal.BatchFrame || f.Kind == wal.QuickFrame {
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
func (s *Store) replay(segment uint64, log *replayed) error {
	if t := s.tables; len(t) > 0 && slices.ContainsFunc(t, func(t *table) bool { return t.segment == segment }) {
		return nil // Its rows are in files.
	}
	s.tableOf(segment)
	path := wal.Path(s.path(walFolder), segment)
	return wal.Read(path, func(f wal.Frame) error {
		if s.learn(f) {
			s.replayBatch(path, segment, f, log)
		}
		return nil
	}, func(d wal.Damage) { log.damages = append(log.damages, damage{path, d}) })
}

func (s *Store) replayBatch(path string, segment uint64, f wal.Frame, log *replayed) {
	d, ok := columns.ByName(f.Dataset)
	if !ok {
		s.note("dataset_"+f.Dataset, fmt.Sprintf("the log has rows of dataset %q, which this version does not know", f.Dataset))
		return
	}
	decode := columns.DecodeQuick
	if f.Kind == wal.BatchFrame {
		decode = columns.Decode
	}
	batch, err := decode(d, f.Payload, columns.DefaultLimits)
	if err != nil {
		log.damages = append(log.damages, damage{path, wal.Damage{Bytes: slices.Clone(f.Payload)}})
		return
	}
	defer batch.Release()
	log.kept.add(batch.NumRows(), int64(len(f.Payload)))
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
func (s *Store) setDamageAside(d damage, known size) {
	if d.Torn {
		s.log.Info("cut a torn write off the log", "file", d.path, "bytes", len(d.Bytes))
		return
	}
	target := s.path(asideFolder, fmt.Sprintf("%s-at-%d", filepath.Base(d.path), d.Offset))
	err := os.WriteFile(target, d.Bytes, 0o640)
	rows := known.guess(int64(len(d.Bytes)), logRowBytes)
	s.lose(lossDamaged, rows)
	text := fmt.Sprintf("%d bytes at %d of %s, about %d rows, are damaged and were set aside as %s", len(d.Bytes), d.Offset, d.path, rows, target)
	if err != nil {
		text = fmt.Sprintf("%d bytes at %d of %s, about %d rows, are damaged, and cannot be set aside: %v", len(d.Bytes), d.Offset, d.path, rows, err)
	}
	s.note("damage_"+target, text)
}
