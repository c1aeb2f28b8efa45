package credential

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// lookEvery is the shortest time between two looks at the files.
	lookEvery = time.Second
	// maxFile bounds what is read of a file.
	maxFile = 1 << 20
)

// files keeps what was made of the contents of some files, and makes it anew when they change.
type files[T any] struct {
	paths []string
	parse func(contents [][]byte) (T, error)
	log   *slog.Logger
	now   func() time.Time

	mu       sync.Mutex
	looked   time.Time
	contents [][]byte
	value    T
}

// openFiles reads the files for the first time, when whatever is wrong is an error.
func openFiles[T any](paths []string, log *slog.Logger, parse func([][]byte) (T, error)) (*files[T], error) {
	f := &files[T]{paths: paths, parse: parse, log: log, now: time.Now, looked: time.Now()}
	contents, err := readAll(paths)
	if err != nil {
		return nil, err
	}
	f.contents = contents
	f.value, err = parse(contents)
	return f, err
}

// get returns the newest value that made sense.
func (f *files[T]) get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.looked) >= lookEvery {
		f.looked = now
		f.look()
	}
	return f.value
}

// look reads the files and, if they changed, takes what is new. Contents that make no sense are remembered as well, so
// that they are complained about once.
func (f *files[T]) look() {
	contents, err := readAll(f.paths)
	if err != nil {
		f.log.Warn("credential files cannot be read, the ones before stay in use", "error", err)
		return
	}
	if equal(contents, f.contents) {
		return
	}
	f.contents = contents
	value, err := f.parse(contents)
	if err != nil {
		f.log.Warn("credential files changed and make no sense, the ones before stay in use", "files", f.paths, "error", err)
		return
	}
	f.value = value
	f.log.Info("credential files read again", "files", f.paths)
}

func equal(a, b [][]byte) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func readAll(paths []string) ([][]byte, error) {
	contents := make([][]byte, len(paths))
	for i, path := range paths {
		var err error
		if contents[i], err = read(path); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

// read reads a file; no path is no content.
func read(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	// Opening a pipe would wait for somebody to write to it.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("read %s: not a regular file", path), err)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("read %s: file is larger than %d bytes", path, maxFile)
	}
	return content, err
}
