package api

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// waitTime is how long a connection may wait for a request, or send its header, once most places are taken.
	waitTime = 2 * time.Second
	// sweepTime is how often those that waited longer are looked for.
	sweepTime = 500 * time.Millisecond
	// reportTime is how often the log tells of connections that were refused.
	reportTime = time.Minute
)

// places is a listener that bounds how many connections are open, all in all and from one client. Those beyond the
// first bound wait, those beyond the second are closed. While most places are taken, connections without a request
// under way are closed soon, so that idle ones do not shut out everybody else.
type places struct {
	net.Listener
	free    chan struct{}
	client  int
	refused atomic.Uint64
	ended   chan struct{}
	end     sync.Once

	mu   sync.Mutex
	open map[netip.Prefix]int
	// waiting has the connections without a request under way, and since when.
	waiting map[*placed]time.Time
}

// newPlaces bounds a listener. One client may have half of the places.
func newPlaces(l net.Listener, size int) *places {
	return &places{
		Listener: l, free: make(chan struct{}, size), client: max(1, size/2), ended: make(chan struct{}),
		open: make(map[netip.Prefix]int), waiting: make(map[*placed]time.Time),
	}
}

// Accept waits for a place, and then for a connection whose client may have it.
func (p *places) Accept() (net.Conn, error) {
	select {
	case p.free <- struct{}{}:
	case <-p.ended:
		return nil, net.ErrClosed
	}
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			<-p.free
			return nil, err
		}
		if client := clientOf(c.RemoteAddr()); p.admit(client) {
			return &placed{Conn: c, places: p, client: client}, nil
		}
		p.refused.Add(1)
		_ = c.Close()
	}
}

// Close ends Accept.
func (p *places) Close() error {
	p.end.Do(func() { close(p.ended) })
	return p.Listener.Close()
}

// clientOf returns whom connections count for: an IPv4 address, or an IPv6 network of 64 bits, since one host has all
// addresses of it (RFC 4291, section 2.5.4).
func clientOf(address net.Addr) netip.Prefix {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := min(ip.BitLen(), 64)
	client, _ := ip.Prefix(bits)
	return client
}

func (p *places) admit(client netip.Prefix) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[client] >= p.client {
		return false
	}
	p.open[client]++
	return true
}

func (p *places) leave(c *placed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, c)
	if p.open[c.client]--; p.open[c.client] == 0 {
		delete(p.open, c.client)
	}
	<-p.free
}

// note is the server's ConnState hook. A connection whose header is not complete yet is new or idle to the server.
func (p *places) note(c net.Conn, state http.ConnState) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	one, ok := c.(*placed)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew, http.StateIdle:
		p.waiting[one] = time.Now()
	default:
		delete(p.waiting, one)
	}
}

// watch closes what waits too long while most places are taken, until the context ends.
func (p *places) watch(ctx context.Context, log *slog.Logger) {
	sweeps, reports := time.NewTicker(sweepTime), time.NewTicker(reportTime)
	defer sweeps.Stop()
	defer reports.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-sweeps.C:
			for _, c := range p.overdue(now) {
				_ = c.Close()
			}
		case <-reports.C:
			if refused := p.refused.Swap(0); refused > 0 {
				log.Warn("connections of clients with too many refused", "refused", refused, "limit", p.client)
			}
		}
	}
}

// overdue returns the connections to close, none while a quarter of the places is free.
func (p *places) overdue(now time.Time) (overdue []*placed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if 4*len(p.free) < 3*cap(p.free) {
		return nil
	}
	for c, since := range p.waiting {
		if now.Sub(since) >= waitTime {
			overdue = append(overdue, c)
		}
	}
	return overdue
}

// placed is a connection that has a place.
type placed struct {
	net.Conn
	places *places
	client netip.Prefix
	once   sync.Once
}

// Close gives the place back.
func (c *placed) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.places.leave(c) })
	return err
}
