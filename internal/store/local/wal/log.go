package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a log needs to know.
type Options struct {
	// Dir is the folder, which exists.
	Dir string
	// Next is the number of the first segment that is written.
	Next uint64
	// SyncInterval is 0 to acknowledge a batch when the disk has it. Else the disk is asked at this interval: a
	// machine that loses power then loses what was acknowledged since, a process that is killed loses nothing.
	SyncInterval time.Duration
	// Origins returns the sequence numbers to begin a segment with. The log calls it from its own goroutine.
	Origins func() Origins
}

// Log appends to a folder of segments. One goroutine writes, for all who append.
type Log struct {
	options Options
	mu      sync.Mutex
	// gathering takes the frames that the next write will hold.
	gathering *group
	// numbers is the highest number that was given out.
	numbers   atomic.Uint64
	wake      chan struct{}
	rotations chan rotation
	stop      chan struct{}
	stopped   chan struct{}
	closeOnce sync.Once

	// What follows belongs to the writing goroutine.
	file    *os.File
	segment uint64
	size    int64
	dirty   bool
	failure error
}

// group is the frames of one write.
type group struct {
	bytes     []byte
	committed []func(segment uint64)
	done      chan struct{}
	err       error
}

type rotation struct {
	sealed chan uint64
	err    chan error
}

// ErrClosed says that the log is closed.
var ErrClosed = errors.New("log is closed")

// New starts a log. It makes no file before there is something to write.
func New(options Options) *Log {
	l := &Log{
		options: options, segment: options.Next - 1,
		gathering: newGroup(), wake: make(chan struct{}, 1), rotations: make(chan rotation),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.numbers.Store(options.Next - 1)
	go l.run()
	return l
}

// Number returns a number that no segment has or will have.
func (l *Log) Number() uint64 { return l.numbers.Add(1) }

func newGroup() *group { return &group{done: make(chan struct{})} }

// Append writes the frame and returns when it is durable. Before that, committed is called with the number of the
// segment that has it, by the log's goroutine and in the order of the frames.
func (l *Log) Append(f *Frame, committed func(segment uint64)) error {
	g, err := l.join(f, committed)
	if err != nil {
		return err
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	select {
	case <-g.done:
		return g.err
	case <-l.stopped:
	}
	select {
	case <-g.done: // Written by the last round.
		return g.err
	default:
		return ErrClosed
	}
}

func (l *Log) join(f *Frame, committed func(segment uint64)) (*group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.gathering
	data, err := appendFrame(g.bytes, f)
	g.bytes = data
	if err != nil {
		return nil, err
	}
	g.committed = append(g.committed, committed)
	return g, nil
}

// Rotate ends the current segment and begins the next, which then holds the origins. It returns the number of the
// newest segment that has ended: all up to it may be removed once their rows are kept elsewhere.
func (l *Log) Rotate() (uint64, error) {
	r := rotation{sealed: make(chan uint64, 1), err: make(chan error, 1)}
	select {
	case l.rotations <- r:
	case <-l.stopped:
		return 0, ErrClosed
	}
	return <-r.sealed, <-r.err
}

// Remove deletes a segment that has ended.
func (l *Log) Remove(segment uint64) error {
	if err := os.Remove(Path(l.options.Dir, segment)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove segment: %w", err)
	}
	return syncDir(l.options.Dir)
}

// Close writes what was appended and ends the log. Later calls return ErrClosed.
func (l *Log) Close() error {
	l.closeOnce.Do(func() { close(l.stop) })
	<-l.stopped
	return l.failure
}

func (l *Log) run() {
	defer close(l.stopped)
	var tick <-chan time.Time
	if l.options.SyncInterval > 0 {
		ticker := time.NewTicker(l.options.SyncInterval)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-l.wake:
			l.write()
		case r := <-l.rotations:
			l.write()
			sealed, err := l.rotate()
			r.sealed <- sealed
			r.err <- err
		case <-tick:
			l.sync()
		case <-l.stop:
			l.write()
			l.finish()
			return
		}
	}
}

// write takes the frames gathered so far to the disk.
func (l *Log) write() {
	l.mu.Lock()
	g := l.gathering
	if len(g.committed) == 0 {
		l.mu.Unlock()
		return
	}
	l.gathering = newGroup()
	l.mu.Unlock()
	g.err = l.commit(g.bytes)
	if g.err == nil {
		for _, committed := range g.committed {
			committed(l.segment)
		}
	}
	close(g.done)
}

// commit appends the bytes to the current segment. After an error the segment is as before, or is ended.
func (l *Log) commit(data []byte) error {
	if err := l.begin(); err != nil {
		return err
	}
	_, err := l.file.WriteAt(data, l.size)
	if err == nil && l.options.SyncInterval == 0 {
		err = l.file.Sync()
	}
	if err != nil {
		l.abandon()
		return fmt.Errorf("write segment: %w", err)
	}
	l.size += int64(len(data))
	l.dirty = l.options.SyncInterval > 0
	return nil
}

// abandon takes back what a failed write may have left. What the kernel has of the file is not known after a failed
// fsync, so the next write begins another segment.
func (l *Log) abandon() {
	l.failure = errors.Join(l.file.Truncate(l.size), l.file.Sync(), l.file.Close())
	l.file = nil
}

// begin opens the next segment if there is none.
func (l *Log) begin() error {
	if l.file != nil {
		return nil
	}
	header, err := appendFrame(nil, l.options.Origins().frame())
	if err != nil {
		return fmt.Errorf("begin segment: %w", err)
	}
	number := l.numbers.Add(1)
	path := Path(l.options.Dir, number)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("begin segment: %w", err)
	}
	if err := writeHeader(file, header); err != nil {
		return errors.Join(fmt.Errorf("begin segment: %w", err), file.Close(), os.Remove(path))
	}
	l.file, l.size = file, int64(len(header))
	l.segment = number
	return nil
}

func writeHeader(file *os.File, header []byte) error {
	if _, err := file.Write(header); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file.Name()))
}

// rotate ends the segment after the next one has begun, so that the origins are always in one of them.
func (l *Log) rotate() (uint64, error) {
	old, sealed := l.file, l.segment
	l.sync()
	l.file = nil
	if err := l.begin(); err != nil {
		l.file = old
		return 0, err
	}
	if old == nil {
		return sealed, nil
	}
	return sealed, old.Close()
}

func (l *Log) sync() {
	if l.file == nil || !l.dirty {
		return
	}
	l.dirty = false
	if err := l.file.Sync(); err != nil {
		l.failure = fmt.Errorf("sync segment: %w", err)
	}
}

func (l *Log) finish() {
	if l.file == nil {
		return
	}
	l.failure = errors.Join(l.failure, l.file.Sync(), l.file.Close())
	l.file = nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
