package ctnetlink

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const patience = 10 * time.Second

// serve answers TCP on port 8080 and UDP on port 5353 of every address of the server with what it receives,
// until the test ends and its clients have closed.
func (n *network) serve(t testing.TB) {
	t.Helper()
	var l net.Listener
	var p net.PacketConn
	n.server.do(func() (err error) {
		if l, err = net.Listen("tcp", ":8080"); err == nil {
			p, err = net.ListenPacket("udp", ":5353")
		}
		return err
	})
	var servers sync.WaitGroup
	servers.Go(func() { echoStreams(l, &servers) })
	servers.Go(func() { echoDatagrams(p) })
	t.Cleanup(func() {
		l.Close()
		p.Close()
		servers.Wait()
	})
}

func echoStreams(l net.Listener, servers *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		servers.Go(func() {
			defer c.Close()
			// Bare reader and writer: a splice would leave pooled pipes open, and tests count open files.
			io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
		})
	}
}

func echoDatagrams(p net.PacketConn) {
	b := make([]byte, 512)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		p.WriteTo(b[:n], from)
	}
}

// dial opens a connection from the client, exchanges some bytes, and returns the client's address.
// The connection stays open until the test ends.
func (n *network) dial(t testing.TB, proto, address string) netip.AddrPort {
	t.Helper()
	var local netip.AddrPort
	n.client.do(func() error {
		c, err := net.DialTimeout(proto, address, patience)
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		local = netip.MustParseAddrPort(c.LocalAddr().String())
		return exchange(c)
	})
	return local
}

func exchange(c net.Conn) error {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("seine")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}

// ping sends one ICMP or ICMPv6 echo with the identifier given and waits for the answer.
func (n *network) ping(t testing.TB, to string, id int) {
	t.Helper()
	proto, request, reply, number := "ip4:icmp", icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply), 1
	if netip.MustParseAddr(to).Is6() {
		proto, request, reply, number = "ip6:ipv6-icmp", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 58
	}
	n.client.do(func() error {
		c, err := net.Dial(proto, to)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		m := icmp.Message{Type: request, Body: &icmp.Echo{ID: id, Seq: 1}}
		b, err := m.Marshal(nil)
		if err != nil {
			return err
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
		return awaitEcho(c.(*net.IPConn), number, reply, id)
	})
}

func awaitEcho(c net.PacketConn, number int, reply icmp.Type, id int) error {
	b := make([]byte, 1500)
	for {
		n, _, err := c.ReadFrom(b) // Unlike Read it strips the IPv4 header.
		if err != nil {
			return fmt.Errorf("await echo reply: %w", err)
		}
		m, err := icmp.ParseMessage(number, b[:n])
		if err != nil || m.Type != reply {
			continue
		}
		if echo, ok := m.Body.(*icmp.Echo); ok && echo.ID == id {
			return nil
		}
	}
}

// burst sends one datagram from the client to each of count ports, so that as many entries arise.
func (n *network) burst(t testing.TB, to string, firstPort, count int) {
	t.Helper()
	n.client.do(func() error {
		c, err := net.ListenPacket("udp", ":0")
		if err != nil {
			return err
		}
		defer c.Close()
		addr := netip.MustParseAddr(to)
		for port := firstPort; port < firstPort+count; port++ {
			target := net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(port)))
			// An error of ICMP port unreachable belongs to an earlier datagram.
			if _, err := c.WriteTo([]byte("x"), target); err != nil {
				c.WriteTo([]byte("x"), target)
			}
		}
		return nil
	})
}
