package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// callTimeout bounds one call, including the look-up of the name, and connectTimeout each connect, as an HTTP client goes on
// connecting for a request that was given up.
const (
	callTimeout    = 3 * time.Second
	connectTimeout = 2 * time.Second
)

// client makes calls: to names, through the cluster's DNS, or to addresses.
type client struct {
	name     string
	resolver resolver

	mu   sync.Mutex
	kept map[call]*http.Client // of calls with Keep; at most one for each of the spec's
}

func newClient(s spec) *client {
	return &client{name: s.Name, resolver: resolver{s.Resolver}, kept: map[call]*http.Client{}}
}

// call makes one call. That it fails is an outcome, not an error.
func (c *client) call(request call) outcome {
	start := time.Now()
	o, err := c.try(request)
	o.Error, o.Took = text(err), time.Since(start)
	return o
}

func (c *client) try(request call) (outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	switch request.Kind {
	case httpCall:
		return c.get(ctx, request)
	case udpCall:
		return c.send(ctx, request)
	case dnsCall:
		return c.resolver.lookup(request.Target, request.Family, map[bool]string{false: "udp", true: "tcp"}[request.TCP])
	}
	return outcome{}, fmt.Errorf("kind %q: want %q, %q or %q", request.Kind, httpCall, udpCall, dnsCall)
}

// get makes an HTTP request and reads the whole answer.
func (c *client) get(ctx context.Context, request call) (outcome, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, request.Target, nil)
	if err != nil {
		return outcome{}, err
	}
	answer, err := c.httpClient(request).Do(r)
	if err != nil {
		return outcome{}, err
	}
	defer answer.Body.Close()
	o := outcome{Status: answer.StatusCode, Answered: answer.Header.Get(answeredHeader)}
	if o.Client, err = netip.ParseAddrPort(answer.Header.Get(clientHeader)); err != nil {
		return o, fmt.Errorf("parse header %s: %w", clientHeader, err)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return o, err
}

// httpClient returns the call's own client, which keeps its connection, or one that makes a connection for this call.
func (c *client) httpClient(request call) *http.Client {
	dial := func(ctx context.Context, network, hostPort string) (net.Conn, error) {
		return c.dial(ctx, network, hostPort, request.Family)
	}
	if !request.Keep {
		return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept[request] == nil {
		c.kept[request] = &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 1}}
	}
	return c.kept[request]
}

// dial connects to an address, or to one of those that the DNS server gives for a name.
func (c *client) dial(ctx context.Context, network, hostPort string, f family) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err != nil {
		if host, err = c.resolve(host, f); err != nil {
			return nil, err
		}
	}
	d := net.Dialer{Timeout: connectTimeout}
	return d.DialContext(ctx, network, net.JoinHostPort(host, port))
}

func (c *client) resolve(host string, f family) (string, error) {
	o, err := c.resolver.lookup(host, f, "udp")
	if err != nil {
		return "", err
	}
	if len(o.Addrs) == 0 {
		return "", fmt.Errorf("look up %s: %s without addresses", host, o.RCode)
	}
	return o.Addrs[rand.IntN(len(o.Addrs))].String(), nil
}

// send sends one datagram and waits for the echo.
func (c *client) send(ctx context.Context, request call) (outcome, error) {
	conn, err := c.dial(ctx, "udp", request.Target, request.Family)
	if err != nil {
		return outcome{}, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return outcome{}, err
	}
	if _, err := conn.Write([]byte("hello from " + c.name)); err != nil {
		return outcome{}, err
	}
	buffer := make([]byte, 2048)
	n, err := conn.Read(buffer)
	if err != nil {
		return outcome{}, err
	}
	return parseEcho(string(buffer[:n]))
}

// parseEcho reads the answer of an echoProgram.
func parseEcho(answer string) (outcome, error) {
	parts := strings.SplitN(answer, " ", 3)
	if len(parts) != 3 {
		return outcome{}, errors.New("parse echo: want an address, a name and a text")
	}
	client, err := netip.ParseAddrPort(parts[0])
	return outcome{Client: client, Answered: parts[1]}, err
}
