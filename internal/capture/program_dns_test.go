package capture

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/testkit"
)

// dnsMachine is the loaded programs of DNS, and the ring that nobody else reads.
type dnsMachine struct {
	messages
	programs map[hook]*ebpf.Program
}

// newDNSMachine loads the programs with a ring of that many bytes.
func newDNSMachine(t *testing.T, ring uint32, ports ...uint16) *dnsMachine {
	t.Helper()
	testkit.RequireRoot(t)
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	spec, err := bpf.LoadDNS()
	if err != nil {
		t.Fatal(err)
	}
	var wanted [MaxDNSPorts]uint16
	copy(wanted[:], ports)
	if err := spec.Variables["config_dns_ports"].Set(wanted); err != nil {
		t.Fatal(err)
	}
	spec.Maps["seine_dns"].MaxEntries = ring
	m := &dnsMachine{messages: messages{errorNames: enumNames(spec, "dns_error", "DNS_ERROR_")}}
	o := &m.objects
	if err := undisturbed(func() error { return spec.LoadAndAssign(o, nil) }); err != nil {
		t.Fatalf("load: %+v", err)
	}
	t.Cleanup(func() { o.Close() })
	if m.reader, err = ringbuf.NewReader(o.SeineDns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.reader.Close() })
	m.programs = map[hook]*ebpf.Program{
		{}: o.SeineDnsIn, {egress: true}: o.SeineDnsOut, {l3: true}: o.SeineDnsInL3, {egress: true, l3: true}: o.SeineDnsOutL3,
	}
	return m
}

// run gives a packet to a program and returns the payloads handed over.
func (m *dnsMachine) run(t *testing.T, h hook, packet []byte) (payloads [][]byte) {
	t.Helper()
	verdict, err := m.programs[h].Run(&ebpf.RunOptions{Data: packet})
	if err != nil || verdict != next {
		t.Fatalf("run %+v with % x: verdict %#x, error %v", h, packet, verdict, err)
	}
	return m.take(t)
}

// take empties the ring.
func (m *dnsMachine) take(t *testing.T) (payloads [][]byte) {
	t.Helper()
	m.reader.SetDeadline(time.Unix(1, 0))
	for {
		rec, err := m.reader.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return payloads
		}
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, rec.RawSample[dnsHead:])
	}
}

// lost is a counter of losses.
func (m *dnsMachine) lost(t *testing.T, reason string) uint64 {
	t.Helper()
	for _, l := range m.losses() {
		if l.Reason == "dns_"+reason {
			return l.Count
		}
	}
	t.Fatalf("no loss is called %s", reason)
	return 0
}

// ask is the payload of dnsCases: the program looks at none of it.
var ask = []byte("a question of DNS")

// dnsCases are packets, and whether they are handed over.
var dnsCases = []struct {
	name  string
	frame []byte
	want  bool
}{
	{"query", eth4(v4(a4, b4, 17, udp(1000, 53, ask...))), true},
	{"answer", eth4(v4(b4, a4, 17, udp(53, 1000, ask...))), true},
	{"query to the last port", eth4(v4(a4, b4, 17, udp(1000, 5353, ask...))), true},
	{"query over TCP", eth4(v4(a4, b4, 6, tcp(1000, 53, 7, 0x18, ask...))), true},
	{"query over IPv6", eth6(v6(a6, b6, 17, udp(1000, 53, ask...))), true},
	{"answer over IPv6 and TCP", eth6(v6(b6, a6, 6, tcp(53, 1000, 7, 0x18, ask...))), true},
	{"query behind IPv4 options", eth4(v4with(a4, b4, 17, options(3), 0, 0, udp(1000, 53, ask...))), true},
	{"query in a VLAN", eth(0x8100, tag(7, 0x0800, v4(a4, b4, 17, udp(1000, 53, ask...)))), true},
	{"query in two VLANs", eth(0x88a8, tag(7, 0x8100, tag(8, 0x86dd, v6(a6, b6, 17, udp(1000, 53, ask...))))), true},
	{"first fragment", eth4(v4with(a4, b4, 17, nil, 9, more4, udp(1000, 53, ask...))), true},
	{"first fragment over IPv6", eth6(v6(a6, b6, 44, frag6(17, 0, true, 9), udp(1000, 53, ask...))), true},
	{"later fragment that looks like a query", eth4(v4with(a4, b4, 17, nil, 9, off4, udp(1000, 53, ask...))), false},
	{"later fragment over IPv6", eth6(v6(a6, b6, 44, frag6(17, off4, false, 9), udp(1000, 53, ask...))), false},
	{"another port", eth4(v4(a4, b4, 17, udp(1000, 80, ask...))), false},
	{"port 0, as ports that are not set", eth4(v4(a4, b4, 17, udp(0, 0, ask...))), false},
	{"another port over TCP and IPv6", eth6(v6(a6, b6, 6, tcp(1000, 443, 7, 0x18, ask...))), false},
	{"another port behind options", eth4(v4with(a4, b4, 17, options(3), 0, 0, udp(1000, 80, ask...))), false},
	{"another port in a VLAN", eth(0x8100, tag(7, 0x0800, v4(a4, b4, 17, udp(1000, 80, ask...)))), false},
	{"SCTP", eth4(v4(a4, b4, 132, sctp(1000, 53, 1))), false},
	{"ICMP that quotes a query", eth4(v4(a4, b4, 1, icmp(3, 3, 0, v4(b4, a4, 17, udp(1000, 53))))), false},
	{"ARP", eth(0x0806, make([]byte, 46)), false},
	{"acknowledgement of TCP without payload", eth4(v4(a4, b4, 6, tcp(1000, 53, 7, 0x10))), false},
	{"IPv4 that says it is IPv6", eth4(edited(v4(a4, b4, 17, udp(1000, 53, ask...)), 0, 0x65)), false},
	{"cut behind the IPv4 header", eth4(v4(a4, b4, 17)), false},
	{"cut behind the IPv6 header", eth6(v6(a6, b6, 17)), false},
}

// Packets of the resolvers' ports are handed over whole, and no others, whether they are plain or not.
func TestDNSProgram(t *testing.T) {
	m := newDNSMachine(t, 1<<16, 53, 0, 0, 5353)
	for _, tt := range dnsCases {
		for _, h := range []hook{{}, {egress: true}} { // A test run is on loopback, whose packets have a link layer.
			got := m.run(t, h, tt.frame)
			if tt.want != (len(got) == 1) || tt.want && !bytes.Equal(got[0], ask) {
				t.Errorf("%s at %+v: handed over %q, want it %t", tt.name, h, got, tt.want)
			}
		}
	}
}

// Messages for which the ring has no room are counted, as many as are missing.
func TestDNSRingFull(t *testing.T) {
	const sent = 200
	m := newDNSMachine(t, 4096, 53)
	for range sent {
		if _, err := m.programs[hook{}].Run(&ebpf.RunOptions{Data: eth4(v4(a4, b4, 17, udp(1000, 53, ask...)))}); err != nil {
			t.Fatal(err)
		}
	}
	got, lost := uint64(len(m.take(t))), m.lost(t, "ring_full")
	if got == 0 || lost == 0 || got+lost != sent {
		t.Errorf("%d handed over and %d lost of %d", got, lost, sent)
	}
}

// Devices without a link layer: see TestParseWithoutLinkLayer for where the ethertype lies.
func TestDNSProgramWithoutLinkLayer(t *testing.T) {
	m := newDNSMachine(t, 1<<16, 53)
	for _, port := range []uint16{53, 80} {
		for _, packet := range [][]byte{
			v4("8.0.0.1", b4, 17, udp(1000, port, ask...)), v6("2001:db8:86dd::1", b6, 17, udp(1000, port, ask...)),
			v4with("8.0.0.1", b4, 17, options(1), 0, 0, udp(1000, port, ask...)),
		} {
			for _, h := range []hook{{l3: true}, {l3: true, egress: true}} {
				if got := m.run(t, h, packet); len(got) == 1 != (port == 53) {
					t.Errorf("% x: handed over %q", packet, got)
				}
			}
		}
	}
}
