package local

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

const (
	hourLayout = "2006-01-02T15"
	extension  = ".parquet"
)

// hourOf returns the folder of a time.
func hourOf(t flow.Time) string { return t.Std().Format(hourLayout) }

// hourStart returns the begin of the hour that a time is in.
func hourStart(t flow.Time) flow.Time { return t - t%flow.Time(time.Hour) }

// partName is the name of a file, which says where its rows come from.
type partName struct {
	// segment is the log's segment, the newest of several if the file was merged.
	segment uint64
	// index and count are which of how many files of the segment it is, from 1; 0 if it was merged.
	index, count int
	// generation is how often its rows were merged.
	generation int
}

func (n partName) String() string {
	if n.generation > 0 {
		return fmt.Sprintf("%010d-g%d%s", n.segment, n.generation, extension)
	}
	return fmt.Sprintf("%010d-%dof%d%s", n.segment, n.index, n.count, extension)
}

var partPattern = regexp.MustCompile(`^([0-9]{10,19})-(?:([0-9]{1,5})of([0-9]{1,5})|g([0-9]{1,5}))\.parquet$`)

func parsePartName(name string) (n partName, ok bool) {
	m := partPattern.FindStringSubmatch(name)
	if m == nil {
		return n, false
	}
	n.segment, _ = strconv.ParseUint(m[1], 10, 64)
	n.index, _ = strconv.Atoi(m[2])
	n.count, _ = strconv.Atoi(m[3])
	n.generation, _ = strconv.Atoi(m[4])
	return n, n.generation > 0 || n.index >= 1 && n.index <= n.count
}
