package server

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/wire"
	"github.com/seine-net/seine/internal/wire/wiretest"
)

// proxy passes connections on to an address, and cuts them all when it is told to.
type proxy struct {
	listener net.Listener
	target   string

	mu   sync.Mutex
	open map[net.Conn]struct{}
	// fresh says that a connection was made since the last cut, of which cuts were.
	fresh bool
	cuts  int
	group sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, open: make(map[net.Conn]struct{})}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.group.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		p.open[near], p.open[far], p.fresh = struct{}{}, struct{}{}, true
		p.mu.Unlock()
		p.group.Go(func() { p.pass(near, far) })
		p.group.Go(func() { p.pass(far, near) })
	}
}

func (p *proxy) pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, to)
	delete(p.open, from)
}

// cut closes all connections at once.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close()
	}
}

// cutFresh cuts, up to some times, if there is a connection that was not cut yet.
func (p *proxy) cutFresh(limit int) {
	p.mu.Lock()
	due := p.fresh && p.cuts < limit
	if due {
		p.cuts++
		p.fresh = false
	}
	p.mu.Unlock()
	if due {
		p.cut()
	}
}

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// The connection is cut when a batch is durable and before that is acknowledged, again and again: the batch comes
// twice, and is kept once.
func TestDuplicateDelivery(t *testing.T) {
	m := newMemoryEngine()
	server := newServer(t, Config{Engine: m})
	address, _ := listen(t, server, "127.0.0.1:0")
	p := newProxy(t, address)
	const cuts, size = 5, 20
	m.after = func() { p.cutFresh(cuts) }
	follower := subscribe(t, server, "flows")
	sender := send(t, wire.SenderConfig{Server: p.listener.Addr().String(), Drain: wiretest.WaitLimit})
	stopTraffic := traffic(t, sender, size, 5*time.Millisecond)
	wiretest.Eventually(t, "cuts", func() bool { return p.count() == cuts })
	sent := stopTraffic()
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	if got := m.once(t); got != sent {
		t.Errorf("%d records are kept, want %d", got, sent)
	}
	stats := sender.Stats()
	t.Logf("%d records, %d cuts, %d streams, %d batches came twice", sent, cuts, stats.Streams, m.repeats())
	if stats.Streams < 2 || m.repeats() == 0 {
		t.Error("no batch came twice, so this test shows nothing")
	}
	if got := server.Status(); got.Stored != uint64(sent) || got.Repeated != uint64(m.repeats()*size) {
		t.Errorf("status counts %d rows stored and %d repeated, want %d and %d", got.Stored, got.Repeated, sent, m.repeats()*size)
	}
	for i := 0; i < sent; i += size {
		want(t, follower, int64(i), 0)
	}
}
