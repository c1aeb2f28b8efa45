package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pushed queues batches of one row and 744 bytes of payload, so that each has 1000 bytes.
func pushed(q *queue, count int) {
	for range count {
		q.push("flows", make([]byte, 1000-itemOverhead), 1)
	}
}

// taken sends as many as may be, and returns their numbers.
func taken(q *queue) []uint64 {
	var numbers []uint64
	for {
		next, ok := q.take()
		if !ok {
			return numbers
		}
		numbers = append(numbers, next.sequence)
	}
}

func TestQueue(t *testing.T) {
	f := func(name string, limit int64, do func(*queue) []uint64, want []uint64, wantLost uint64) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			q := newQueue(limit)
			if diff := cmp.Diff(want, do(q)); diff != "" {
				t.Errorf("batches sent (-want +got):\n%s", diff)
			}
			if got := q.dropped(); got != wantLost {
				t.Errorf("lost %d, want %d", got, wantLost)
			}
			if q.bytes > limit {
				t.Errorf("queue holds %d bytes, want at most %d", q.bytes, limit)
			}
		})
	}
	f("in order", 100_000, func(q *queue) []uint64 {
		pushed(q, 3)
		return taken(q)
	}, []uint64{1, 2, 3}, 0)
	f("a quarter may be in flight", 12_000, func(q *queue) []uint64 {
		pushed(q, 12)
		return taken(q)
	}, []uint64{1, 2, 3}, 0)
	f("one may always be", 2_000, func(q *queue) []uint64 {
		pushed(q, 2)
		return taken(q)
	}, []uint64{1}, 0)
	f("acknowledging makes room", 4_000, func(q *queue) []uint64 {
		pushed(q, 4)
		first := taken(q)
		q.acknowledge(1)
		return append(first, taken(q)...)
	}, []uint64{1, 2}, 0)
	f("the oldest go", 4_000, func(q *queue) []uint64 {
		pushed(q, 6)
		return taken(q)
	}, []uint64{3}, 2)
	f("what was sent does not", 4_000, func(q *queue) []uint64 {
		pushed(q, 4)
		first := taken(q)
		pushed(q, 3)
		q.acknowledge(1)
		return append(first, taken(q)...)
	}, []uint64{1, 5}, 3)
	f("what was sent does not after a failure either", 4_000, func(q *queue) []uint64 {
		pushed(q, 4)
		first := taken(q)
		q.rewind()
		pushed(q, 3)
		return append(first, taken(q)...)
	}, []uint64{1, 1}, 3)
	f("all is sent again after a failure", 8_000, func(q *queue) []uint64 {
		pushed(q, 3)
		first := taken(q)
		q.rewind()
		return append(first, taken(q)...)
	}, []uint64{1, 2, 1, 2}, 0)
	f("but what was acknowledged", 8_000, func(q *queue) []uint64 {
		pushed(q, 3)
		first := taken(q)
		q.acknowledge(1)
		q.rewind()
		return append(first, taken(q)...)
	}, []uint64{1, 2, 2, 3}, 0)
	f("one that is too large itself", 900, func(q *queue) []uint64 {
		pushed(q, 1)
		return taken(q)
	}, nil, 1)
	f("refused", 8_000, func(q *queue) []uint64 {
		pushed(q, 3)
		first := taken(q)
		q.refuse(1)
		return append(first, taken(q)...)
	}, []uint64{1, 2, 3}, 1)
	f("a refusal out of turn changes nothing", 8_000, func(q *queue) []uint64 {
		pushed(q, 3)
		first := taken(q)
		q.refuse(2)
		q.refuse(0)
		q.rewind()
		return append(first, taken(q)...)
	}, []uint64{1, 2, 1, 2}, 0)
	f("an acknowledgement of what was not sent changes nothing", 8_000, func(q *queue) []uint64 {
		pushed(q, 3)
		q.acknowledge(3)
		return taken(q)
	}, []uint64{1, 2}, 0)
}

// Whatever happens, each row is acknowledged, queued or lost.
func TestQueueCountsEveryRow(t *testing.T) {
	q := newQueue(10_000)
	check := func(pushed uint64) {
		t.Helper()
		var s Stats
		q.stats(&s)
		if got := s.Acknowledged + s.Queued + s.Full + s.Refused; got != pushed {
			t.Fatalf("%d acknowledged + %d queued + %d full + %d refused = %d rows, want %d",
				s.Acknowledged, s.Queued, s.Full, s.Refused, got, pushed)
		}
	}
	rows, last := uint64(0), uint64(0)
	for i := range 10_000 {
		switch i % 7 {
		case 2:
			for _, number := range taken(q) {
				last = number
			}
		case 4:
			q.acknowledge(last)
		case 5:
			q.rewind()
		case 6:
			q.refuse(last)
		default:
			pushed(q, i%5)
			rows += uint64(i % 5)
		}
		check(rows)
	}
	if q.dropped() == 0 {
		t.Error("the queue was never full, so this test shows nothing")
	}
}
