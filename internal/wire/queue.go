package wire

import "sync"

// item is one encoded batch.
type item struct {
	sequence uint64
	dataset  string
	payload  []byte
	rows     int
	// dropped is how many rows were lost before this batch, all told, set when it is sent.
	dropped uint64
}

// itemOverhead is what an item holds beside its payload, so that many small batches are bounded, too.
const itemOverhead = 256

func (i *item) size() int64 { return int64(len(i.payload)) + itemOverhead }

// queue holds batches, bounded in bytes, until they are acknowledged. Batches that were ever sent are kept until then,
// since nobody knows whether they arrived: only so is every row either stored or counted as lost. Room is made by
// dropping the oldest batch that was never sent.
type queue struct {
	limit int64
	// window bounds the bytes that are sent and not acknowledged; one batch may always be.
	window int64

	mu sync.Mutex
	// sent holds the batches that were ever sent, waiting the others, both oldest first. The first next of sent are
	// sent on the present stream; after a failure all are to be sent again.
	sent, waiting []item
	next          int
	// bytes is the size of all batches, inFlight that of the first next of sent.
	bytes, inFlight int64
	rows            uint64
	sequence        uint64
	lost            lost
	acked           uint64
	// changed has a value after each push and acknowledgement.
	changed chan struct{}
}

// lost counts rows that will not arrive, by reason.
type lost struct {
	full, refused, unsendable uint64
}

func (l lost) total() uint64 { return l.full + l.refused + l.unsendable }

func newQueue(limit int64) *queue {
	return &queue{limit: limit, window: limit / 4, changed: make(chan struct{}, 1)}
}

// push numbers a batch and queues it. Where there is no room the oldest waiting batches go, perhaps this one itself.
func (q *queue) push(dataset string, payload []byte, rows int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sequence++
	next := item{sequence: q.sequence, dataset: dataset, payload: payload, rows: rows}
	for len(q.waiting) > 0 && q.bytes+next.size() > q.limit {
		q.lost.full += uint64(q.waiting[0].rows)
		q.forget(&q.waiting)
	}
	if q.bytes+next.size() > q.limit {
		q.lost.full += uint64(rows)
		return
	}
	q.waiting = append(q.waiting, next)
	q.bytes += next.size()
	q.rows += uint64(rows)
	q.signal()
}

// forget takes the first batch off a list.
func (q *queue) forget(list *[]item) {
	first := &(*list)[0]
	q.bytes -= first.size()
	q.rows -= uint64(first.rows)
	*first = item{}
	*list = (*list)[1:]
}

func (q *queue) signal() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// take returns the next batch to send, in the order of their numbers, unless too much is sent already.
func (q *queue) take() (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next == len(q.sent) {
		if len(q.waiting) == 0 || !q.fits(&q.waiting[0]) {
			return item{}, false
		}
		q.sent = append(q.sent, q.waiting[0])
		q.waiting[0] = item{}
		q.waiting = q.waiting[1:]
	}
	if !q.fits(&q.sent[q.next]) {
		return item{}, false
	}
	next := q.sent[q.next]
	next.dropped = q.lost.total()
	q.inFlight += next.size()
	q.next++
	return next, true
}

func (q *queue) fits(i *item) bool { return q.next == 0 || q.inFlight+i.size() <= q.window }

// acknowledge forgets the batches up to a number, which arrived, and returns how many batches that were.
func (q *queue) acknowledge(sequence uint64) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for q.next > 0 && q.sent[0].sequence <= sequence {
		q.acked += uint64(q.sent[0].rows)
		q.settle()
		n++
	}
	q.signal()
	return n
}

// refuse forgets the oldest batch that was sent, if it is this one: the server will never accept it.
func (q *queue) refuse(sequence uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next > 0 && q.sent[0].sequence == sequence {
		q.lost.refused += uint64(q.sent[0].rows)
		q.settle()
	}
	q.signal()
}

// settle takes the first sent batch off: its fate is known.
func (q *queue) settle() {
	q.inFlight -= q.sent[0].size()
	q.next--
	q.forget(&q.sent)
}

// rewind begins a new stream: what was sent and not acknowledged is to be sent again.
func (q *queue) rewind() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next, q.inFlight = 0, 0
	q.signal()
}

// unsendable counts rows that fit into no message.
func (q *queue) unsendable(rows int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost.unsendable += uint64(rows)
}

// empty says whether all is acknowledged.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.sent)+len(q.waiting) == 0
}

// quiet says whether all that was sent on the present stream is acknowledged.
func (q *queue) quiet() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next == 0
}

// dropped is how many rows are lost, all told.
func (q *queue) dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost.total()
}

// stats fills in what the queue knows.
func (q *queue) stats(s *Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Acknowledged, s.Queued, s.QueuedBytes = q.acked, q.rows, q.bytes
	s.Full, s.Refused, s.Unsendable = q.lost.full, q.lost.refused, q.lost.unsendable
	for i := range q.sent {
		s.Unconfirmed += uint64(q.sent[i].rows)
	}
}
