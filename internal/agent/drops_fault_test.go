package agent_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// dropFault is a fault that drops some of a client's datagrams, to a port of its own.
type dropFault struct {
	name string
	port uint16
	sent int
	// make makes the fault and returns what counts its drops.
	make func(*testing.T, *healthStage) (dropped func() uint64)
	// reason is the begin of the reason's name, told since a Linux version.
	reason, since string
}

var dropFaults = []dropFault{
	{"a queue too small", 7011, 200, smallQueue, "QDISC_", "5.18"},
	{"every fifth packet by a filter of tc", 7012, 52, everyFifth, "TC_INGRESS", "5.18"},
	{"rejected by a rule", 7013, 7, rejecting("udp dport 7013", "reject"), "NETFILTER_DROP", "5.17"},
	{"rejected by a rule for good", 7014, 7, rejecting("udp dport 7014", "reject with icmpx type admin-prohibited"), "NETFILTER_DROP", "5.17"},
}

// TestDropFaults has each fault told as drops of the connection that it befell, as many as whoever dropped them counted.
// Namespaces of other tests may have the same addresses: those of this one's pods are known by their numbers.
func TestDropFaults(t *testing.T) {
	for _, f := range dropFaults {
		t.Run(f.name, func(t *testing.T) {
			s := newHealthStage(t)
			s.take(f.port)
			dropped := f.make(t, s)
			s.watch(agent.Config{PodSpaces: []uint32{spaceNumber(t, s.client), spaceNumber(t, s.server)}})
			sendDatagrams(t, s.client, netip.AddrPortFrom(healthServer, f.port), f.sent)
			time.Sleep(500 * time.Millisecond)
			s.agent.stop()
			s.wantDrops(t, &f, dropped())
		})
	}
}

// take has datagrams to a port of the server's wait in a socket: they are neither answered nor refused.
func (s *healthStage) take(port uint16) {
	s.t.Helper()
	err := s.server.Do(func() error {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: int(port)})
		if err == nil {
			s.t.Cleanup(func() { conn.Close() })
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// wantDrops holds the drops of all records against the fault's own count.
func (s *healthStage) wantDrops(t *testing.T, f *dropFault, want uint64) {
	t.Helper()
	var got uint64
	for i := range s.records {
		r := &s.records[i]
		if r.Proto != flow.UDP || r.Dst.Port != f.port {
			if r.TotalFaults().DropPackets != 0 {
				t.Errorf("%s has %d drops for %+v, of no fault here", flow.FormatPath(r), r.TotalFaults().DropPackets, r.Drop)
			}
			continue
		}
		got += r.FwdFaults.DropPackets
		if r.FwdFaults.DropPackets > 0 && testkit.IsKernel(t, f.since) && !strings.HasPrefix(r.Drop.Reason, f.reason) {
			t.Errorf("dropped for %+v, want %s", r.Drop, f.reason)
		}
		if r.RevFaults.DropPackets != 0 || r.Fwd.Packets > uint64(f.sent) || r.Src.Addr != netip.MustParseAddr("10.77.1.2") {
			t.Errorf("%s: %d packets, %d drops of the server's", flow.FormatPath(r), r.Fwd.Packets, r.RevFaults.DropPackets)
		}
	}
	if got != want || want == 0 || want > uint64(f.sent) {
		t.Errorf("%d drops of %d datagrams, %d were dropped", got, f.sent, want)
		s.dump(f.port)
	}
}

// spaceNumber is the number of a network namespace.
func spaceNumber(t *testing.T, ns *testkit.NS) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(ns.Path, &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}

// spaceNumbers are those of pods: no pods are none, where nil would be any.
func spaceNumbers(t *testing.T, pods []*testkit.Host) []uint32 {
	t.Helper()
	numbers := make([]uint32, 0, len(pods))
	for _, pod := range pods {
		numbers = append(numbers, spaceNumber(t, pod.NS))
	}
	return numbers
}

// smallQueue lets one packet after the other out to the server, slowly, with room for a few more.
func smallQueue(t *testing.T, s *healthStage) func() uint64 {
	s.node.Exec("tc", "qdisc", "add", "dev", "pod2", "root", "tbf", "rate", "64kbit", "burst", "1600", "limit", "1600")
	return func() uint64 {
		var queues []struct {
			Kind  string `json:"kind"`
			Drops uint64 `json:"drops"`
		}
		if err := json.Unmarshal([]byte(s.node.Exec("tc", "-s", "-j", "qdisc", "show", "dev", "pod2")), &queues); err != nil {
			t.Fatal(err)
		}
		for _, q := range queues {
			if q.Kind == "tbf" {
				return q.Drops
			}
		}
		t.Fatalf("no queue of tbf in %+v", queues)
		return 0
	}
}

// everyFifth drops every fifth IPv4 packet that comes from the client, by a filter of tc that counts them.
func everyFifth(t *testing.T, s *healthStage) func() uint64 {
	counter, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { counter.Close() })
	const next, drop = -1, 2 // TC_ACT_UNSPEC and TC_ACT_SHOT.
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, counter.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "next"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
		asm.Mod.Imm(asm.R1, 5),
		asm.JNE.Imm(asm.R1, 0, "next"),
		asm.Mov.Imm(asm.R0, drop),
		asm.Return(),
		asm.Mov.Imm(asm.R0, next).WithSymbol("next"),
		asm.Return(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	s.node.Exec("tc", "qdisc", "add", "dev", "pod1", "clsact")
	link, err := s.node.Links.LinkByName("pod1")
	if err != nil {
		t.Fatal(err)
	}
	err = s.node.Links.FilterAdd(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1, Protocol: unix.ETH_P_IP, Priority: 60000,
		},
		Fd: program.FD(), Name: "every_fifth", DirectAction: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() uint64 {
		var packets uint64
		if err := counter.Lookup(uint32(0), &packets); err != nil {
			t.Fatal(err)
		}
		return packets / 5
	}
}

// rejecting answers what matches with an ICMP error, and counts it.
func rejecting(match, verdict string) func(*testing.T, *healthStage) func() uint64 {
	return func(t *testing.T, s *healthStage) func() uint64 {
		text := fmt.Sprintf("table inet seinedrops {\n counter rejected {}\n chain c {\n type filter hook forward priority 0;\n %s counter name rejected %s\n }\n}\n", match, verdict)
		if _, err := s.node.Run(text, "nft", "-f", "-"); err != nil {
			t.Fatal(err)
		}
		return func() uint64 {
			packets, _ := counterOf(t, s.node, "rejected")
			return packets
		}
	}
}

// TestDropsBehindExtensionHeaders finds the ports of dropped packets behind IPv6's extension headers.
func TestDropsBehindExtensionHeaders(t *testing.T) {
	ns := testkit.NewNS(t, "node")
	rule := "table inet seinedrops {\n counter sent {}\n chain c {\n type filter hook output priority 0; udp dport 7005 counter name sent drop\n }\n}\n"
	if _, err := ns.Run(rule, "nft", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	s := &healthStage{t: t, node: ns}
	s.watch(agent.Config{})
	err := ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		// Options that say nothing, of 8 bytes each (RFC 8200, 4.2).
		for _, header := range []int{unix.IPV6_HOPOPTS, unix.IPV6_DSTOPTS} {
			if err := unix.SetsockoptString(fd, unix.IPPROTO_IPV6, header, "\x00\x00\x01\x04\x00\x00\x00\x00"); err != nil {
				return os.NewSyscallError("setsockopt", err)
			}
		}
		for range 3 {
			to := unix.SockaddrInet6{Port: 7005, Addr: netip.IPv6Loopback().As16()}
			if err := unix.Sendto(fd, make([]byte, 10), 0, &to); err != nil && err != unix.EPERM {
				return os.NewSyscallError("sendto", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	s.agent.stop()
	want, _ := counterOf(t, ns, "sent")
	var got uint64
	for i := range s.records {
		if r := &s.records[i]; r.Proto == flow.UDP && r.Dst.Port == 7005 {
			got += r.FwdFaults.DropPackets
		}
	}
	if got != want || want != 3 {
		t.Errorf("%d drops of the connection, the rule counted %d", got, want)
		s.dump(0)
	}
}
