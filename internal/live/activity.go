package live

import "time"

// slots is the number of intervals that activity remembers.
const slots = 16

// activity holds the bytes, sent and received, of the last intervals.
type activity struct {
	last uint32
	ring [slots][2]uint64
}

// add counts bytes in an interval, which is the last one or a later one.
func (a *activity) add(seq uint32, sent, received uint64) {
	if seq-a.last >= slots {
		a.ring = [slots][2]uint64{}
	} else {
		for i := a.last + 1; i != seq+1; i++ {
			a.ring[i%slots] = [2]uint64{}
		}
	}
	a.last = seq
	a.ring[seq%slots][0] += sent
	a.ring[seq%slots][1] += received
}

// at returns the bytes of an interval; none if nothing came in it, or it is forgotten.
func (a *activity) at(seq uint32) [2]uint64 {
	if seq > a.last || a.last-seq >= slots {
		return [2]uint64{}
	}
	return a.ring[seq%slots]
}

const (
	// shortest is the least that is taken for an interval. A flow map under pressure is emptied more often; rates over
	// such moments would only flicker.
	shortest = time.Second
	// together is the most time between two batches of one interval, whose records come in several; evictions are at
	// least twice as far apart.
	together = 50 * time.Millisecond
	// maxSources bounds the nodes whose intervals are told apart. Those beyond share one.
	maxSources = 1024
)

// source counts the intervals of one node.
type source struct {
	start, end time.Time
	// last is when the newest batch came.
	last   time.Time
	seq    uint32
	before time.Duration
	// all has the volumes of all its records that count, also of rows that had to leave.
	all activity
}

// advance notes that records came in now.
func (s *source) advance(now time.Time) {
	before := s.last
	s.last = now
	if now.Sub(before) < together {
		return
	}
	if s.whole() {
		s.before, s.start = s.end.Sub(s.start), s.end
		s.seq++
	}
	s.end = now
}

func (s *source) whole() bool { return s.end.Sub(s.start) >= shortest }

// newest returns the last interval that is whole, and its length.
func (s *source) newest() (uint32, time.Duration) {
	if s.whole() {
		return s.seq, s.end.Sub(s.start)
	}
	return s.seq - 1, s.before
}

// silent tells whether the source has missed its time by far: then nothing is known of the present.
func (s *source) silent(now time.Time) bool {
	_, length := s.newest()
	return now.Sub(s.end) > 3*length+shortest
}

// rate returns the bytes per second of the last whole interval.
func (s *source) rate(a *activity, now time.Time) (rate [2]float64, newest uint32) {
	newest, length := s.newest()
	if length <= 0 || s.silent(now) {
		return rate, newest
	}
	for way, bytes := range a.at(newest) {
		rate[way] = float64(bytes) / length.Seconds()
	}
	return rate, newest
}
