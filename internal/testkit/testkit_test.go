package testkit

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) { Main(m) }

func TestParseConntrack(t *testing.T) {
	endpoint := netip.MustParseAddrPort
	tests := []struct {
		name, line string
		want       Entry
	}{
		{
			"tcp with zone and accounting",
			"ipv4     2 tcp      6 117 TIME_WAIT src=172.30.17.2 dst=172.30.50.1 sport=4000 dport=80 packets=6 bytes=320 " +
				"src=172.30.17.10 dst=172.30.17.2 sport=8080 dport=4000 packets=4 bytes=216 [ASSURED] mark=0 zone=7 use=1",
			Entry{
				Proto: 6, State: "TIME_WAIT", Zone: 7, Assured: true,
				Orig:  Direction{endpoint("172.30.17.2:4000"), endpoint("172.30.50.1:80"), 6, 320},
				Reply: Direction{endpoint("172.30.17.10:8080"), endpoint("172.30.17.2:4000"), 4, 216},
			},
		},
		{
			"icmpv6 without an answer",
			"ipv6     10 icmpv6   58 29 src=fd5e::1 dst=fd5e::2 type=128 code=0 id=77 packets=1 bytes=48 [UNREPLIED] " +
				"src=fd5e::2 dst=fd5e::1 type=129 code=0 id=77 packets=0 bytes=0 mark=0 use=1",
			Entry{
				Proto: 58, NoReply: true, ICMPType: 128,
				Orig:  Direction{endpoint("[fd5e::1]:77"), endpoint("[fd5e::2]:77"), 1, 48},
				Reply: Direction{endpoint("[fd5e::2]:77"), endpoint("[fd5e::1]:77"), 0, 0},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseConntrack(tt.line + "\n")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Entry{tt.want}, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("entry differs (-want +got):\n%s", diff)
			}
		})
	}
	for _, bad := range []string{"ipv4 2 tcp", "ipv4 2 tcp 6 1 NONE src=1.2.3 dst=1.2.3.4", "ipv4 2 udp 17 3 src=1.2.3.4 colour=1"} {
		if _, err := ParseConntrack(bad); err == nil {
			t.Errorf("ParseConntrack(%q) succeeded, want an error", bad)
		}
	}
}

// TestClusterTranslates holds the rules against conntrack: each kind leads to the right backends in both families.
func TestClusterTranslates(t *testing.T) {
	for _, kind := range []RuleKind{IPTables, NFTables} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := NewCluster(t)
			c.Node.Apply(kind, c.Rules())
			for _, v6 := range []bool{false, true} {
				name := map[bool]string{false: "ipv4", true: "ipv6"}[v6]
				t.Run(name, func(t *testing.T) { checkTranslations(t, c, v6) })
			}
		})
	}
}

func checkTranslations(t *testing.T, c *Cluster, v6 bool) {
	service := func(n int, port uint16) netip.AddrPort { return netip.AddrPortFrom(c.VIP(v6, n), port) }
	node := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(c.Node.Addr(v6), port) }
	at := func(h *Host, port uint16) netip.AddrPort { return netip.AddrPortFrom(h.Addr(v6), port) }
	tests := []struct {
		name     string
		from     *Host
		network  string
		to       netip.AddrPort
		backends []netip.AddrPort
		snat     bool
	}{
		{"cluster ip", c.Client, "tcp", service(WebService, 80), []netip.AddrPort{at(c.Server1, TCPPort), at(c.Server2, TCPPort)}, false},
		{"same bridge", c.Client, "tcp", service(NearService, 80), []netip.AddrPort{at(c.Server1, TCPPort)}, false},
		{"other node", c.Client, "tcp", service(FarService, 80), []netip.AddrPort{at(c.Server3, TCPPort)}, false},
		{"masquerade all", c.Client, "tcp", service(HiddenService, 80), []netip.AddrPort{at(c.Server2, TCPPort)}, true},
		{"hairpin", c.Client, "tcp", service(SelfService, 80), []netip.AddrPort{at(c.Client, TCPPort)}, true},
		{"udp", c.Client, "udp", service(NameService, 53), []netip.AddrPort{at(c.Server1, UDPPort), at(c.Server2, UDPPort)}, false},
		{"masquerade", c.Client, "tcp", at(c.Outside, TCPPort), []netip.AddrPort{at(c.Outside, TCPPort)}, true},
		{"node port", c.Outside, "tcp", node(WebNodePort), []netip.AddrPort{at(c.Server1, TCPPort), at(c.Server2, TCPPort)}, true},
		{"node port of the other node's pod", c.Outside, "tcp", node(FarNodePort), []netip.AddrPort{at(c.Server3, TCPPort)}, true},
		{"node port with local policy", c.Outside, "tcp", node(LocalNodePort), []netip.AddrPort{at(c.Server1, TCPPort)}, false},
		{"from the node", c.Node, "tcp", service(WebService, 80), []netip.AddrPort{at(c.Server1, TCPPort), at(c.Server2, TCPPort)}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := tt.from.Dial(tt.network, tt.to, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := Exchange(conn, 100, 2); err != nil {
				t.Fatal(err)
			}
			client := netip.MustParseAddrPort(conn.LocalAddr().String())
			checkEntry(t, c, client, tt.to, tt.backends, tt.snat)
		})
	}
	t.Run("sctp", func(t *testing.T) {
		from := at(c.Client, 4999)
		if err := c.Client.InitSCTP(from, service(AssocService, 80)); err != nil {
			t.Fatal(err)
		}
		checkEntry(t, c, from, service(AssocService, 80), []netip.AddrPort{at(c.Server2, SCTPPort)}, false)
	})
	t.Run("icmp", func(t *testing.T) {
		if err := c.Client.Ping(c.Client.Addr(v6), c.VIP(v6, PingService), 77, 56, 2); err != nil {
			t.Fatal(err)
		}
		checkEntry(t, c, at(c.Client, 77), service(PingService, 77), []netip.AddrPort{at(c.Server2, 77)}, false)
	})
	t.Run("no endpoints", func(t *testing.T) {
		if conn, err := c.Client.Dial("tcp", service(EmptyService, 80), 0); err == nil {
			conn.Close()
			t.Error("connected to a Service without endpoints")
		}
	})
}

func checkEntry(t *testing.T, c *Cluster, client, dialed netip.AddrPort, backends []netip.AddrPort, snat bool) {
	t.Helper()
	entries, err := c.Node.Conntrack(client.Addr().Is6())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Orig.Src == client && e.Orig.Dst == dialed })
	if i < 0 {
		t.Fatalf("no conntrack entry %v -> %v in %+v", client, dialed, entries)
	}
	e := entries[i]
	if !slices.Contains(backends, e.Reply.Src) {
		t.Errorf("backend = %v, want one of %v", e.Reply.Src, backends)
	}
	if got := e.Reply.Dst != client; got != snat {
		t.Errorf("masqueraded = %v, want %v: %+v", got, snat, e)
	}
	if e.Orig.Packets == 0 || e.Reply.Packets == 0 {
		t.Errorf("entry without accounting: %+v", e)
	}
}

// TestOffloadsOff sends a message of many segments and counts it by two truths: interface and conntrack.
func TestOffloadsOff(t *testing.T) {
	c := NewCluster(t)
	c.Node.Apply(IPTables, c.Rules())
	for _, v6 := range []bool{false, true} {
		before := c.Client.Counters("eth0")
		conn, err := c.Client.Dial("tcp", netip.AddrPortFrom(c.VIP(v6, NearService), 80), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := Exchange(conn, 20000, 3); err != nil {
			t.Fatal(err)
		}
		if err := Finish(conn); err != nil {
			t.Fatal(err)
		}
		e := finished(t, c, netip.MustParseAddrPort(conn.LocalAddr().String()))
		const ethernet = 14
		want := Counters{
			TxPackets: e.Orig.Packets, TxBytes: e.Orig.Bytes + ethernet*e.Orig.Packets,
			RxPackets: e.Reply.Packets, RxBytes: e.Reply.Bytes + ethernet*e.Reply.Packets,
		}
		if got := c.Client.Counters("eth0").Sub(before); got != want {
			t.Errorf("ipv6 %v: client's interface counted %+v, conntrack %+v", v6, got, want)
		}
		if e.Orig.Packets < 3*20000/1500 {
			t.Errorf("ipv6 %v: %d packets for 60000 bytes: offloads are on", v6, e.Orig.Packets)
		}
	}
}

func finished(t *testing.T, c *Cluster, client netip.AddrPort) Entry {
	t.Helper()
	for range 50 {
		entries, err := c.Node.Conntrack(client.Addr().Is6())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Orig.Src == client && e.State == "TIME_WAIT" {
				return e
			}
		}
	}
	t.Fatalf("connection of %v did not finish", client)
	return Entry{}
}
