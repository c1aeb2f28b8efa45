package ipfix

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/netsampler/goflow2/v2/decoders/netflow"

	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// expected says of elements with numbers of IANA, by another's list of these, what a record has there.
var expected = map[key]func(r *flow.Record) any{
	{0, netflow.IPFIX_FIELD_flowStartMilliseconds}:            func(r *flow.Record) any { return uint64(r.Start / 1e6) },
	{0, netflow.IPFIX_FIELD_flowEndMilliseconds}:              func(r *flow.Record) any { return uint64(r.End / 1e6) },
	{0, netflow.IPFIX_FIELD_sourceIPv4Address}:                func(r *flow.Record) any { return r.Src.Addr.Unmap().WithZone("") },
	{0, netflow.IPFIX_FIELD_sourceIPv6Address}:                func(r *flow.Record) any { return r.Src.Addr.Unmap().WithZone("") },
	{0, netflow.IPFIX_FIELD_destinationIPv4Address}:           func(r *flow.Record) any { return r.Dst.Addr.Unmap().WithZone("") },
	{0, netflow.IPFIX_FIELD_destinationIPv6Address}:           func(r *flow.Record) any { return r.Dst.Addr.Unmap().WithZone("") },
	{0, netflow.IPFIX_FIELD_sourceTransportPort}:              func(r *flow.Record) any { return uint64(r.Src.Port) },
	{0, netflow.IPFIX_FIELD_destinationTransportPort}:         func(r *flow.Record) any { return uint64(r.Dst.Port) },
	{0, netflow.IPFIX_FIELD_protocolIdentifier}:               func(r *flow.Record) any { return uint64(r.Proto) },
	{0, netflow.IPFIX_FIELD_icmpTypeCodeIPv4}:                 typeAndCode,
	{0, netflow.IPFIX_FIELD_icmpTypeCodeIPv6}:                 typeAndCode,
	{0, netflow.IPFIX_FIELD_postNATSourceIPv4Address}:         func(r *flow.Record) any { return r.SNAT.Addr().Unmap().WithZone("") },
	{0, netflow.IPFIX_FIELD_postNATSourceIPv6Address}:         func(r *flow.Record) any { return r.SNAT.Addr().Unmap().WithZone("") },
	{0, netflow.IPFIX_FIELD_postNATDestinationIPv4Address}:    func(r *flow.Record) any { return r.Backend.Addr.Unmap().WithZone("") },
	{0, netflow.IPFIX_FIELD_postNATDestinationIPv6Address}:    func(r *flow.Record) any { return r.Backend.Addr.Unmap().WithZone("") },
	{0, netflow.IPFIX_FIELD_postNAPTSourceTransportPort}:      func(r *flow.Record) any { return uint64(r.SNAT.Port()) },
	{0, netflow.IPFIX_FIELD_postNAPTDestinationTransportPort}: func(r *flow.Record) any { return uint64(r.Backend.Port) },
	{0, netflow.IPFIX_FIELD_octetDeltaCount}:                  func(r *flow.Record) any { return count(r.Fwd.Bytes) },
	{0, netflow.IPFIX_FIELD_packetDeltaCount}:                 func(r *flow.Record) any { return count(r.Fwd.Packets) },
	{0, netflow.IPFIX_FIELD_layer2OctetDeltaCount}:            func(r *flow.Record) any { return count(r.Fwd.Bytes) },
	{0, netflow.IPFIX_FIELD_droppedOctetDeltaCount}:           func(r *flow.Record) any { return r.FwdFaults.DropBytes },
	{0, netflow.IPFIX_FIELD_droppedPacketDeltaCount}:          func(r *flow.Record) any { return r.FwdFaults.DropPackets },
	{29305, netflow.IPFIX_FIELD_octetDeltaCount}:              func(r *flow.Record) any { return count(r.Rev.Bytes) },
	{29305, netflow.IPFIX_FIELD_packetDeltaCount}:             func(r *flow.Record) any { return count(r.Rev.Packets) },
	{29305, netflow.IPFIX_FIELD_layer2OctetDeltaCount}:        func(r *flow.Record) any { return count(r.Rev.Bytes) },
	{29305, netflow.IPFIX_FIELD_droppedOctetDeltaCount}:       func(r *flow.Record) any { return r.RevFaults.DropBytes },
	{29305, netflow.IPFIX_FIELD_droppedPacketDeltaCount}:      func(r *flow.Record) any { return r.RevFaults.DropPackets },
	{0, netflow.IPFIX_FIELD_tcpControlBits}:                   func(r *flow.Record) any { return uint64(r.TCPFlags) },
	{0, netflow.IPFIX_FIELD_biflowDirection}:                  direction,
	{0, netflow.IPFIX_FIELD_interfaceName}:                    func(r *flow.Record) any { return encodable(r.Iface) },
	{0, netflow.IPFIX_FIELD_selectorAlgorithm}:                func(*flow.Record) any { return uint64(4) },
	{0, netflow.IPFIX_FIELD_samplingProbability}:              func(r *flow.Record) any { return 1 / float64(max(r.Sampling, 1)) },
	{0, netflow.IPFIX_FIELD_samplingInterval}:                 func(r *flow.Record) any { return uint64(r.Sampling) },
	// As NetObserv's exporter has them.
	{2, 7733}: func(r *flow.Record) any { return encodable(r.Src.Namespace) },
	{2, 7734}: func(r *flow.Record) any { return encodable(r.Src.Name) },
	{2, 7735}: func(r *flow.Record) any { return encodable(r.Dst.Namespace) },
	{2, 7736}: func(r *flow.Record) any { return encodable(r.Dst.Name) },
	{2, 7737}: func(r *flow.Record) any { return encodable(r.Src.Identity.Node) },
	{2, 7738}: func(r *flow.Record) any { return encodable(r.Dst.Identity.Node) },
	{2, 7740}: func(r *flow.Record) any { return uint64(r.TCP.RTT) * 1000 },
}

func typeAndCode(r *flow.Record) any { return uint64(r.ICMP.Type)<<8 | uint64(r.ICMP.Code) }

func direction(r *flow.Record) any {
	if r.OrientedBy == 0 {
		return uint64(0)
	}
	return uint64(1)
}

// count is what a column holds.
func count(n uint64) uint64 { return min(n, math.MaxInt64) }

func encodable(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// ofField is what a record has in the element of the enterprise with a field's number.
func ofField(f *flow.Field, r *flow.Record) any {
	switch {
	case f.Kind == flow.BoolField:
		return f.Uint(r) != 0
	case f.Kind == flow.EnumField && f.Present(r):
		return f.Enum.Name(f.Uint(r))
	case f.Kind == flow.EnumField:
		return ""
	case f.Kind == flow.NameField:
		return encodable(f.Text(r))
	case !f.Present(r):
		return uint64(0)
	}
	return count(f.Uint(r))
}

// want returns what an element of a record has to have.
func want(t *testing.T, k key, r *flow.Record) any {
	t.Helper()
	if f, ok := expected[k]; ok {
		return f(r)
	}
	f, ok := flow.FieldByID(flow.FieldID(k.number))
	if !ok || k.enterprise != 2 {
		t.Fatalf("element %v is sent, and no test knows it", k)
	}
	return ofField(f, r)
}

// compare reads a value as the type of what is wanted.
func compare(raw []byte, want any) error {
	var got any
	var err error
	switch want.(type) {
	case uint64:
		got, err = number(raw)
	case float64:
		var bits uint64
		bits, err = number(raw)
		got = math.Float64frombits(bits)
	case string:
		got = string(raw)
	case bool:
		got = map[string]bool{"\x01": true, "\x02": false}[string(raw)]
		if len(raw) != 1 || raw[0] < 1 || raw[0] > 2 {
			err = errNoLength
		}
	case netip.Addr:
		got, _ = netip.AddrFromSlice(raw)
	}
	if err == nil && got != want {
		err = fmt.Errorf("got %v, want %v", got, want)
	}
	return err
}

// same holds a record as it came against the one that was sent.
func same(t *testing.T, got decoded, sent *flow.Record) {
	t.Helper()
	for k, raw := range got.values {
		if err := compare(raw, want(t, k, sent)); err != nil {
			t.Errorf("template %d, element %v of %s: %v", got.template, k, flow.FormatPath(sent), err)
		}
	}
}

// plan is that of an exporter without further choice, or of some fields.
func plan(t testing.TB, fields ...string) *query.Plan {
	t.Helper()
	return exporttest.Plan(t, "flows", fields...)
}

func blockOf(t testing.TB, p *query.Plan, records ...flow.Record) *query.Block {
	t.Helper()
	return exporttest.Block(t, p, records)
}

// translated is a connection to a Service, known by all names and with trouble of every kind.
func translated() flow.Record {
	r := plain(flow.TCP, "10.244.1.7:40002", "10.96.0.20:80")
	r.Backend.Addr, r.Backend.Port = netip.MustParseAddr("10.244.2.9"), 8080
	r.SNAT = netip.MustParseAddrPort("10.244.1.1:61000")
	r.NAT, r.NATSource, r.OrientedBy, r.Zone = flow.DNAT|flow.SNAT, flow.KFunc, flow.ByConntrack, 7
	r.Src.Identity = identity("front")
	r.Dst.Identity = flow.Identity{Kind: flow.Service, Namespace: "shop", Name: "cart", Service: "cart", ResolvedBy: flow.ByServiceIP}
	r.Backend.Identity = identity("cart")
	r.Src.Process = flow.Process{PID: 4711, Name: "front", Container: "3f4c6a1be0d2", Runtime: flow.Containerd, PodUID: "0b9ad5c2"}
	r.Backend.Process = flow.Process{PID: 812, Name: "cart", Unit: "cart.service"}
	r.TCPFlags = flow.SYN | flow.ACK | flow.CWR
	r.TCP = flow.TCPHealth{
		State: flow.TCPClose, RTT: 850, MinRTT: 410, Handshake: 1200, Lifetime: 5310000000,
		Resets: 1, ResetBy: flow.ResetByServer, Connect: flow.ConnectOK, ListenDrops: 3,
	}
	r.FwdFaults = flow.Faults{Retransmits: 1, DropPackets: 2, DropBytes: 3, ZeroWindows: 4, OutOfOrder: 5}
	r.RevFaults = flow.Faults{Retransmits: 10, DropPackets: 20, DropBytes: 30, ZeroWindows: 40, OutOfOrder: 50}
	r.Drop = flow.Drop{Reason: "NETFILTER_DROP", Function: "nf_hook_slow"}
	r.Reporter, r.Primary, r.Traffic, r.Cost = flow.Client, true, flow.CrossZone, 15140
	return r
}

func identity(name string) flow.Identity {
	return flow.Identity{
		Kind: flow.Pod, Namespace: "shop", Name: name + "-7d9f", Workload: flow.Workload{Kind: "Deployment", Name: name},
		Node: "worker-" + name, Zone: "zone-" + name, Region: "north", Service: name, App: name + "-app", Image: "registry.example/" + name,
		Labels: "team=" + name, Subnet: "subnet-" + name, DNSName: name + ".example", ResolvedBy: flow.ByPodIP,
	}
}

// plain is a connection of which nothing is known but what packets tell.
func plain(proto flow.Proto, src, dst string) flow.Record {
	from, to := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	end := flow.Endpoint{Addr: to.Addr(), Port: to.Port()}
	return flow.Record{
		Start: 1772366400123456789, End: 1772366404500000000, Proto: proto,
		Src: flow.Endpoint{Addr: from.Addr(), Port: from.Port()}, Dst: end, Backend: end, SNAT: from,
		Fwd: flow.Volume{Bytes: 1200, Packets: 7}, Rev: flow.Volume{Bytes: 1500000, Packets: 1001},
		Node: "worker-1", Iface: "eth0", Sampling: 1,
	}
}

// samples has a record of every kind that is written in a way of its own.
func samples() []flow.Record {
	overSix := translated()
	overSix.Src.Addr, overSix.SNAT = netip.MustParseAddr("fd00:10::7"), netip.MustParseAddrPort("[2001:db8:f::1]:61000")
	overSix.Dst.Addr, overSix.Backend.Addr = netip.MustParseAddr("fd00:96::20"), netip.MustParseAddr("fd00:10::9")
	ping := plain(flow.ICMPv4, "192.0.2.1:0", "192.0.2.2:0")
	ping.ICMP = flow.ICMP{Type: 8, Code: 1, ID: 4711}
	ping6 := plain(flow.ICMPv6, "[fd00::1]:0", "[fd00::2]:0")
	ping6.ICMP = flow.ICMP{Type: 128, ID: 12}
	sampled := plain(flow.UDP, "[fd00::1]:5353", "[2001:db8::1]:53")
	sampled.Sampling = 50
	return []flow.Record{translated(), overSix, ping, ping6, sampled, plain(flow.SCTP, "10.0.0.1:1", "10.0.0.2:2"), plain(47, "10.0.0.1:0", "10.0.0.2:0")}
}
