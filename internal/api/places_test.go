package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/server"
)

// from connects from one of the loopback addresses.
func from(t *testing.T, source, target string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: 10 * time.Second}
	c, err := dialer.DialContext(t.Context(), "tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// isOpen says whether nothing ends a connection for a while.
func isOpen(c net.Conn, while time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(while))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// TestConnectionsOfOneClient expects one address to have half of the places, and others to be served.
func TestConnectionsOfOneClient(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) { c.Limits.Connections = 8 })
	target := strings.TrimPrefix(s.url, "http://")
	var greedy []net.Conn
	for range 4 {
		greedy = append(greedy, from(t, "127.0.0.2", target))
	}
	if fifth := from(t, "127.0.0.2", target); isOpen(fifth, 5*time.Second) {
		t.Error("a fifth connection of one address stays open")
	}
	if status, _ := s.do("GET", "/healthz", ""); status != 200 {
		t.Errorf("another address has status %d", status)
	}
	for _, c := range greedy {
		if !isOpen(c, 10*time.Millisecond) {
			t.Error("a connection within the limit is closed")
		}
		_ = c.Close()
	}
	for end := time.Now().Add(10 * time.Second); !isOpen(from(t, "127.0.0.2", target), 100*time.Millisecond); {
		if time.Now().After(end) {
			t.Fatal("places are not given back")
		}
	}
}

// TestIdleConnections fills all places with connections that ask nothing, and expects to be served all the same.
func TestIdleConnections(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) { c.Limits.Connections = 8 })
	target := strings.TrimPrefix(s.url, "http://")
	for i := range 8 {
		c := from(t, fmt.Sprintf("127.0.0.%d", 2+i/4), target)
		if i%2 == 0 { // Half of them have sent some of a header.
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("idle connections shut out others: %v", err)
	}
	_ = response.Body.Close()
}

// TestActiveConnections expects requests under way, here streams, to go on although all places are taken.
func TestActiveConnections(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) { c.Limits.Connections = 1 })
	c := from(t, "127.0.0.2", strings.TrimPrefix(s.url, "http://"))
	if _, err := io.WriteString(c, "GET /api/v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "following") {
			break
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(4 * time.Second))
	if text, err := io.ReadAll(c); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the stream ended: %q, %v", text, err)
	}
}
