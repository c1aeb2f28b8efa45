package demo

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// callLimit is how many calls one loop makes in its life, so that a forgotten demo falls silent: a loop of one call
// a second ends after more than a day.
const callLimit = 100_000

// traffic is the loops of a process: each makes one call every so often.
type traffic struct {
	client *client
	calls  []call
	left   []int
	stop   func()
}

func newTraffic(c *client, calls []call) *traffic {
	t := &traffic{client: c, calls: calls, left: make([]int, len(calls)), stop: func() {}}
	for i := range t.left {
		t.left[i] = callLimit
	}
	return t
}

// set starts the loops, or stops them and waits for their last calls. It may be called again with the same value.
func (t *traffic) set(on bool) {
	t.stop()
	t.stop = func() {}
	if !on {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	for i := range t.calls {
		loops.Go(func() { t.loop(ctx, i) })
	}
	t.stop = func() {
		cancel()
		loops.Wait()
	}
}

// loop makes its first call within one period, so that the loops of the cluster do not beat together. A call that
// takes longer than the period delays the next one: a slow server gets fewer calls, never more.
func (t *traffic) loop(ctx context.Context, i int) {
	c := t.calls[i]
	wait := rand.N(c.Every)
	for ; t.left[i] > 0 && pause(ctx, wait) == nil; t.left[i]-- {
		start := time.Now()
		t.client.call(c)
		wait = max(c.Every-time.Since(start), time.Millisecond)
	}
}
