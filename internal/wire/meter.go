package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/stats"
)

const (
	// maxHeld bounds what has come of messages, whole or not, that are not dealt with. Beyond it connections are read no
	// further, but for freeBytes each, so that greetings and small batches pass whatever others do.
	maxHeld   = 128 << 20
	freeBytes = 32 << 10
	// messageWithin is how long a message may take to arrive once more than freeBytes of it have come, waits for room
	// included: else messages that wait for each other's room would wait for ever.
	messageWithin = time.Minute
)

// meter bounds the memory that messages from all connections take. It counts the bytes that come on each, until the
// receiver says that it has dealt with the message that they were of.
type meter struct {
	limit  int64
	within time.Duration
	// slow is called for a connection that is closed since its message did not arrive in time.
	slow func(address string)

	mu    sync.Mutex
	held  int64
	conns map[string]*meteredConn
	// room is closed, and made anew, when less is held.
	room chan struct{}
}

func newMeter(slow func(address string)) *meter {
	return &meter{
		limit: maxHeld, within: messageWithin, slow: slow,
		conns: make(map[string]*meteredConn), room: make(chan struct{}),
	}
}

// meteredListener meters the connections that it accepts.
type meteredListener struct {
	net.Listener
	meter *meter
}

// Accept waits for the next connection.
func (l meteredListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	m := l.meter
	c := &meteredConn{Conn: conn, meter: m, closed: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[conn.RemoteAddr().String()] = c
	return c, nil
}

// meteredConn is one connection. Its counts are under meter.mu.
type meteredConn struct {
	net.Conn
	meter  *meter
	closed chan struct{}
	once   sync.Once
	// held is what came and is not dealt with, arriving the part of it that is of no whole message yet.
	held, arriving int64
	// streams is how many are open.
	streams int
	// late closes the connection; it runs while more than freeBytes are arriving.
	late *time.Timer
}

// Read waits while too much is held.
func (c *meteredConn) Read(p []byte) (int, error) {
	if err := c.waitForRoom(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p[:min(len(p), freeBytes)])
	c.count(int64(n))
	return n, err
}

func (c *meteredConn) waitForRoom() error {
	m := c.meter
	for {
		m.mu.Lock()
		room := m.room
		if c.held < freeBytes || m.held < m.limit {
			m.mu.Unlock()
			return nil
		}
		m.mu.Unlock()
		select {
		case <-room:
		case <-c.closed:
			return net.ErrClosed
		}
	}
}

func (c *meteredConn) count(n int64) {
	m := c.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.isClosed() {
		return
	}
	c.held, c.arriving, m.held = c.held+n, c.arriving+n, m.held+n
	c.watch(c.arriving > freeBytes)
}

// watch starts the time that a message has to arrive, unless it runs, or stops it. The caller holds meter.mu.
func (c *meteredConn) watch(arriving bool) {
	if arriving == (c.late != nil) {
		return
	}
	if !arriving {
		c.late.Stop()
		c.late = nil
		return
	}
	c.late = time.AfterFunc(c.meter.within, func() {
		c.meter.slow(c.RemoteAddr().String())
		_ = c.Close() // The reader gets the error.
	})
}

// begin and end count the streams of a connection. When none is left, what came of the last is gone.
func (c *meteredConn) begin() {
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	c.streams++
}

func (c *meteredConn) end() {
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	if c.streams--; c.streams == 0 {
		c.arriving = 0
		c.watch(false)
		c.release(c.held)
	}
}

// framed is about what a message takes on the connection, with the frames of HTTP/2 and TLS around it.
func framed(size int) int64 { return int64(size + size/64 + 1<<10) }

// arrived notes that a message is whole.
func (c *meteredConn) arrived(size int) {
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	c.arriving = max(0, c.arriving-framed(size))
	c.watch(false)
	c.watch(c.arriving > freeBytes)
}

// done notes that a message was dealt with.
func (c *meteredConn) done(size int) {
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	c.release(min(c.held, framed(size)))
}

// release makes room. The caller holds meter.mu.
func (c *meteredConn) release(n int64) {
	c.held -= n
	c.meter.held -= n
	close(c.meter.room)
	c.meter.room = make(chan struct{})
}

func (c *meteredConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// Close closes the connection, which then holds nothing.
func (c *meteredConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		m := c.meter
		m.mu.Lock()
		close(c.closed)
		c.watch(false)
		c.release(c.held)
		delete(m.conns, c.RemoteAddr().String())
		m.mu.Unlock()
		err = c.Conn.Close()
	})
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// connKey is where a stream's context has its connection.
type connKey struct{}

// connOf returns the connection of a stream.
func connOf(ctx context.Context) *meteredConn {
	c, ok := ctx.Value(connKey{}).(*meteredConn)
	if !ok {
		panic("BUG: a stream came by a connection that is not metered")
	}
	return c
}

// TagConn gives contexts their connection; gRPC calls it. The other methods are of no use here.
func (m *meter) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.conns[info.RemoteAddr.String()]
	if c == nil { // It is closed already, and counts for nothing.
		c = &meteredConn{meter: m, closed: make(chan struct{})}
	}
	return context.WithValue(ctx, connKey{}, c)
}

func (m *meter) HandleConn(context.Context, stats.ConnStats) {}

func (m *meter) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (m *meter) HandleRPC(context.Context, stats.RPCStats) {}
