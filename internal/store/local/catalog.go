package local

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store/local/part"
)

// storedFile is a file that queries look at.
type storedFile struct {
	path    string
	name    partName
	dataset *columns.Dataset
	bytes   int64
	rows    int
	// first and last are the smallest and largest "end" of the rows; groups has those of the row groups.
	first, last flow.Time
	groups      []part.Bounds
	period      *period
	// users counts the queries that look at it, gone says that the last of them removes it. Both are under Store.mu.
	users int
	gone  bool
}

// folder is the path of the folder, which stands for a period.
func (f *storedFile) folder() string { return filepath.Dir(f.path) }

// readStoredFile opens a file to learn what is in it. The second result has the names of the files that it replaces.
func readStoredFile(path string, d *columns.Dataset) (f *storedFile, replaces string, err error) {
	name, ok := parsePartName(filepath.Base(path))
	if !ok {
		return nil, "", fmt.Errorf("read %s: the name is not one of the store's", path)
	}
	period, ok := periodOf(filepath.Base(filepath.Dir(path)))
	if !ok {
		return nil, "", fmt.Errorf("read %s: the folder's name is not one of the store's", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", fmt.Errorf("read part: %w", err)
	}
	opened, err := part.Open(path, d)
	if err != nil {
		return nil, "", err
	}
	defer opened.Close()
	f = &storedFile{path: path, name: name, dataset: d, bytes: info.Size(), period: period}
	for group := range opened.Groups() {
		bounds, err := opened.Bounds(group)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		f.add(bounds)
	}
	return f, opened.Note(replacesNote), nil
}

func (f *storedFile) add(b part.Bounds) {
	if f.rows == 0 {
		f.first, f.last = b.First, b.Last
	}
	f.first, f.last = min(f.first, b.First), max(f.last, b.Last)
	f.rows += b.Rows
	f.groups = append(f.groups, b)
}

// remove takes files out of the catalog. They are deleted at once, or when the last query that uses them ends.
func (s *Store) remove(files []*storedFile) {
	s.mu.Lock()
	s.files = slices.DeleteFunc(s.files, func(f *storedFile) bool { return slices.Contains(files, f) })
	var idle []*storedFile
	for _, f := range files {
		f.gone = true
		if f.users == 0 {
			idle = append(idle, f)
		}
	}
	s.mu.Unlock()
	s.delete(idle)
}

func (s *Store) delete(files []*storedFile) {
	for _, f := range files {
		if err := os.Remove(f.path); err != nil && !os.IsNotExist(err) {
			s.note("delete_"+f.path, fmt.Sprintf("file %s cannot be deleted: %v", f.path, err))
			continue
		}
		_ = os.Remove(f.folder()) // Succeeds once the folder is empty.
	}
}

// release ends a query's use of files.
func (s *Store) release(files []*storedFile) {
	var idle []*storedFile
	s.mu.Lock()
	for _, f := range files {
		if f.users--; f.users == 0 && f.gone {
			idle = append(idle, f)
		}
	}
	s.mu.Unlock()
	s.delete(idle)
}
