package wire

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seine-net/seine/internal/wire/wirepb"
	"github.com/seine-net/seine/internal/wire/wiretest"
)

// stuckConn passes so many bytes on, and then none until it is closed.
type stuckConn struct {
	net.Conn
	mu     sync.Mutex
	left   int
	closed chan struct{}
	once   sync.Once
}

func (c *stuckConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) > c.left {
		n, err := c.Conn.Write(p[:c.left])
		c.left -= n
		if err != nil {
			return n, err
		}
		<-c.closed
		return n, net.ErrClosed
	}
	c.left -= len(p)
	return c.Conn.Write(p)
}

func (c *stuckConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// begin begins a message of some megabytes, of which only the first bytes come. It returns when the stream breaks.
func begin(ctx context.Context, t *testing.T, address string, bytes int) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			return &stuckConn{Conn: conn, left: bytes, closed: make(chan struct{})}, err
		}))
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	stream, err := wirepb.NewReceiverClient(conn).Deliver(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	if err := stream.Send(helloMessage(nil)); err == nil {
		_ = stream.Send(batchMessage(1, "flows", make([]byte, maxBatchBytes)))
	}
	for err == nil {
		_, err = stream.Recv()
	}
}

// TestUnfinishedMessages has many streams that begin a message and never end it. They may hold so much together and so
// long; an honest agent is served meanwhile, and all is given back in the end.
func TestUnfinishedMessages(t *testing.T) {
	const limit, streams, each = 4 << 20, 12, 2 << 20
	k := newKeeper()
	r, err := Listen(ReceiverConfig{Listen: "127.0.0.1:0", Version: "server-1"}, k, discard)
	if err != nil {
		t.Fatal(err)
	}
	r.meter.limit, r.meter.within = limit, 2*time.Second
	run(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.WaitLimit)
	defer cancel()
	var group sync.WaitGroup
	for range streams {
		group.Go(func() { begin(ctx, t, r.Addr().String(), each) })
	}
	most := int64(0)
	held := func() int64 {
		r.meter.mu.Lock()
		defer r.meter.mu.Unlock()
		most = max(most, r.meter.held)
		return r.meter.held
	}
	wiretest.Eventually(t, "a full meter", func() bool { return held() >= limit })
	s := send(t, SenderConfig{Server: r.Addr().String(), Drain: wiretest.WaitLimit})
	sink(t, s, wiretest.Records(0, 100))
	wiretest.Eventually(t, "records of an honest agent", func() bool { held(); return k.kept(t) == 100 })
	closeSender(t, s)
	group.Wait()
	wiretest.Eventually(t, "an empty meter", func() bool { return held() == 0 })
	if over := most - limit; over > 2*streams*freeBytes {
		t.Errorf("%d bytes were held, want at most %d and %d for each stream", most, limit, 2*freeBytes)
	}
	if got := r.Stats().Refusals[slowReason]; got != streams {
		t.Errorf("%d connections were closed as too slow, want %d", got, streams)
	}
}

// TestMeterForgetsWhatIsDone delivers much more than the meter may hold.
func TestMeterForgetsWhatIsDone(t *testing.T) {
	k := newKeeper()
	r, err := Listen(ReceiverConfig{Listen: "127.0.0.1:0", Version: "server-1"}, k, discard)
	if err != nil {
		t.Fatal(err)
	}
	r.meter.limit = 256 << 10
	run(t, r)
	s := send(t, SenderConfig{Server: r.Addr().String(), Drain: wiretest.WaitLimit})
	const batches, rows = 40, 4000
	for i := range batches {
		sink(t, s, wiretest.Records(i*rows, rows))
	}
	closeSender(t, s)
	if got := k.kept(t); got != batches*rows {
		t.Errorf("%d records arrived, want %d", got, batches*rows)
	}
	wiretest.Eventually(t, "an empty meter", func() bool {
		r.meter.mu.Lock()
		defer r.meter.mu.Unlock()
		return r.meter.held == 0 && len(r.meter.conns) == 0
	})
	if got := r.Stats().Refusals[slowReason]; got != 0 {
		t.Errorf("%d connections were closed as too slow", got)
	}
}
