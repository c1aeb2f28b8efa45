package server

import (
	"context"
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
)

// tail gives stored batches to those who follow.
type tail struct {
	limit      int
	queueBytes int64

	mu     sync.Mutex
	queues map[*Subscription]struct{}
	// clients are those of queues that limit bounds; lost counts the rows that they were too slow for.
	clients int
	lost    uint64
}

// Subscription follows what is stored from its begin on. Its queue is bounded: while the follower is too slow the oldest
// batches are dropped, and the next delivery says how many rows that were. One goroutine may call Next at a time.
type Subscription struct {
	tail    *tail
	dataset string
	// limit bounds the queue, in bytes.
	limit int64
	// own is that of a part of this process, which tells itself what it was too slow for.
	own   bool
	ready chan struct{}

	mu     sync.Mutex
	queue  []sized
	bytes  int64
	lost   uint64
	closed bool
	// dropped is what lost was in all.
	dropped uint64
}

type sized struct {
	rows  arrow.RecordBatch
	bytes int64
}

// Tail is one batch of a subscription.
type Tail struct {
	// Rows is the caller's, who releases it.
	Rows arrow.RecordBatch
	// Lost is how many rows were dropped since the delivery before, for this subscriber alone.
	Lost uint64
}

// Subscribe follows a dataset until Close. An error says that there are as many subscribers as may be.
func (s *Server) Subscribe(dataset string) (*Subscription, error) {
	t := &s.tail
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients >= t.limit {
		return nil, fmt.Errorf("%d clients follow live already, which is the limit: try later", t.limit)
	}
	t.clients++
	return t.follow(&Subscription{dataset: dataset, limit: t.queueBytes}), nil
}

// Follow is Subscribe for a part of this process, with a queue of so many bytes: it is none of the clients that Status
// counts and bounds.
func (s *Server) Follow(dataset string, queueBytes int64) *Subscription {
	s.tail.mu.Lock()
	defer s.tail.mu.Unlock()
	return s.tail.follow(&Subscription{dataset: dataset, limit: queueBytes, own: true})
}

func (t *tail) follow(sub *Subscription) *Subscription {
	sub.tail, sub.ready = t, make(chan struct{}, 1)
	t.queues[sub] = struct{}{}
	return sub
}

// Next waits for the next batch, or for the context to end, whose error it returns then.
func (sub *Subscription) Next(ctx context.Context) (Tail, error) {
	for {
		if next, ok := sub.take(); ok {
			return next, nil
		}
		select {
		case <-ctx.Done():
			return Tail{}, ctx.Err()
		case <-sub.ready:
		}
	}
}

func (sub *Subscription) take() (Tail, bool) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if len(sub.queue) == 0 {
		return Tail{}, false
	}
	next := Tail{Rows: sub.queue[0].rows, Lost: sub.lost}
	sub.drop()
	sub.lost = 0
	return next, true
}

// drop takes the oldest batch off the queue.
func (sub *Subscription) drop() {
	sub.bytes -= sub.queue[0].bytes
	sub.queue[0] = sized{}
	sub.queue = sub.queue[1:]
}

// Close ends the subscription and releases what waits.
func (sub *Subscription) Close() {
	sub.tail.forget(sub)
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.closed = true
	for len(sub.queue) > 0 {
		sub.queue[0].rows.Release()
		sub.drop()
	}
}

// forget is done once for each subscription, however often it is closed.
func (t *tail) forget(sub *Subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, follows := t.queues[sub]; follows && !sub.own {
		t.clients--
	}
	delete(t.queues, sub)
}

// Bytes is what waits.
func (sub *Subscription) Bytes() int64 {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.bytes
}

// Lost is how many rows were dropped since the begin, those included that no delivery has told of yet.
func (sub *Subscription) Lost() uint64 {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.dropped
}

// publish gives a batch to all who follow its dataset.
func (t *tail) publish(dataset string, rows arrow.RecordBatch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queues) == 0 {
		return
	}
	bytes := sizeOf(rows)
	for sub := range t.queues {
		if sub.dataset != dataset {
			continue
		}
		if lost := sub.push(sized{rows, bytes}); !sub.own {
			t.lost += lost
		}
	}
}

// push queues a batch and returns how many rows had to go for it. A batch larger than the bound is alone in the queue.
func (sub *Subscription) push(next sized) (lost uint64) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.closed {
		return 0
	}
	for len(sub.queue) > 0 && sub.bytes+next.bytes > sub.limit {
		lost += uint64(sub.queue[0].rows.NumRows())
		sub.queue[0].rows.Release()
		sub.drop()
	}
	sub.lost += lost
	sub.dropped += lost
	next.rows.Retain()
	sub.queue = append(sub.queue, next)
	sub.bytes += next.bytes
	select {
	case sub.ready <- struct{}{}:
	default:
	}
	return lost
}

// use returns how many clients follow, and the rows that they were too slow for.
func (t *tail) use() (subscribers int, lost uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clients, t.lost
}
