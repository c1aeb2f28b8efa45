package local

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

const extension = ".parquet"

// periods are what a folder can stand for, by the layout of its name: usually an hour; longer ones for old rows that are
// spread so thinly that a file for each hour would be too many.
var periods = []period{
	{"2006-01-02T15", 0, 0, 0},
	{"2006-01-02", 0, 0, 1},
	{"2006-01", 0, 1, 0},
	{"2006", 1, 0, 0},
}

type period struct {
	layout              string
	years, months, days int
}

var hourly, daily = &periods[0], &periods[1]

// folder returns the name of the folder of a time.
func (p *period) folder(t flow.Time) string { return t.Std().Format(p.layout) }

// bounds returns the first and the last time of the period that a time is in.
func (p *period) bounds(t flow.Time) (first, last flow.Time) {
	if p == hourly {
		first = t - t%flow.Time(time.Hour)
		return first, first + flow.Time(time.Hour) - 1
	}
	begin, err := time.Parse(p.layout, p.folder(t))
	if err != nil {
		panic("BUG: a folder's name is not of its layout: " + err.Error())
	}
	end := begin.AddDate(p.years, p.months, p.days)
	return flow.Time(begin.UnixNano()), flow.Time(end.UnixNano()) - 1
}

// periodOf returns what a folder's name stands for; false if it is no folder of the store's.
func periodOf(folder string) (*period, bool) {
	for i := range periods {
		if t, err := time.Parse(periods[i].layout, folder); err == nil && t.Format(periods[i].layout) == folder {
			return &periods[i], true
		}
	}
	return nil, false
}

// partName is the name of a file, which says where its rows come from.
type partName struct {
	// segment is the log's segment. A merged file has a number of its own there, which is higher than those that it
	// replaces, and which no other file gets as long as this one is there.
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
