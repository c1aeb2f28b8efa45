package flow

import (
	"fmt"
	"testing"
)

func TestEnumText(t *testing.T) {
	f := func(value fmt.Stringer, want string) {
		t.Helper()
		if got := value.String(); got != want {
			t.Errorf("%T: got %q, want %q", value, got, want)
		}
	}
	f(TCP, "TCP")
	f(UDP, "UDP")
	f(SCTP, "SCTP")
	f(ICMPv4, "ICMP")
	f(ICMPv6, "ICMPv6")
	f(Proto(47), "47")
	f(NAT(0), "none")
	f(DNAT, "dnat")
	f(SNAT, "snat")
	f(DNAT|SNAT, "dnat+snat")
	f(NAT(4), "4")
	f(NoSource, "none")
	f(KFunc, "kfunc")
	f(FEntry, "fentry")
	f(KProbe, "kprobe")
	f(CTNetlink, "ctnetlink")
	f(Orientation(0), "")
	f(ByConntrack, "conntrack")
	f(BySYN, "syn")
	f(ByFirstPacket, "first_packet")
	f(ByPort, "port")
	f(Transit, "transit")
	f(Client, "client")
	f(Server, "server")
	f(UnknownKind, "")
	f(Pod, "Pod")
	f(Service, "Service")
	f(Node, "Node")
	f(External, "External")
	f(Unresolved, "none")
	f(ByPodIP, "pod_ip")
	f(ByServiceIP, "service_ip")
	f(ByNodeIP, "node_ip")
	f(ByCgroup, "cgroup")
	f(BySubnet, "subnet")
	f(ByDNS, "dns")
	f(ByNodePort, "node_port")
	f(ByEndpoint, "endpoint")
	f(ByRange, "range")
	f(Special, "Special")
	f(UnknownTraffic, "")
	f(CrossZone, "cross_zone")
	f(InternetOut, "internet_out")
	f(Resolution(200), "200")
	f(TCPFlags(0), "")
	f(SYN, "SYN")
	f(SYN|ACK, "SYN|ACK")
	f(FIN|SYN|RST|PSH|ACK|URG|ECE|CWR, "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR")
	f(Time(1772366400500000000), "2026-03-01T12:00:00.5Z")
}

func TestEnumsHaveNoGaps(t *testing.T) {
	for _, f := range fields {
		for code, v := range f.Enum {
			if v.Doc == "" {
				t.Errorf("%s: code %d has no entry", f.Name, code)
			}
		}
	}
}
