package testkit

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// listenRaw opens a raw IP socket for a protocol inside the namespace, on one of its addresses.
func (ns *NS) listenRaw(proto string, addr netip.Addr) (*net.IPConn, error) {
	network := "ip4:" + proto
	if addr.Is6() {
		network = "ip6:" + proto
	}
	var conn *net.IPConn
	err := ns.Do(func() (err error) {
		conn, err = net.ListenIP(network, &net.IPAddr{IP: addr.AsSlice()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open raw socket %s on %s: %w", network, addr, err)
	}
	return conn, nil
}

// Ping sends n ICMP echo requests with an identifier and size bytes of data from one address to another and waits for
// each reply.
func (ns *NS) Ping(from, to netip.Addr, id uint16, size, n int) error {
	proto, request, reply := "1", icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply)
	if to.Is6() {
		proto, request, reply = "58", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	conn, err := ns.listenRaw(proto, from)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(IOTimeout))
	for i := range n {
		echo := icmp.Message{Type: request, Body: &icmp.Echo{ID: int(id), Seq: i + 1, Data: make([]byte, size)}}
		// The kernel fills in ICMPv6's checksum, which needs its addresses.
		packet, err := echo.Marshal(nil)
		if err != nil {
			return err
		}
		if _, err := conn.WriteToIP(packet, &net.IPAddr{IP: to.AsSlice()}); err != nil {
			return fmt.Errorf("send echo request: %w", err)
		}
		if err := awaitEcho(conn, reply, id, i+1); err != nil {
			return err
		}
	}
	return nil
}

func awaitEcho(conn *net.IPConn, reply icmp.Type, id uint16, seq int) error {
	proto := 1
	if reply.Protocol() == 58 {
		proto = 58
	}
	buf := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFromIP(buf)
		if err != nil {
			return fmt.Errorf("receive echo reply %d: %w", seq, err)
		}
		m, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil || m.Type != reply {
			continue
		}
		if echo, ok := m.Body.(*icmp.Echo); ok && echo.ID == int(id) && echo.Seq == seq {
			return nil
		}
	}
}

// SCTP is spoken as raw packets of a common header and one INIT or INIT ACK chunk (RFC 9260, 3.3.2 and 3.3.3), since
// many kernels have no SCTP sockets. Conntrack and NAT handle them all the same.
const (
	sctpHeaderLength = 12
	sctpInit         = 1
	sctpInitAck      = 2
	// SCTPPacketBytes is the size of each SCTP packet here without the IP header.
	SCTPPacketBytes = sctpHeaderLength + 20
)

// sctpPacket builds a packet. tag is the verification tag: 0 with INIT, its initiate tag with the answer.
func sctpPacket(sport, dport uint16, tag uint32, chunk byte, initiate uint32) []byte {
	p := make([]byte, SCTPPacketBytes)
	binary.BigEndian.PutUint16(p[0:], sport)
	binary.BigEndian.PutUint16(p[2:], dport)
	binary.BigEndian.PutUint32(p[4:], tag)
	p[12] = chunk
	binary.BigEndian.PutUint16(p[14:], 20)
	binary.BigEndian.PutUint32(p[16:], initiate)
	binary.BigEndian.PutUint32(p[20:], 65536)
	binary.BigEndian.PutUint16(p[24:], 1)
	binary.BigEndian.PutUint16(p[26:], 1)
	binary.BigEndian.PutUint32(p[28:], 1)
	binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
	return p
}

// ServeSCTP answers each INIT to addr with an INIT ACK until the end of the test.
func (ns *NS) ServeSCTP(addr netip.AddrPort) {
	ns.t.Helper()
	conn, err := ns.listenRaw("132", addr.Addr())
	ns.check(err)
	var server sync.WaitGroup
	server.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromIP(buf)
			if err != nil {
				return
			}
			if n < SCTPPacketBytes || buf[12] != sctpInit || binary.BigEndian.Uint16(buf[2:]) != addr.Port() {
				continue
			}
			tag := binary.BigEndian.Uint32(buf[16:])
			conn.WriteToIP(sctpPacket(addr.Port(), binary.BigEndian.Uint16(buf), tag, sctpInitAck, tag+1), from)
		}
	})
	ns.t.Cleanup(func() {
		conn.Close()
		server.Wait()
	})
}

// InitSCTP sends one INIT and waits for the INIT ACK.
func (ns *NS) InitSCTP(from netip.AddrPort, to netip.AddrPort) error {
	conn, err := ns.listenRaw("132", from.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(IOTimeout))
	init := sctpPacket(from.Port(), to.Port(), 0, sctpInit, 0x5e1e5e1e)
	if _, err := conn.WriteToIP(init, &net.IPAddr{IP: to.Addr().AsSlice()}); err != nil {
		return fmt.Errorf("send SCTP INIT: %w", err)
	}
	buf := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFromIP(buf)
		if err != nil {
			return fmt.Errorf("receive SCTP INIT ACK: %w", err)
		}
		if n >= SCTPPacketBytes && buf[12] == sctpInitAck && binary.BigEndian.Uint16(buf[2:]) == from.Port() {
			return nil
		}
	}
}
