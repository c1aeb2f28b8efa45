package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/testkit"
)

// memoryFlows fills the flow map of an agent without --max-flows. The flood is so quick that the agent, which looks ten
// times a second whether the map fills up, finds it nearly or wholly full.
const memoryFlows = 120000

// BenchmarkMemory measures the resident memory of an agent whose flow map fills up several times, and what it keeps.
func BenchmarkMemory(b *testing.B) {
	const rounds, apart, rest = 3, 3 * time.Second, 10 * time.Second
	s := newSite(b)
	flooder := s.peer.NewFlooder("eth0")
	flood := testkit.NewFloodBatch(memoryFrames())
	for b.Loop() {
		p := s.floodedAgent()
		b.ReportMetric(p.memory("VmRSS"), "start_MiB")
		for range rounds {
			if err := flooder.Send(flood); err != nil {
				b.Fatal(err)
			}
			time.Sleep(apart)
		}
		b.ReportMetric(p.memory("VmRSS"), "after_MiB")
		time.Sleep(rest)
		b.ReportMetric(p.memory("VmRSS"), "rest_MiB")
		b.ReportMetric(p.memory("VmHWM"), "most_MiB")
		// On some file systems the program's pages pass for shared memory.
		b.ReportMetric(p.memory("RssFile")+p.memory("RssShmem"), "mapped_MiB")
		requireFlooded(b, rounds*memoryFlows)
		if got := p.end(os.Interrupt); got.code != 0 || withoutWatching(got.errs) != "" {
			b.Fatalf("exit code %d, errors %q", got.code, got.errs)
		}
	}
}

// floodedAgent starts an agent whose records nobody reads.
func (s *site) floodedAgent() *running {
	p := &running{
		Cmd: exec.Command(program, "agent", "--netns", s.node.Path, "--node", "flooded", "--interface", "eth0", "--interval", "2s"),
		t:   s.t, ended: make(chan struct{}),
	}
	p.Stderr = p.into(&p.errs)
	p.begin()
	p.awaitReady("flooded")
	return p
}

// requireFlooded fails where the agent did not count the whole flood, and so less was measured than is said.
func requireFlooded(b *testing.B, want uint64) {
	b.Helper()
	got := seine(b, "status", "-o", "json")
	got.check(b)
	all := statuses(b, got.out)
	if len(all) != 1 || len(all[0].Coverage) != 1 || all[0].Coverage[0].Flows.Packets < want {
		b.Fatalf("got %+v, want %d packets in flows", all, want)
	}
}

// memoryFrames are datagrams of as many flows to one server, with hardware addresses that nobody has.
func memoryFrames() []testkit.FloodFrame {
	nobody := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	frames := make([]testkit.FloodFrame, memoryFlows)
	for i := range frames {
		var client [4]byte
		binary.BigEndian.PutUint32(client[:], 100<<24|64<<16|uint32(i>>8))
		f := testkit.FloodFlow{
			Proto:  17,
			Client: netip.AddrPortFrom(netip.AddrFrom4(client), uint16(40000+i&0xff)), ClientMAC: nobody,
			Server: netip.MustParseAddrPort("10.77.0.1:53"), ServerMAC: nobody, ClientSize: size,
		}
		frames[i] = f.Frame(false, testkit.FloodData, 0)
	}
	return frames
}

// memory reads a figure of the process's status in MiB (proc_pid_status(5)).
func (p *running) memory(name string) float64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, name+": %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	p.t.Fatalf("no %s in %q", name, text)
	return 0
}
