package kube

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

func TestIdentify(t *testing.T) {
	var subnets Subnets
	for _, s := range []string{"office=203.0.113.0/24,2001:db8:1::/48", "lab=203.0.113.128/25", "EXT:partner=10.9.0.0/16"} {
		if err := subnets.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	x := NewIndex(cluster, WithSubnets(subnets))
	x.Set(Object{Kind: flow.Pod, Namespace: "mon", Name: "exporter-1", UID: "u1", CgroupUID: "c1", Node: "n1"})
	x.Set(Object{Kind: flow.Node, Name: "n3", Node: "n3", Zone: "c", PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.3.0/24")}})
	x.Set(Object{
		Kind: flow.Service, Namespace: "edge", Name: "lb", Addrs: addrs("192.0.2.2", "198.51.100.9"),
		Ports: []Port{{Port: 443, Proto: flow.TCP}},
	})
	x.SetSlice(Slice{
		Namespace: "mon", Name: "exporter-x", Service: "exporter", Ports: []Port{{Port: 9100, Proto: flow.TCP}},
		Endpoints: []Endpoint{{Addr: netip.MustParseAddr("192.0.2.1"), Pod: "exporter-1"}},
	})
	x.SetSlice(Slice{
		Namespace: "default", Name: "kubernetes", Service: "kubernetes", Ports: []Port{{Port: 6443, Proto: flow.TCP}},
		Endpoints: []Endpoint{{Addr: netip.MustParseAddr("192.0.2.1")}, {Addr: netip.MustParseAddr("198.51.100.77")}},
	})
	x.SetSlice(Slice{
		Namespace: "shop", Name: "web-y", Service: "web", Ports: []Port{{Port: 8080, Proto: flow.TCP}},
		Endpoints: []Endpoint{{Addr: netip.MustParseAddr("10.0.1.1"), Pod: "web-0"}},
	})
	for _, s := range []Slice{ // Of somebody who writes what he likes into his namespace.
		{Name: "1", Service: "theirs", Ports: []Port{{Port: 8080, Proto: flow.TCP}}, Endpoints: []Endpoint{{Addr: netip.MustParseAddr("10.0.1.1"), Pod: "web-0"}}},
		{Name: "2", Service: "aaa", Ports: []Port{{Port: 6443, Proto: flow.TCP}}, Endpoints: []Endpoint{{Addr: netip.MustParseAddr("192.0.2.1"), Pod: "mine"}, {Addr: netip.MustParseAddr("198.51.100.77")}}},
		{Name: "3", Service: "aaa", Ports: []Port{{Port: 22, Proto: flow.TCP}}, Endpoints: []Endpoint{{Addr: netip.MustParseAddr("192.0.2.2"), Pod: "mine"}}},
	} {
		s.Namespace = "attack"
		x.SetSlice(s)
	}
	x.Set(Object{Kind: flow.Pod, Namespace: "attack", Name: "mine", Node: "n1", Addrs: addrs("10.0.1.66")})
	f := func(what string, q Query, addr string, want string) {
		t.Helper()
		q.Addr, q.Proto = netip.MustParseAddr(addr), flow.TCP
		id := x.Identify(&q)
		got := strings.TrimRight(strings.Join([]string{
			id.Kind.String(), id.Namespace, id.Name, "svc=" + id.Service, "zone=" + id.Zone, "subnet=" + id.Subnet, id.ResolvedBy.String(),
		}, " "), " ")
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	f("pod behind a Service", Query{Port: 40000}, "10.0.1.1", "Pod shop web-0 svc=web zone=a subnet= pod_ip")
	f("process of a host-network pod", Query{Port: 40000, PodUID: "u1"}, "192.0.2.1", "Pod mon exporter-1 svc= zone=a subnet= cgroup")
	f("a static pod's process", Query{Port: 40000, PodUID: "c1"}, "192.0.2.1", "Pod mon exporter-1 svc= zone=a subnet= cgroup")
	f("a process of an unknown pod", Query{Port: 40000, PodUID: "u9"}, "192.0.2.1", "Node  n1 svc= zone=a subnet= node_ip")
	f("host-network pod by its endpoint", Query{Port: 9100}, "192.0.2.1", "Pod mon exporter-1 svc=exporter zone=a subnet= endpoint")
	f("API server on a node", Query{Port: 6443}, "192.0.2.1", "Node  n1 svc=kubernetes zone=a subnet= node_ip")
	f("API server elsewhere", Query{Port: 6443}, "198.51.100.77", "External default kubernetes svc=kubernetes zone= subnet= endpoint")
	f("another port there", Query{Port: 22}, "198.51.100.77", "External   svc= zone= subnet= none")
	f("Service at a node's address", Query{Port: 443}, "192.0.2.2", "Service edge lb svc=lb zone= subnet= service_ip")
	f("the node itself", Query{Port: 9}, "192.0.2.2", "Node  n2 svc= zone=b subnet= node_ip")
	f("the node itself, where another pod claims to answer", Query{Port: 22}, "192.0.2.2", "Node  n2 svc=aaa zone=b subnet= node_ip")
	f("load balancer's address at another port", Query{Port: 80}, "198.51.100.9", "Service edge lb svc=lb zone= subnet= service_ip")
	f("unknown pod of a node", Query{}, "10.0.3.7", "   svc= zone=c subnet= range")
	f("subnet", Query{}, "203.0.113.7", "External   svc= zone= subnet=office subnet")
	f("longer prefix", Query{}, "203.0.113.200", "External   svc= zone= subnet=lab subnet")
	f("IPv6 subnet", Query{}, "2001:db8:1::7", "External   svc= zone= subnet=office subnet")
	f("mapped", Query{}, "::ffff:203.0.113.7", "External   svc= zone= subnet=office subnet")
	f("OVN", Query{}, "fd69::2", "Special  ovn-masquerade svc= zone= subnet= range")
	f("shared address space", Query{}, "100.100.1.1", "Special  shared-address-space svc= zone= subnet= range")
	f("outside", Query{}, "192.0.2.200", "External   svc= zone= subnet= none")
	external := func(addr string, want bool) {
		t.Helper()
		if got := subnets.External(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is billed as the internet: %v", addr, got)
		}
	}
	external("198.51.100.1", true)
	external("2600::1", true)
	external("203.0.113.7", false)
	external("10.9.1.1", true)
	external("10.8.1.1", false)
	external("100.64.1.1", false)
	external("fd00::1", false)
	external("169.254.169.254", false)
	external("168.63.129.16", false)
	external("224.0.0.1", false)
}

// Addresses that others cannot name: the API server's, those of CNIs and of machines themselves. The longest prefix counts.
func TestSpecialAddresses(t *testing.T) {
	x := NewIndex([]Object{{
		Kind: flow.Service, Namespace: "default", Name: "kubernetes", Addrs: addrs("172.20.0.1", "fd00:20::1"), Ports: []Port{{Port: 443, Proto: flow.TCP}},
	}})
	for addr, want := range map[string]string{
		"172.20.0.1": "Service kubernetes", "fd00:20::1": "Service kubernetes",
		"169.254.0.1": "Special ovn-masquerade", "169.254.0.8": "Special link-local", "169.254.169.4": "Special ovn-masquerade",
		"169.254.169.8": "Special link-local", "169.254.169.254": "Special cloud-metadata", "169.254.169.253": "Special cloud-dns",
		"169.254.169.123": "Special cloud-time", "169.254.20.10": "Special node-local-dns", "169.254.1.1": "Special calico-gateway",
		"fd69::2": "Special ovn-masquerade", "fd69:0:0:1::1": "External ", "fd98::1": "Special ovn-join", "fd97::1": "Special ovn-transit",
		"100.64.0.2": "Special ovn-join", "100.65.0.1": "Special shared-address-space", "100.88.0.1": "Special ovn-transit",
		"100.100.100.200": "Special cloud-metadata", "100.127.255.255": "Special shared-address-space", "100.128.0.0": "External ",
		"fd00:ec2::254": "Special cloud-metadata", "fd20:ce::254": "Special cloud-metadata", "168.63.129.16": "Special cloud-platform",
		"::ffff:169.254.169.254": "Special cloud-metadata", "fe80::1%eth0": "Special link-local", "ff02::fb": "Special mdns",
		"ff02::1:2": "Special multicast", "::1": "Special loopback", "::": "Special unspecified", "0.0.0.0": "Special unspecified",
		"127.1.2.3": "Special loopback", "255.255.255.255": "Special broadcast", "250.1.1.1": "Special reserved", "224.0.0.251": "Special mdns",
		"239.1.1.1": "Special multicast", "8.8.8.8": "External ", "2001:4860::8888": "External ", "10.1.1.1": "External ",
	} {
		id := x.Identify(&Query{Addr: netip.MustParseAddr(addr), Port: 443, Proto: flow.TCP})
		if got := id.Kind.String() + " " + id.Name; got != want {
			t.Errorf("%s is %q, want %q", addr, got, want)
		}
	}
}

// Of networks within networks the longest counts, of both families, whatever the order they are named in.
func TestLongestPrefix(t *testing.T) {
	var s Subnets
	for _, d := range []string{
		"host=10.1.2.3/32,2001:db8:1:2::3/128", "all=0.0.0.0/0,::/0", "site=10.1.0.0/16,2001:db8:1::/48", "rack=10.1.2.0/24,2001:db8:1:2::/64",
		"half=10.1.2.128/25,2001:db8:1:2:8000::/65", "company=10.0.0.0/8,2001:db8::/32",
	} {
		if err := s.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	x := NewIndex(nil, WithSubnets(s))
	for addr, want := range map[string]string{
		"10.1.2.3": "host", "10.1.2.4": "rack", "10.1.2.127": "rack", "10.1.2.128": "half", "10.1.3.1": "site", "10.2.0.1": "company", "11.0.0.1": "all",
		"2001:db8:1:2::3": "host", "2001:db8:1:2::4": "rack", "2001:db8:1:2:8000::": "half", "2001:db8:1:3::1": "site", "2001:db8:2::1": "company",
		"2001:db9::1": "all", "::ffff:10.1.2.3": "host", "169.254.169.254": "all",
	} {
		if got := x.Identify(&Query{Addr: netip.MustParseAddr(addr)}).Subnet; got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
}

func TestSubnetsRefused(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var s Subnets
		if err := s.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
	f("office", "office=203.0.113.0/24")
	f("# comment\n\n=10.0.0.0/8", "line 3")
	f("EXT:=10.0.0.0/8", "want NAME=NETWORK")
	f("a=10.0.0.0", `network "10.0.0.0"`)
	f("a=10.0.0.0/33", "10.0.0.0/33")
	f("a=::ffff:10.0.0.0/104", "want NAME")
	f("a=10.0.0.0/8\nb=10.0.0.0/8", `labelled "a" already`)
	f("a=10.0.0.0/8\nb=10.1.0.0/8", `labelled "a" already`)
}
