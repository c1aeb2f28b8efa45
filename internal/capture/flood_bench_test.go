package capture

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/bpf/floor"
	"github.com/seine-net/seine/internal/dns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
	"github.com/seine-net/seine/internal/testkit"
)

// stage is a client, a router that translates, and a server: the router is watched.
type stage struct {
	client, router, server *testkit.NS
	service                netip.AddrPort
	// dropping is what each packet that was dropped cost, round by round, in nanoseconds.
	dropping []float64
}

const (
	clientSide = "toclient"
	serverSide = "toserver"
)

func newStage(t testing.TB, proto string) *stage {
	s := &stage{
		client: testkit.NewNS(t, "client"), router: testkit.NewNS(t, "router"), server: testkit.NewNS(t, "server"),
		service: netip.MustParseAddrPort("172.31.0.1:80"),
	}
	testkit.Veth(s.client, "eth0", s.router, clientSide)
	testkit.Veth(s.server, "eth0", s.router, serverSide)
	s.client.AddAddr("eth0", "172.30.1.2/24")
	s.router.AddAddr(clientSide, "172.30.1.1/24")
	s.server.AddAddr("eth0", "172.30.2.2/24")
	s.router.AddAddr(serverSide, "172.30.2.1/24")
	s.client.Route("0.0.0.0/0", "172.30.1.1")
	s.server.Route("0.0.0.0/0", "172.30.2.1")
	s.router.Forward()
	s.router.Apply(testkit.NFTables, testkit.Rules{Services: []testkit.Service{{
		Name: "bench", Proto: proto, VIP: s.service.Addr(), Port: s.service.Port(),
		Backends: []netip.AddrPort{netip.MustParseAddrPort("172.30.2.2:8080")},
	}}})
	return s
}

// sink swallows datagrams, so that no ICMP error answers them.
func (s *stage) sink(t testing.TB) {
	var c *net.UDPConn
	err := s.server.Do(func() (err error) {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 8080})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		p := ipv4.NewPacketConn(c)
		messages := newMessages(64, 2048)
		for {
			if _, err := p.ReadBatch(messages, 0); err != nil {
				return
			}
		}
	}()
}

func newMessages(n, size int) []ipv4.Message {
	m := make([]ipv4.Message, n)
	for i := range m {
		m[i].Buffers = [][]byte{make([]byte, size)}
	}
	return m
}

// floodSockets is the number of flows of a flood.
const floodSockets = 64

// dial opens the flows of a flood.
func (s *stage) dial(t testing.TB) (conns []*net.UDPConn) {
	err := s.client.Do(func() error {
		for range floodSockets {
			c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.service))
			if err != nil {
				return err
			}
			t.Cleanup(func() { c.Close() })
			conns = append(conns, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return conns
}

// flood sends frames of 64 bytes in all flows until the time is over.
func flood(conns []*net.UDPConn, d time.Duration) {
	messages := newMessages(64, 64-14-20-8)
	for end := time.Now().Add(d); time.Now().Before(end); {
		for _, c := range conns {
			_, _ = ipv4.NewPacketConn(c).WriteBatch(messages, 0)
		}
	}
}

// subject is what a round measures: what runs at ingress and at egress of the router, the attached program first.
type subject struct {
	name   string
	attach func(t testing.TB, s *stage) (in, out []*ebpf.Program, done func())
}

var subjects = []subject{
	{"empty", func(t testing.TB, s *stage) (in, out []*ebpf.Program, done func()) {
		return attachFloor(t, s, func(o *floor.FloorObjects) *ebpf.Program { return o.FloorEmpty })
	}},
	{"floor", func(t testing.TB, s *stage) (in, out []*ebpf.Program, done func()) {
		return attachFloor(t, s, func(o *floor.FloorObjects) *ebpf.Program { return o.FloorCount })
	}},
	{"seine", attachSeine},
	{"all", attachAll},
}

// attachFloor loads a program once for each hook, so that each has its own statistics.
func attachFloor(t testing.TB, s *stage, pick func(*floor.FloorObjects) *ebpf.Program) (in, out []*ebpf.Program, done func()) {
	var objects [2]floor.FloorObjects
	for i := range objects {
		if err := floor.LoadFloorObjects(&objects[i], nil); err != nil {
			t.Fatalf("%+v", err)
		}
	}
	ingress, egress := pick(&objects[0]), pick(&objects[1])
	space, err := openNamespace(s.router.Path)
	if err != nil {
		t.Fatal(err)
	}
	a := &tcxAttacher{namespace: space, anchor: link.Head()}
	var attached closers
	for _, name := range []string{clientSide, serverSide} {
		l, err := s.router.Links.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		k, err := a.attach(l, ingress, egress)
		if err != nil {
			t.Fatal(err)
		}
		attached = append(attached, k)
	}
	return []*ebpf.Program{ingress}, []*ebpf.Program{egress}, func() {
		attached.Close()
		objects[0].Close()
		objects[1].Close()
		space.file.Close()
	}
}

// attachSeine measures the capture programs alone.
func attachSeine(t testing.TB, s *stage) (in, out []*ebpf.Program, done func()) {
	c := openFlooded(t, s, Config{})
	return []*ebpf.Program{c.objects.SeineIn}, []*ebpf.Program{c.objects.SeineOut}, func() {
		requireResolved(t, c)
		c.Close()
	}
}

// attachAll measures all that meets a packet with every feature on. A packet that passes does not meet the program of drops:
// what that costs is measured by itself, for each packet that the flood's receiver has no room for.
func attachAll(t testing.TB, s *stage) (in, out []*ebpf.Program, done func()) {
	c := openFlooded(t, s, Config{DNSPorts: []uint16{53}, DNS: func(*dns.Packet) {}})
	if c.messages == nil || c.drops == nil || c.sockets == nil {
		t.Fatalf("not everything is on: %+v", c.Status().Features)
	}
	in = []*ebpf.Program{c.objects.SeineIn, c.messages.objects.SeineDnsIn}
	dropping := newCounter(t, []*ebpf.Program{c.drops.objects.SeineDrop})
	return in, []*ebpf.Program{c.objects.SeineOut, c.messages.objects.SeineDnsOut}, func() {
		if each := dropping.each(t); each != nil {
			s.dropping = append(s.dropping, each[0])
		}
		requireResolved(t, c)
		c.Close()
	}
}

// openFlooded opens a capture on the router's two interfaces.
func openFlooded(t testing.TB, s *stage, cfg Config) *Capture {
	cfg.NetNS, cfg.Interfaces = s.router.Path, []string{clientSide, serverSide}
	c, err := Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// requireResolved fails where a flow of the flood went without its translation: then another path was measured.
func requireResolved(t testing.TB, c *Capture) {
	var flows, unresolved int
	_, err := c.Evict(func(batch []nat.Observation) {
		for i := range batch {
			if batch[i].Proto != flow.UDP {
				continue
			}
			flows++
			if batch[i].Entry == nil {
				unresolved++
			}
		}
	}, func([]nat.Translation) {}, func([]nat.Fact) {})
	if err != nil {
		t.Fatal(err)
	}
	if flows < 2*floodSockets || unresolved > 0 {
		t.Fatalf("%d flows, %d of them without translation: want at least %d, all with", flows, unresolved, 2*floodSockets)
	}
}

// counter is the statistics of programs at the begin of a measurement.
type counter struct {
	programs []*ebpf.Program
	from     []*ebpf.ProgramStats
}

func newCounter(t testing.TB, programs []*ebpf.Program) counter {
	return counter{programs, statistics(t, programs)}
}

func statistics(t testing.TB, programs []*ebpf.Program) (all []*ebpf.ProgramStats) {
	for _, p := range programs {
		s, err := p.Stats()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// each returns the time of each program since the begin for each run of the first, in nanoseconds; nil where that never ran.
func (c counter) each(t testing.TB) (all []float64) {
	now := statistics(t, c.programs)
	runs := now[0].RunCount - c.from[0].RunCount
	if runs == 0 {
		return nil
	}
	for i := range now {
		all = append(all, float64((now[i].Runtime-c.from[i].Runtime).Nanoseconds())/float64(runs))
	}
	return all
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// BenchmarkPacket measures what a packet costs at each hook: nothing, the floor, capturing with translation on resolved
// flows, and all features, that is DNS's program behind the capturing one, in turns under the same flood. Each turn begins with another one of them, and floods until all
// flows are known before it measures. The kernel's measurement is part of every program's time, so all features, of two
// programs at a hook, hold it twice; the ratio without it takes one empty program off.
func BenchmarkPacket(b *testing.B) {
	s := newStage(b, "udp")
	s.sink(b)
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	defer stats.Close()
	const rounds = 21
	conns := s.dial(b)
	measured := make(map[string][]float64)
	for b.Loop() {
		for round := range rounds {
			for i := range subjects {
				sub := subjects[(round+i)%len(subjects)]
				in, out := sub.measure(b, s, conns)
				for hook, each := range map[string][]float64{"in_": in, "out_": out} {
					measured[hook+sub.name] = append(measured[hook+sub.name], sum(each))
					measured[hook+sub.name+"_last"] = append(measured[hook+sub.name+"_last"], each[len(each)-1])
				}
			}
		}
	}
	if len(s.dropping) > 0 {
		b.ReportMetric(median(s.dropping), "drop_ns/dropped")
	}
	for _, hook := range []string{"in_", "out_"} {
		for _, sub := range subjects {
			b.ReportMetric(median(measured[hook+sub.name]), hook+sub.name+"_ns/packet")
		}
		b.ReportMetric(median(measured[hook+"all_last"]), hook+"dns_ns/packet")
		b.ReportMetric(median(quotients(measured[hook+"seine"], measured[hook+"floor"])), hook+"ratio_to_floor")
		b.ReportMetric(median(quotients(measured[hook+"all"], measured[hook+"floor"])), hook+"all_ratio_to_floor")
		net := differences(measured[hook+"all"], measured[hook+"empty"])
		b.ReportMetric(median(quotients(net, measured[hook+"floor"])), hook+"all_net_ratio_to_floor")
	}
}

func sum(v []float64) (total float64) {
	for _, x := range v {
		total += x
	}
	return total
}

// measure returns the nanoseconds that a packet costs in each program at ingress and at egress.
func (sub *subject) measure(b *testing.B, s *stage, conns []*net.UDPConn) (in, out []float64) {
	ingress, egress, done := sub.attach(b, s)
	defer done()
	flood(conns, 20*time.Millisecond)
	from, until := newCounter(b, ingress), newCounter(b, egress)
	flood(conns, 100*time.Millisecond)
	in, out = from.each(b), until.each(b)
	if in == nil || out == nil {
		b.Fatal("a program never ran")
	}
	return in, out
}

// quotients divides what was measured in the same rounds.
func quotients(a, b []float64) []float64 {
	q := make([]float64, len(a))
	for i := range a {
		q[i] = a[i] / b[i]
	}
	return q
}

// differences takes off what was measured in the same rounds.
func differences(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// BenchmarkProgram measures the programs alone, run again and again on one packet of a known flow: what they cost where
// nothing else uses the processor's caches. The best of many turns counts, as other work can only add.
func BenchmarkProgram(b *testing.B) {
	testkit.RequireRoot(b)
	var objects floor.FloorObjects
	if err := floor.LoadFloorObjects(&objects, nil); err != nil {
		b.Fatalf("%+v", err)
	}
	defer objects.Close()
	c, err := Open(Config{Interfaces: []string{"/^$/"}, DNSPorts: []uint16{5353}, DNS: func(*dns.Packet) {}}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	programs := []*ebpf.Program{objects.FloorEmpty, objects.FloorCount, c.objects.SeineIn, c.messages.objects.SeineDnsIn}
	names := []string{"empty", "floor", "seine", "dns"}
	best := slices.Repeat([]float64{math.Inf(1)}, len(programs))
	packet := udpPacket()
	for b.Loop() {
		for range 25 {
			for i, p := range programs {
				_, took, err := p.Benchmark(packet, 100000, nil)
				if err != nil {
					b.Fatal(err)
				}
				best[i] = min(best[i], float64(took.Nanoseconds()))
			}
		}
	}
	for i, name := range names {
		b.ReportMetric(best[i], name+"_ns/run")
	}
	b.ReportMetric(best[2]/best[1], "ratio_to_floor")
	b.ReportMetric((best[2]+best[3]-best[0])/best[1], "all_ratio_to_floor")
}

// BenchmarkConnect measures how many connections a second a client makes to a Service, with nobody watching and with
// the programs attached, in turns.
func BenchmarkConnect(b *testing.B) {
	s := newStage(b, "tcp")
	s.accept(b)
	const rounds = 5
	var without, with []float64
	for b.Loop() {
		for range rounds {
			without = append(without, s.connect(b, time.Second))
			c := openFlooded(b, s, Config{DNSPorts: []uint16{53}, DNS: func(*dns.Packet) {}})
			with = append(with, s.connect(b, time.Second))
			c.Close()
		}
	}
	b.ReportMetric(median(without), "without_connections/s")
	b.ReportMetric(median(with), "with_connections/s")
	b.ReportMetric(median(with)/median(without), "ratio_to_without")
}

func (s *stage) accept(t testing.TB) {
	var l net.Listener
	err := s.server.Do(func() (err error) {
		l, err = net.Listen("tcp4", ":8080")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

// connect opens and resets connections from two threads and returns how many a second.
func (s *stage) connect(t testing.TB, d time.Duration) float64 {
	var made atomic.Uint64
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			_ = s.client.Do(func() error {
				for end := time.Now().Add(d); time.Now().Before(end); {
					if connectOnce(s.service) == nil {
						made.Add(1)
					}
				}
				return nil
			})
		})
	}
	group.Wait()
	if made.Load() == 0 {
		t.Fatal("no connection was made")
	}
	return float64(made.Load()) / d.Seconds()
}

// connectOnce uses a bare socket, so that the thread stays in its namespace and nothing else is measured.
func connectOnce(to netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	return unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
}

// evictFlows is the number of flows of BenchmarkEvict.
const evictFlows = 100000

// BenchmarkEvict measures the processor time of an eviction of 100,000 flows by itself, and of one that also joins them
// to connections, as the agent does.
func BenchmarkEvict(b *testing.B) {
	testkit.RequireRoot(b)
	c, err := Open(Config{Interfaces: []string{"/^$/"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	table := nat.NewTable(nat.Config{Locality: nowhere{}, Hold: -1})
	var evicting, joining []float64
	var records int
	// In the first round memory is touched for the first time, which the median leaves out.
	const rounds = 5
	for b.Loop() {
		for range rounds {
			evicting = append(evicting, evict(b, c, func([]nat.Observation) {}, func(flow.Time) {}))
			joining = append(joining, evict(b, c, table.Add, func(end flow.Time) {
				records = 0
				_ = table.Finish(end, false, func(batch []flow.Record) error {
					records += len(batch)
					return nil
				})
			}))
			if records != evictFlows {
				b.Fatalf("%d records: want %d", records, evictFlows)
			}
		}
	}
	b.ReportMetric(median(evicting)*1000, "evict_ms/100000flows")
	b.ReportMetric(median(joining)*1000, "join_ms/100000flows")
}

// evict fills the flow map and returns the processor time of emptying it, in seconds.
func evict(b *testing.B, c *Capture, add func([]nat.Observation), finish func(flow.Time)) float64 {
	fill(b, c, evictFlows)
	began := processorTime()
	e, err := c.Evict(add, func([]nat.Translation) {}, func([]nat.Fact) {})
	finish(e.End)
	took := processorTime() - began
	if err != nil || e.Flows != evictFlows {
		b.Fatalf("%d flows, error %v: want %d", e.Flows, err, evictFlows)
	}
	return took
}

// nowhere is a node without addresses.
type nowhere struct{}

func (nowhere) Interface(netip.Addr) (uint32, bool) { return 0, false }
func (nowhere) Watched(netip.Addr) bool             { return false }
func (nowhere) InterfaceName(uint32) string         { return "" }

// processorTime is what the process used of the processors, in seconds.
func processorTime() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// udpPacket is a frame of 64 bytes.
func udpPacket() []byte {
	packet := make([]byte, 64)
	binary.BigEndian.PutUint16(packet[12:], unix.ETH_P_IP)
	packet[14], packet[23] = 0x45, unix.IPPROTO_UDP
	copy(packet[26:], []byte{172, 30, 0, 1, 172, 31, 0, 1})
	binary.BigEndian.PutUint16(packet[34:], 40000)
	binary.BigEndian.PutUint16(packet[36:], 53)
	return packet
}

// fill puts flows into the map by running the program on packets made here.
func fill(b *testing.B, c *Capture, n int) {
	packet := udpPacket()
	for i := range n {
		copy(packet[30:], []byte{172, 31, byte(i >> 16), byte(i >> 8)})
		binary.BigEndian.PutUint16(packet[34:], uint16(40000+i&0xff))
		binary.BigEndian.PutUint16(packet[36:], 53)
		if _, err := c.objects.SeineIn.Run(&ebpf.RunOptions{Data: packet}); err != nil {
			b.Fatal(fmt.Errorf("run the program: %w", err))
		}
	}
}
