package local

import (
	"fmt"
	"runtime"
	"time"
)

// GarbagePercent is how much garbage a process that only serves a store should let grow (GOGC), in percent of what is
// in use. 400 MiB is the most that a server should take while it stores: with 100 it took 324, with 125 355 and no less
// processor time that could be told.
const GarbagePercent = 100

// Config is what an operator may choose. The zero value of a member but Dir is its default.
type Config struct {
	// Dir is the folder, made if it does not exist.
	Dir string
	// MaxAge is how long rows are found after their time; 0 is without limit. Their bytes are freed with the last row of
	// their file, of which one of past days holds up to a day.
	MaxAge time.Duration
	// MaxBytes bounds the files, the oldest of which are removed when there are more; 0 is without limit. The log and
	// files being written come on top, at most about 200 MB.
	MaxBytes int64
	// SyncInterval is 0 to acknowledge a batch once it is on the disk. Otherwise the disk is asked at this interval: a
	// loss of power, but not a killed process, then costs what was acknowledged since.
	SyncInterval time.Duration
	// FlushRows is how many rows are held in memory before they are written as files, and FlushAge how long. Of the default,
	// 48 Ki rows, two tables and what writes them take some 120 MiB.
	FlushRows int
	FlushAge  time.Duration
	// MaxAhead is how far a row's time may be ahead of this machine's clock; what is further is set back to it.
	MaxAhead time.Duration
	// Workers is how many processors a query may use, QueryMemory about how many bytes it may hold.
	Workers     int
	QueryMemory int
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

const (
	defaultFlushRows   = 48 << 10
	defaultFlushAge    = 5 * time.Minute
	defaultMaxAhead    = 10 * time.Minute
	defaultQueryMemory = 64 << 20
)

// withDefaults fills in what was not chosen, and refuses what makes no sense.
func (c Config) withDefaults() (Config, error) {
	for _, m := range []struct {
		name  string
		value int64
	}{
		{"MaxAge", int64(c.MaxAge)},
		{"MaxBytes", c.MaxBytes},
		{"SyncInterval", int64(c.SyncInterval)},
		{"FlushRows", int64(c.FlushRows)},
		{"FlushAge", int64(c.FlushAge)},
		{"MaxAhead", int64(c.MaxAhead)},
		{"Workers", int64(c.Workers)},
		{"QueryMemory", int64(c.QueryMemory)},
	} {
		if m.value < 0 {
			return c, fmt.Errorf("configure store: %s is %d, want 0 or more", m.name, m.value)
		}
	}
	setDefault(&c.FlushRows, defaultFlushRows)
	setDefault(&c.FlushAge, defaultFlushAge)
	setDefault(&c.MaxAhead, defaultMaxAhead)
	setDefault(&c.Workers, runtime.GOMAXPROCS(0))
	setDefault(&c.QueryMemory, defaultQueryMemory)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func setDefault[T comparable](member *T, value T) {
	var zero T
	if *member == zero {
		*member = value
	}
}
