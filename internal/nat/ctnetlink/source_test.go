package ctnetlink

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// recorder is a sink that keeps everything.
type recorder struct {
	mu  sync.Mutex
	all []nat.Translation
}

func (r *recorder) sink(batch []nat.Translation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, batch...)
}

// find returns the first translation from an index on that satisfies a condition.
func (r *recorder) find(from int, is func(nat.Translation) bool) (nat.Translation, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.all[min(from, len(r.all)):] {
		if is(t) {
			return t, true
		}
	}
	return nat.Translation{}, false
}

func (r *recorder) await(t testing.TB, what string, is func(nat.Translation) bool) nat.Translation {
	t.Helper()
	var found nat.Translation
	eventually(t, what, func() (ok bool) {
		found, ok = r.find(0, is)
		return ok
	})
	return found
}

func (r *recorder) keys() map[key]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := map[key]bool{}
	for _, t := range r.all {
		keys[keyOf(t)] = true
	}
	return keys
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

func open(t testing.TB, ns *namespace, buffer int) *Source {
	t.Helper()
	s, err := Open(Config{NetNS: ns.fd(), ReceiveBuffer: buffer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start runs a source until the test ends.
func start(t testing.TB, s *Source, sink func([]nat.Translation)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, sink) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// watch opens a source with an ordinary buffer, runs it, and waits for the end of its first dump.
func watch(t testing.TB, ns *namespace) (*Source, *recorder) {
	t.Helper()
	s, r := open(t, ns, 0), &recorder{}
	start(t, s, r.sink)
	eventually(t, "the first dump", func() bool { return s.Stats().Dumps == 1 })
	return s, r
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// translated is the entry of a connection that the router sends to backend in its own name, from the same port.
func translated(proto flow.Proto, client, dialled, backend netip.AddrPort, router string) key {
	return key{Proto: proto, Orig: nat.Tuple{Src: client, Dst: dialled}, Reply: nat.Tuple{
		Src: backend, Dst: netip.AddrPortFrom(netip.MustParseAddr(router), client.Port()),
	}}
}

var dials = []struct {
	name, network, dialled, backend, router string
	proto                                   flow.Proto
}{
	{"TCP over IPv4", "tcp", "10.96.0.1:80", "10.0.2.2:8080", "10.0.2.1", flow.TCP},
	{"UDP over IPv4", "udp", "10.96.0.1:53", "10.0.2.2:5353", "10.0.2.1", flow.UDP},
	{"TCP over IPv6", "tcp", "[fd00:96::1]:80", "[fd00:2::2]:8080", "fd00:2::1", flow.TCP},
	{"UDP over IPv6", "udp", "[fd00:96::1]:53", "[fd00:2::2]:5353", "fd00:2::1", flow.UDP},
}

func TestNewConnections(t *testing.T) {
	n := newNetwork(t, natRules)
	n.serve(t)
	s, r := watch(t, n.router)
	for _, d := range dials {
		t.Run(d.name, func(t *testing.T) {
			before := flow.Time(time.Now().UnixNano())
			client := n.dial(t, d.network, d.dialled)
			want := translated(d.proto, client, addrPort(d.dialled), addrPort(d.backend), d.router)
			got := r.await(t, d.name, func(x nat.Translation) bool { return x.Proto == d.proto && x.Orig.Src == client })
			if diff := cmp.Diff(want, keyOf(got), cmpAddrs); diff != "" {
				t.Errorf("translation (-want +got):\n%s", diff)
			}
			if got.NAT() != flow.DNAT|flow.SNAT || got.Source != flow.CTNetlink {
				t.Errorf("NAT = %v, source %v", got.NAT(), got.Source)
			}
			if after := flow.Time(time.Now().UnixNano()); got.Start < before || got.Start > after || got.End != 0 {
				t.Errorf("Start = %d, End = %d, want Start in [%d, %d] and no End", got.Start, got.End, before, after)
			}
			if !n.router.listed()[keyOf(got)] {
				t.Errorf("conntrack does not list %v", got)
			}
		})
	}
	if st := s.Stats(); st.Overruns != 0 || st.Malformed != 0 || st.Events == 0 || st.Entries < st.Events {
		t.Errorf("Stats = %+v", st)
	}
}

var cmpAddrs = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func TestICMPEcho(t *testing.T) {
	n := newNetwork(t, natRules)
	_, r := watch(t, n.router)
	f := func(to, client, router string, proto flow.Proto, id uint16) {
		t.Helper()
		n.ping(t, to, int(id))
		at := func(addr string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(addr), id) }
		want := translated(proto, at(client), at(to), at(to), router)
		got := r.await(t, "echo to "+to, func(x nat.Translation) bool { return x.Orig.Dst == at(to) })
		if diff := cmp.Diff(want, keyOf(got), cmpAddrs); diff != "" {
			t.Errorf("translation (-want +got):\n%s", diff)
		}
		if got.NAT() != flow.SNAT || !n.router.listed()[keyOf(got)] {
			t.Errorf("NAT = %v, listed by conntrack: %v", got.NAT(), n.router.listed()[keyOf(got)])
		}
	}
	f("10.0.2.2", "10.0.1.2", "10.0.2.1", flow.ICMPv4, 4711)
	f("fd00:2::2", "fd00:1::2", "fd00:2::1", flow.ICMPv6, 4712)
}

func TestExistingConnections(t *testing.T) {
	n := newNetwork(t, natRules)
	n.serve(t)
	for _, d := range dials {
		n.dial(t, d.network, d.dialled)
	}
	n.ping(t, "10.0.2.2", 99)
	n.ping(t, "fd00:2::2", 99)
	_, r := watch(t, n.router)
	want := n.router.listed()
	if len(want) < len(dials)+2 {
		t.Fatalf("conntrack lists only %d entries", len(want))
	}
	if diff := cmp.Diff(want, r.keys(), cmpAddrs); diff != "" {
		t.Errorf("dumped entries (-conntrack +got):\n%s", diff)
	}
	for _, x := range r.all {
		if x.Start != 0 || x.End != 0 {
			t.Errorf("dumped entry without timestamps has Start %d, End %d", x.Start, x.End)
		}
	}
}

func TestDestroy(t *testing.T) {
	n := newNetwork(t, natRules)
	n.serve(t)
	_, r := watch(t, n.router)
	f := func(timestamps, dialled string) {
		t.Helper()
		n.router.sysctl("netfilter/nf_conntrack_timestamp", timestamps)
		client := n.dial(t, "udp", dialled)
		mine := func(x nat.Translation) bool { return x.Orig.Src == client }
		begun := r.await(t, "a new entry", mine)
		before := flow.Time(time.Now().UnixNano())
		n.router.run("", "conntrack", "-D", "-f", family(client), "-p", "udp", "--sport", strconv.Itoa(int(client.Port())))
		ended := r.await(t, "its end", func(x nat.Translation) bool { return mine(x) && x.End != 0 })
		if diff := cmp.Diff(keyOf(begun), keyOf(ended), cmpAddrs); diff != "" {
			t.Errorf("destroyed entry (-new +destroyed):\n%s", diff)
		}
		if ended.End < before || ended.End > flow.Time(time.Now().UnixNano()) {
			t.Errorf("End = %d, want after %d and before now", ended.End, before)
		}
		if known := ended.Start != 0; known != (timestamps == "1") {
			t.Errorf("timestamps %s: Start = %d on the destroyed entry", timestamps, ended.Start)
		}
		// An event has its own time since Linux 6.14, a moment beside that of the start; before, it is when we got it.
		if d := time.Duration(ended.Start - begun.Start); timestamps == "1" && d.Abs() > time.Second {
			t.Errorf("Start differs by %v between the new and the destroyed entry", d)
		}
	}
	f("0", "10.96.0.1:53")
	f("0", "[fd00:96::1]:53")
	f("1", "10.96.0.1:53")
}

// TestEndOfExisting: an entry older than the source ends with an event where the sysctl asks for events of all entries.
func TestEndOfExisting(t *testing.T) {
	n := newNetwork(t, natRules)
	n.serve(t)
	n.router.sysctl("netfilter/nf_conntrack_events", "1")
	client := n.dial(t, "udp", "10.96.0.1:53")
	_, r := watch(t, n.router)
	n.router.run("", "conntrack", "-D", "-p", "udp", "--sport", strconv.Itoa(int(client.Port())))
	r.await(t, "its end", func(x nat.Translation) bool { return x.Orig.Src == client && x.End != 0 })
}

func TestDumpedTimestamps(t *testing.T) {
	n := newNetwork(t, natRules)
	n.serve(t)
	n.router.sysctl("netfilter/nf_conntrack_timestamp", "1")
	before := flow.Time(time.Now().UnixNano())
	client := n.dial(t, "tcp", "10.96.0.1:80")
	after := flow.Time(time.Now().UnixNano())
	_, r := watch(t, n.router)
	got := r.await(t, "the entry", func(x nat.Translation) bool { return x.Orig.Src == client })
	if got.Start < before || got.Start > after {
		t.Errorf("Start = %d, want in [%d, %d]", got.Start, before, after)
	}
}

func TestZones(t *testing.T) {
	rules := func(statement string) string {
		return natRules + `
table inet zones {
	chain raw {
		type filter hook prerouting priority raw
		iifname "cli" ` + statement + `
		iifname "srv" ` + statement + `
	}
}`
	}
	f := func(name, ruleset string, iptables []string, want uint16) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, ruleset)
			for _, args := range iptables {
				n.router.run("", strings.Fields(args)...)
			}
			n.serve(t)
			dumped := n.dial(t, "udp", "10.96.0.1:53")
			_, r := watch(t, n.router)
			streamed := n.dial(t, "udp", "10.96.0.1:53")
			for _, client := range []netip.AddrPort{dumped, streamed} {
				got := r.await(t, client.String(), func(x nat.Translation) bool { return x.Orig.Src == client })
				if got.Zone != want || !n.router.listed()[keyOf(got)] {
					t.Errorf("%v: zone %d, want %d; conntrack lists %v", got, got.Zone, want, n.router.listed())
				}
			}
		})
	}
	f("nft, both directions", rules("ct zone set 7"), nil, 7)
	f("nft, original direction", rules("ct original zone set 0x1234"), nil, 0x1234)
	f("nft, no zone", natRules, nil, 0)
	f("iptables", natRules, []string{
		"iptables -t raw -A PREROUTING -i cli -j CT --zone 9",
		"iptables -t raw -A PREROUTING -i srv -j CT --zone 9",
	}, 9)
}

func TestIPTablesDNAT(t *testing.T) {
	n := newNetwork(t, "")
	for _, rule := range []string{
		"iptables -t nat -A PREROUTING -d 10.96.0.1 -p tcp --dport 80 -j DNAT --to-destination 10.0.2.2:8080",
		"iptables -t nat -A POSTROUTING -o srv -j MASQUERADE",
	} {
		n.router.run("", strings.Fields(rule)...)
	}
	n.serve(t)
	_, r := watch(t, n.router)
	client := n.dial(t, "tcp", "10.96.0.1:80")
	want := translated(flow.TCP, client, addrPort("10.96.0.1:80"), addrPort("10.0.2.2:8080"), "10.0.2.1")
	got := r.await(t, "the connection", func(x nat.Translation) bool { return x.Orig.Src == client })
	if diff := cmp.Diff(want, keyOf(got), cmpAddrs); diff != "" {
		t.Errorf("translation (-want +got):\n%s", diff)
	}
}

func TestUntranslatedIsReported(t *testing.T) {
	n := newNetwork(t, trackRules)
	n.serve(t)
	_, r := watch(t, n.router)
	client := n.dial(t, "tcp", "10.0.2.2:8080")
	got := r.await(t, "the connection", func(x nat.Translation) bool { return x.Orig.Src == client })
	want := nat.Tuple{Src: client, Dst: addrPort("10.0.2.2:8080")}
	if got.Orig != want || got.Reply != want.Reverse() || got.NAT() != 0 {
		t.Errorf("got %v, want %v both ways", got, want)
	}
}

func family(a netip.AddrPort) string {
	if a.Addr().Is4() {
		return "ipv4"
	}
	return "ipv6"
}
