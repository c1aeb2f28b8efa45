package ipfix

import (
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/credential/credentialtest"
	"github.com/seine-net/seine/internal/query"
)

var (
	noTLS     = &credential.Client{}
	missingCA = &credential.Client{TLS: credential.TLS{CA: "/nowhere/ca.crt"}}
)

// TestReconnect begins anew, with templates and from 0, when the collector ended the connection.
func TestReconnect(t *testing.T) {
	conns := make(chan net.Conn, 10)
	c := collectTCP(t, nil, func(_ int, conn net.Conn) { conns <- conn })
	p := plan(t)
	target := open(t, &Config{Collector: c.address}, p)
	for session := range 3 {
		send(t, target, p, samples()...)
		first := c.next()
		packet := c.decode(first)
		if first.session != session || packet.SequenceNumber != 0 || !slices.Equal(announced(packet), []uint16{256, 257, 258, 259}) {
			t.Fatalf("got connection %d, sequence number %d, templates %v", first.session, packet.SequenceNumber, announced(packet))
		}
		c.take(len(samples()))
		send(t, target, p, samples()...)
		c.take(len(samples()))
		closeAndWait(t, <-conns, target)
	}
}

// closeAndWait closes the collector's end, and waits until the target can know.
func closeAndWait(t *testing.T, conn net.Conn, target *Target) {
	t.Helper()
	_ = conn.Close()
	select {
	case <-target.session.gone:
	case <-time.After(5 * time.Second):
		t.Fatal("the end of the connection went unnoticed")
	}
}

// TestBroken has a block whose sending broke in the middle come again as a whole, by another connection.
func TestBroken(t *testing.T) {
	c := collectTCP(t, nil, func(session int, conn net.Conn) {
		if session > 0 {
			return
		}
		_ = conn.(*net.TCPConn).SetReadBuffer(1 << 12)
		_ = conn.(*net.TCPConn).SetLinger(0)
		time.Sleep(3 * settleTime) // By then the target has sent what buffers hold, and has more.
		_ = conn.Close()
	})
	p := plan(t)
	target := open(t, &Config{Collector: c.address}, p)
	records := slices.Repeat(samples(), 2500)
	block := blockOf(t, p, records...)
	_, err := target.Send(t.Context(), block)
	if err == nil || !strings.Contains(err.Error(), "ipfix collector "+c.address+" by tcp") {
		t.Fatalf("got %v, want an error that names the collector", err)
	}
	if refused, err := target.Send(t.Context(), block); err != nil || refused != 0 {
		t.Fatalf("%d refused, %v", refused, err)
	}
	c.take(len(records))
}

// TestAcknowledged has a block count as sent only when the collector's host has it all.
func TestAcknowledged(t *testing.T) {
	reads := make(chan struct{})
	c := collectTCP(t, nil, func(_ int, conn net.Conn) {
		_ = conn.(*net.TCPConn).SetReadBuffer(1 << 16)
		<-reads
	})
	p := plan(t)
	target, records := open(t, &Config{Collector: c.address}, p), slices.Repeat(samples(), 300)
	sent := make(chan error, 1)
	go func() {
		_, err := target.Send(t.Context(), blockOf(t, p, records...))
		sent <- err
	}()
	select {
	case err := <-sent:
		t.Errorf("sent before it was taken: %v", err)
	case <-time.After(settleTime + 500*time.Millisecond):
	}
	close(reads)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	c.take(len(records))
}

// TestTurnedAway notices a collector, or a proxy before it, that takes connections only to close them.
func TestTurnedAway(t *testing.T) {
	c := collectTCP(t, nil, func(_ int, conn net.Conn) { _ = conn.Close() })
	p := plan(t)
	err := firstError(t, open(t, &Config{Collector: c.address}, p), p)
	if err == nil || !strings.Contains(err.Error(), c.address+" by tcp: collector closed the connection") {
		t.Errorf("got %v", err)
	}
}

// TestTalks does not read on and on what another program than a collector sends.
func TestTalks(t *testing.T) {
	c := collectTCP(t, nil, func(_ int, conn net.Conn) {
		for {
			if _, err := conn.Write(make([]byte, maxTalk/2)); err != nil {
				return
			}
		}
	})
	p := plan(t)
	err := firstError(t, open(t, &Config{Collector: c.address}, p), p)
	if err == nil || !strings.Contains(err.Error(), "collector sends data") {
		t.Errorf("got %v", err)
	}
}

// firstError sends until there is an error: on a busy machine a collector may take longer to turn a connection away than
// the target waits.
func firstError(t *testing.T, target *Target, p *query.Plan) (err error) {
	t.Helper()
	for i := 0; err == nil && i < 20; i++ {
		_, err = target.Send(t.Context(), blockOf(t, p, translated()))
	}
	return err
}

// TestAway tells of a collector that is not there, and finds it when it is.
func TestAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	p, begin := plan(t), time.Now()
	target := open(t, &Config{Collector: address}, p)
	if _, err := target.Send(t.Context(), blockOf(t, p, translated())); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v, want an error that names %s", err, address)
	}
	if took := time.Since(begin); took > dialTime+time.Second {
		t.Errorf("it took %v", took)
	}
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	send(t, target, p, translated())
}

// TestAwayUDP learns by ICMP that nobody is there, and sends again from a new socket with templates first.
func TestAwayUDP(t *testing.T) {
	c, p := collectUDP(t), plan(t)
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := gone.LocalAddr().String()
	_ = gone.Close()
	target := open(t, &Config{Collector: address, Transport: udp}, p)
	if err := firstError(t, target, p); err == nil || !strings.Contains(err.Error(), address+" by udp") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	target.config.Collector = c.address
	send(t, target, p, translated())
	if packet := c.decode(c.next()); packet.SequenceNumber != 0 || len(announced(packet)) == 0 {
		t.Errorf("got sequence number %d, templates %v", packet.SequenceNumber, announced(packet))
	}
}

// TestTLS sends within TLS to a collector that wants a certificate, and tells of one that does not take ours.
func TestTLS(t *testing.T) {
	ours, theirs, dir := credentialtest.New(t, "collectors"), credentialtest.New(t, "others"), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	ours.WriteCA(file("ca.crt"))
	ours.Issue("collector", file("collector.crt"), file("collector.key"))
	ours.Issue("seine", file("seine.crt"), file("seine.key"))
	theirs.WriteCA(file("other-ca.crt"))
	theirs.Issue("seine", file("other.crt"), file("other.key"))
	server, err := credential.TLS{CA: file("ca.crt"), Cert: file("collector.crt"), Key: file("collector.key")}.Server(quiet())
	if err != nil {
		t.Fatal(err)
	}
	client := func(ca, name string) *credential.Client {
		c := &credential.Client{TLS: credential.TLS{CA: file(ca)}}
		if name != "" {
			c.Cert, c.Key = file(name+".crt"), file(name+".key")
		}
		return c
	}
	for _, c := range []struct {
		name   string
		config *credential.Client
		err    string
	}{
		{"good", client("ca.crt", "seine"), ""},
		{"unknown collector", client("other-ca.crt", "seine"), "certificate signed by unknown authority"},
		{"no certificate", client("ca.crt", ""), "closed the connection: remote error: tls: certificate required"},
		{"certificate of others", client("ca.crt", "other"), "closed the connection: remote error: tls: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			collector, p := collectTCP(t, server.Clone(), nil), plan(t)
			target := open(t, &Config{Collector: collector.address, TLS: c.config}, p)
			if c.err == "" {
				send(t, target, p, samples()...)
				collector.take(len(samples()))
			} else if err := firstError(t, target, p); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

// TestPlainToTLS tells of a collector that speaks TLS where the exporter does not, and the other way round.
func TestPlainToTLS(t *testing.T) {
	t.Parallel()
	authority, dir, p := credentialtest.New(t, "collectors"), t.TempDir(), plan(t)
	cert, key := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	authority.Issue("collector", cert, key)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	secure := collectTCP(t, &tls.Config{Certificates: []tls.Certificate{pair}}, nil)
	target := open(t, &Config{Collector: secure.address}, p)
	if err := firstError(t, target, p); err == nil || !strings.Contains(err.Error(), secure.address) {
		t.Errorf("plain messages to a collector of TLS: got %v", err)
	}
	plainOne := collectTCP(t, nil, nil)
	_, err = open(t, &Config{Collector: plainOne.address, TLS: noTLS}, p).Send(t.Context(), blockOf(t, p, translated()))
	if err == nil || !strings.Contains(fmt.Sprint(err), plainOne.address) {
		t.Errorf("got %v", err)
	}
}
