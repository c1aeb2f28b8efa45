package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The headers in which an HTTP server says who answered and whom it saw as its client.
const (
	answeredHeader = "X-Demo-Pod"
	clientHeader   = "X-Demo-Client"
)

// httpProgram is an HTTP server of a pod, which asks the next one in the chain before it answers.
type httpProgram struct {
	server
	name   string
	client *client
	body   []byte
	served atomic.Uint64
	delay  atomic.Int64 // nanoseconds

	mu      sync.Mutex
	running *http.Server // nil while it refuses connections
}

func startHTTP(s server, name string, c *client) (*httpProgram, error) {
	p := &httpProgram{server: s, name: name, client: c, body: []byte(strings.Repeat("x", s.Size))}
	return p, p.listen()
}

// listen opens the port, if it is not open.
func (p *httpProgram) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return nil
	}
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", p.Port))
	if err != nil {
		return err
	}
	p.running = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	go p.running.Serve(l)
	return nil
}

// refuse closes the port and all connections.
func (p *httpProgram) refuse() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return nil
	}
	err := p.running.Close()
	p.running = nil
	return err
}

func (p *httpProgram) behave(b behaviour) error {
	p.delay.Store(int64(b.Delay))
	if b.Refuse {
		return p.refuse()
	}
	return p.listen()
}

// ServeHTTP answers after the delay, and, unless it was only pinged, after the next server of the chain has answered.
func (p *httpProgram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := pause(r.Context(), time.Duration(p.delay.Load())); err != nil {
		return
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	w.Header().Set(answeredHeader, p.name)
	w.Header().Set(clientHeader, from.String())
	if p.Fails && p.fail(w) {
		return
	}
	if p.Next != "" && r.URL.Path != pingPath && !p.askNext(w, from.Addr()) {
		return
	}
	w.Write(p.body) // The client notices for itself if this is cut short.
}

// fail answers wrongly three times out of four, and says whether it did.
func (p *httpProgram) fail(w http.ResponseWriter) bool {
	switch p.served.Add(1) % 4 {
	case 1:
		return false
	case 3:
		reset(w)
	default:
		http.Error(w, "broken by design", http.StatusInternalServerError)
	}
	return true
}

// reset closes the connection without lingering, so that the kernel sends RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// askNext calls the next server by the IP version of the request, and answers 502 itself if that fails.
func (p *httpProgram) askNext(w http.ResponseWriter, from netip.Addr) bool {
	f := family(6)
	if from.Is4() {
		f = 4
	}
	o := p.client.call(call{Kind: httpCall, Target: p.Next, Family: f})
	if o.Error == "" && o.Status == http.StatusOK {
		return true
	}
	http.Error(w, fmt.Sprintf("%s: status %d %s", p.Next, o.Status, o.Error), http.StatusBadGateway)
	return false
}

// pause waits, or returns the error of the context that ended first.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
