package agent_test

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// stage is where a case plays: a cluster, an address family, and what was there before the agent.
type stage struct {
	*testkit.Cluster
	v6    bool
	older net.Conn
}

func (s *stage) service(n int, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(s.VIP(s.v6, n), port)
}

func (s *stage) at(h *testkit.Host, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(h.Addr(s.v6), port)
}

// nextPort gives client ports and ICMP identifiers that no other case has, below the ephemeral ones: where two
// connections' translated tuples would be the same, conntrack rewrites the second one's port.
var nextPort atomic.Uint32

func newPort() uint16 { return uint16(20000 + nextPort.Add(1)) }

func localOf(conn net.Conn) netip.AddrPort { return netip.MustParseAddrPort(conn.LocalAddr().String()) }

// dial is the drive of a case in which a client sends a server some messages and gets them back.
type dial struct {
	from    func(*stage) *testkit.Host
	network string
	to      func(*stage) netip.AddrPort
	nat     flow.NAT
	// flooded makes the bridge forget the MAC address behind server1's port before the first packet, which then
	// leaves by all ports.
	flooded bool
}

const (
	messages    = 4
	messageSize = 600
)

func (d dial) drive(t *testing.T, s *stage) []truth {
	t.Helper()
	idle := s.Idle.Counters("eth0")
	if d.flooded && !s.Node.ForgetMAC("server1", s.Server1.MAC("eth0")) {
		t.Error("the bridge did not know the server's MAC address before")
	}
	client, to := d.traffic(t, s)
	if flooded := s.Idle.Counters("eth0") != idle; flooded != d.flooded {
		t.Errorf("packets reached the idle pod: %v, want %v", flooded, d.flooded)
	}
	got := truthOf(s.ended(t, d.network, client, to))
	if got.NAT != d.nat {
		t.Errorf("conntrack shows NAT %v, the case is meant to have %v", got.NAT, d.nat)
	}
	if d.network == "udp" {
		s.checkSent(t, got)
	}
	return []truth{got}
}

// traffic makes the connection and ends it in order. It returns the client's address and port and what it dialled.
func (d dial) traffic(t *testing.T, s *stage) (client, dialed netip.AddrPort) {
	t.Helper()
	to := d.to(s)
	conn := mustDial(t, d.from(s), d.network, to, newPort())
	mustExchange(t, conn, messageSize, messages)
	finish(t, conn)
	return localOf(conn), to
}

func finish(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, isTCP := conn.(*net.TCPConn); !isTCP {
		conn.Close()
		return
	}
	if err := testkit.Finish(conn); err != nil {
		t.Fatal(err)
	}
}

// ended returns the entry, with the final account, of a connection that ended in order.
func (s *stage) ended(t *testing.T, network string, client, dialed netip.AddrPort) testkit.Entry {
	t.Helper()
	if network == "udp" {
		return entryOf(t, s.Node.NS, 17, client, dialed, 0, "")
	}
	return entryOf(t, s.Node.NS, 6, client, dialed, 0, "TIME_WAIT")
}

// checkSent holds conntrack itself against the sender's own count.
func (s *stage) checkSent(t *testing.T, got truth) {
	t.Helper()
	want := flow.Volume{Packets: messages, Bytes: messages * uint64(s.headers()+8+messageSize)}
	if got.fwd != want || got.rev != want {
		t.Errorf("conntrack counted %+v and %+v, the sender sent %+v and got it back", got.fwd, got.rev, want)
	}
}

// headers is the length of the link-layer and IP headers.
func (s *stage) headers() int {
	if s.v6 {
		return ethernet + 40
	}
	return ethernet + 20
}

func mustDial(t *testing.T, from *testkit.Host, network string, to netip.AddrPort, port uint16) net.Conn {
	t.Helper()
	conn, err := from.Dial(network, to, port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func mustExchange(t *testing.T, conn net.Conn, size, rounds int) {
	t.Helper()
	if err := testkit.Exchange(conn, size, rounds); err != nil {
		t.Fatal(err)
	}
}

// counters drives a longer connection whose volume the client's own interface tells. It stays on one bridge: where an
// IPv6 packet is translated on a bridge and then routed, Linux takes the bridge it leaves by for the one it came by,
// and now and then sends the client a redirect (br_nf_pre_routing_finish_ipv6 and ip6_forward), which is counted too.
func counters(t *testing.T, s *stage) []truth {
	t.Helper()
	before := s.Client.Counters("eth0")
	to := s.service(testkit.NearService, 80)
	conn := mustDial(t, s.Client, "tcp", to, newPort())
	mustExchange(t, conn, 5000, 20)
	finish(t, conn)
	got := truthOf(s.ended(t, "tcp", localOf(conn), to))
	link := s.Client.Counters("eth0").Sub(before)
	got.fwd = flow.Volume{Bytes: link.TxBytes, Packets: link.TxPackets}
	got.rev = flow.Volume{Bytes: link.RxBytes, Packets: link.RxPackets}
	return []truth{got}
}

// older goes on with a connection that was made before the agent.
func older(t *testing.T, s *stage) []truth {
	t.Helper()
	to := s.service(testkit.WebService, 80)
	before := truthOf(entryOf(t, s.Node.NS, 6, localOf(s.older), to, 0, "ESTABLISHED"))
	mustExchange(t, s.older, messageSize, messages)
	finish(t, s.older)
	got := truthOf(s.ended(t, "tcp", localOf(s.older), to))
	got.fwd = since(got.fwd, before.fwd)
	got.rev = since(got.rev, before.rev)
	return []truth{got}
}

func since(now, before flow.Volume) flow.Volume {
	return flow.Volume{Bytes: now.Bytes - before.Bytes, Packets: now.Packets - before.Packets}
}

// reuse dials a Service from one port again and again until both backends have answered.
func reuse(t *testing.T, s *stage) []truth {
	t.Helper()
	port, to := newPort(), s.service(testkit.WebService, 80)
	byBackend := make(map[netip.AddrPort]*truth)
	for range 20 {
		conn := mustDial(t, s.Client, "tcp", to, port)
		mustExchange(t, conn, messageSize, messages)
		if err := testkit.Abort(conn); err != nil {
			t.Fatal(err)
		}
		got := truthOf(entryOf(t, s.Node.NS, 6, s.at(s.Client, port), to, 0, "CLOSE"))
		if sum := byBackend[got.Backend]; sum != nil {
			sum.fwd, sum.rev = plus(sum.fwd, got.fwd), plus(sum.rev, got.rev)
			sum.uses++
		} else {
			byBackend[got.Backend] = &got
		}
		if len(byBackend) == 2 {
			break
		}
	}
	var all []truth
	for _, sum := range byBackend {
		all = append(all, *sum)
	}
	if len(all) != 2 {
		t.Errorf("%d backends in 20 uses of a tuple, want 2", len(all))
	}
	return all
}

func plus(a, b flow.Volume) flow.Volume {
	return flow.Volume{Bytes: a.Bytes + b.Bytes, Packets: a.Packets + b.Packets}
}

// ping drives ICMP echo between the client and an address.
func ping(to func(*stage) netip.Addr, nat flow.NAT) func(*testing.T, *stage) []truth {
	return func(t *testing.T, s *stage) []truth {
		t.Helper()
		id, proto := newPort(), uint8(flow.ICMPv4)
		if s.v6 {
			proto = uint8(flow.ICMPv6)
		}
		if err := s.Client.Ping(s.Client.Addr(s.v6), to(s), id, 56, messages); err != nil {
			t.Fatal(err)
		}
		dialed := netip.AddrPortFrom(to(s), id)
		got := truthOf(entryOf(t, s.Node.NS, proto, s.at(s.Client, id), dialed, 0, ""))
		if got.NAT != nat {
			t.Errorf("conntrack shows NAT %v, the case is meant to have %v", got.NAT, nat)
		}
		want := flow.Volume{Packets: messages, Bytes: messages * uint64(s.headers()+8+56)}
		if got.fwd != want || got.rev != want {
			t.Errorf("conntrack counted %+v and %+v, the sender sent %+v and got it back", got.fwd, got.rev, want)
		}
		return []truth{got}
	}
}

// sctp drives the first two packets of an association.
func sctp(t *testing.T, s *stage) []truth {
	t.Helper()
	from, to := s.at(s.Client, newPort()), s.service(testkit.AssocService, 80)
	if err := s.Client.InitSCTP(from, to); err != nil {
		t.Fatal(err)
	}
	got := truthOf(entryOf(t, s.Node.NS, uint8(flow.SCTP), from, to, 0, ""))
	want := flow.Volume{Packets: 1, Bytes: uint64(s.headers() + testkit.SCTPPacketBytes)}
	if got.fwd != want || got.rev != want || got.NAT != flow.DNAT {
		t.Errorf("conntrack shows %+v, want volumes %+v and DNAT", got, want)
	}
	return []truth{got}
}

// closedPort sends datagrams to a Service whose backend refuses each with an ICMP error that quotes it.
func closedPort(t *testing.T, s *stage) []truth {
	t.Helper()
	to := s.service(testkit.ClosedService, 53)
	conn := mustDial(t, s.Client, "udp", to, newPort())
	const size = 10
	for range messages {
		conn.SetDeadline(time.Now().Add(testkit.IOTimeout))
		if _, err := conn.Write(make([]byte, size)); err != nil {
			t.Fatalf("send: %v", err)
		}
		if _, err := conn.Read(make([]byte, size)); err == nil {
			t.Fatal("read an answer from a closed port")
		}
	}
	got := truthOf(entryOf(t, s.Node.NS, 17, localOf(conn), to, 0, ""))
	want := flow.Volume{Packets: messages, Bytes: messages * uint64(s.headers()+8+size)}
	if got.fwd != want || got.rev != (flow.Volume{}) || got.NAT != flow.DNAT {
		t.Errorf("conntrack shows %+v, want volume %+v, no answer and DNAT", got, want)
	}
	return []truth{got, s.refusal(got.identity, messages, s.headers()-ethernet+8+size)}
}

// refusal is what the records must say of port-unreachable errors that quote packets of a connection: a record of
// their own with the connection's addresses, all in the direction of the client.
func (s *stage) refusal(about identity, n uint64, quoted int) truth {
	id := about
	id.Proto, id.ICMP = flow.ICMPv4, flow.ICMP{Type: 3, Code: 3}
	if s.v6 {
		id.Proto, id.ICMP = flow.ICMPv6, flow.ICMP{Type: 1, Code: 4}
	}
	return truth{identity: id, rev: flow.Volume{Packets: n, Bytes: n * uint64(s.headers()+8+quoted)}, uses: 1}
}

// noEndpoints dials a Service that the rules reject: conntrack never has the connection, the records do. The kernel
// may send its SYN again before it heeds the error, so the client's interface tells how many there were.
func noEndpoints(t *testing.T, s *stage) []truth {
	t.Helper()
	before := s.Client.Counters("eth0")
	port, to := newPort(), s.service(testkit.EmptyService, 80)
	if conn, err := s.Client.Dial("tcp", to, port); err == nil {
		conn.Close()
		t.Fatal("connected to a Service without endpoints")
	}
	link := s.Client.Counters("eth0").Sub(before)
	client := s.at(s.Client, port)
	rejected := identity{Proto: flow.TCP, Src: client, Dst: to, Backend: to, SNAT: client}
	// A SYN has the options that Linux sends: maximum segment size, SACK, timestamps, window scale.
	const syn = 40
	refused := s.refusal(rejected, link.RxPackets, s.headers()-ethernet+syn)
	if refused.rev.Bytes != link.RxBytes || link.RxPackets == 0 {
		t.Errorf("client received %+v, want errors of %+v", link, refused.rev)
	}
	return []truth{
		{identity: rejected, fwd: flow.Volume{Packets: link.TxPackets, Bytes: link.TxBytes}, uses: 1}, refused,
	}
}
