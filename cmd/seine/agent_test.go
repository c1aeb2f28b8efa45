package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/seine-net/seine/internal/testkit"
)

// site is a watched namespace, node, whose link eth0 leads to a peer with an echo server.
type site struct {
	node, peer *testkit.NS
	server     netip.AddrPort
	t          testing.TB
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{node: testkit.NewNS(t, "node"), peer: testkit.NewNS(t, "peer"), t: t}
	s.server = s.connect("eth0", "10.77.0")
	return s
}

// connect adds a link from the node to the peer and an echo server at its far end.
func (s *site) connect(name, network string) netip.AddrPort {
	s.t.Helper()
	testkit.Veth(s.node, name, s.peer, name)
	s.node.AddAddr(name, network+".1/24")
	s.peer.AddAddr(name, network+".2/24")
	server := netip.MustParseAddrPort(network + ".2:7")
	s.peer.ServeUDP(server)
	return server
}

// size is that of a datagram, sizeOnWire that of its packet with Ethernet, IPv4 and UDP headers.
const size, sizeOnWire = 100, 14 + 20 + 8 + 100

// talk exchanges datagrams with a server.
func (s *site) talk(server netip.AddrPort, rounds int) {
	s.t.Helper()
	conn, err := s.node.Dial("udp", server, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	for try := 1; ; try++ {
		err := testkit.Exchange(conn, size, rounds)
		if err == nil {
			return
		}
		if try == 3 {
			s.t.Fatal(err)
		}
	}
}

// agent starts an agent that watches the node, under a name of its own, and returns when it is attached.
func (s *site) agent(name string, args ...string) *running {
	s.t.Helper()
	p := start(s.t, append([]string{"agent", "--export", "stdout", "--netns", s.node.Path, "--node", name}, args...)...)
	p.awaitReady(name)
	return p
}

// talked adds up what records hold of the conversations with a server by a link.
func talked(all []record, server netip.AddrPort, link string) (fwd, rev volume) {
	for _, r := range all {
		if r.Proto == "UDP" && r.Dst.Addr == server.Addr().String() && r.Dst.Port == server.Port() && r.Iface == link {
			fwd.Bytes, fwd.Packets = fwd.Bytes+r.Fwd.Bytes, fwd.Packets+r.Fwd.Packets
			rev.Bytes, rev.Packets = rev.Bytes+r.Rev.Bytes, rev.Packets+r.Rev.Packets
		}
	}
	return fwd, rev
}

// checkTalked expects so many datagrams in each direction.
func checkTalked(t *testing.T, out string, server netip.AddrPort, rounds uint64) {
	t.Helper()
	want := volume{rounds * sizeOnWire, rounds}
	if fwd, rev := talked(records(t, out), server, "eth0"); fwd != want || rev != want {
		t.Errorf("records hold %v and %v, want %v of each", fwd, rev, want)
	}
}

// attached returns how many programs are attached to the node's eth0, by TCX links and by filters.
func (s *site) attached() (links, filters int) {
	s.t.Helper()
	eth0, err := s.node.Links.LinkByName("eth0")
	if err != nil {
		s.t.Fatal(err)
	}
	err = s.node.Do(func() error {
		for _, at := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
			q, err := link.QueryPrograms(link.QueryOptions{Target: eth0.Attrs().Index, Attach: at})
			if err == nil { // Else the kernel is older than TCX.
				links += len(q.Programs)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		list, err := s.node.Links.FilterList(eth0, parent)
		if err == nil { // Else there is no clsact.
			filters += len(list)
		}
	}
	return links, filters
}

// checkNothingLeft expects no program on the node's links and no control socket.
func (s *site) checkNothingLeft(node string) {
	s.t.Helper()
	if links, filters := s.attached(); links != 0 || filters != 0 {
		s.t.Errorf("%d TCX links and %d filters are left", links, filters)
	}
	if left := sockets(s.t, node); len(left) != 0 {
		s.t.Errorf("control sockets are left: %v", left)
	}
}

// attachModes are the ways of attaching; the test of one is skipped only where the kernel cannot have it.
func attachModes(t *testing.T, f func(t *testing.T, mode string)) {
	for _, mode := range []string{"tcx", "clsact"} {
		t.Run(mode, func(t *testing.T) {
			requireMode(t, mode)
			f(t, mode)
		})
	}
}

func requireMode(t *testing.T, mode string) {
	t.Helper()
	if mode == "tcx" {
		testkit.SinceKernel(t, "6.6", "TCX")
	}
}

// TestDuration expects an agent to end by itself and to deliver, as it ends, the interval that has only begun.
func TestDuration(t *testing.T) {
	s := newSite(t)
	p := s.agent("timed", "-o", "json", "--interval", "1h", "--duration", "3s")
	s.talk(s.server, 5)
	got := p.wait()
	got.check(t)
	checkTalked(t, got.out, s.server, 5)
	s.checkNothingLeft("timed")
}

// TestFlushes expects the records of an interval while the agent runs.
func TestFlushes(t *testing.T) {
	s := newSite(t)
	p := s.agent("flushing", "-o", "json", "--interval", "200ms")
	for rounds := uint64(3); rounds <= 9; rounds += 3 {
		s.talk(s.server, 3)
		p.await("records of what has passed", func() bool {
			out, _ := p.output()
			fwd, rev := talked(records(t, out), s.server, "eth0")
			return fwd.Packets == rounds && rev.Packets == rounds
		})
	}
	got := p.end(os.Interrupt)
	got.check(t)
	checkTalked(t, got.out, s.server, 9)
}

// checkAttached expects an agent on the one interface: what counts and what reads DNS, each in and out.
func (s *site) checkAttached(t *testing.T) {
	t.Helper()
	if links, filters := s.attached(); links+filters != 4 || links*filters != 0 {
		t.Errorf("%d TCX links and %d filters, want four of one", links, filters)
	}
}

func TestSignals(t *testing.T) {
	attachModes(t, func(t *testing.T, mode string) {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			s := newSite(t)
			p := s.agent("ended", "--attach", mode, "--interval", "1h")
			s.checkAttached(t)
			s.talk(s.server, 4)
			got := p.end(signal)
			got.check(t)
			checkTalked(t, got.out, s.server, 4)
			s.checkNothingLeft("ended")
		}
	})
}

// TestReaderGoesAway closes the pipe that the records go to, as head(1) does: the agent ends without a word, detached.
func TestReaderGoesAway(t *testing.T) {
	attachModes(t, func(t *testing.T, mode string) {
		s := newSite(t)
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		var errs strings.Builder
		cmd := exec.Command(program, "agent", "--netns", s.node.Path, "--node", "piped", "--attach", mode, "--interval", "100ms")
		cmd.Stdout, cmd.Stderr = writer, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		writer.Close()
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // The exit code is in ProcessState.
			close(ended)
		}()
		defer func() {
			_ = cmd.Process.Kill()
			<-ended
		}()
		got := make(chan error, 1)
		go func() {
			_, err := bufio.NewReader(reader).ReadString('\n')
			reader.Close()
			got <- err
		}()
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			select {
			case <-ended:
				if err := <-got; err != nil || cmd.ProcessState.ExitCode() != 0 || withoutWatching(errs.String()) != "" {
					t.Errorf("record read: %v; then %v, errors %q; want a quiet end", err, cmd.ProcessState, errs.String())
				}
				s.checkNothingLeft("piped")
				return
			default:
				s.talk(s.server, 1)
			}
		}
		t.Error("the agent does not end")
	})
}

// TestKilledAgentIsReplaced leaves a killed agent's filters behind, which the next one removes: all is counted once.
func TestKilledAgentIsReplaced(t *testing.T) {
	attachModes(t, func(t *testing.T, mode string) {
		s := newSite(t)
		s.agent("killed", "--attach", mode).end(os.Kill)
		p := s.agent("next", "--attach", mode, "--interval", "1h")
		s.checkAttached(t)
		s.talk(s.server, 4)
		got := p.end(os.Interrupt)
		got.check(t)
		checkTalked(t, got.out, s.server, 4)
		s.checkNothingLeft("next")
	})
}

// TestTwoAgents expects both to count everything, and the second to go on where the first ends.
func TestTwoAgents(t *testing.T) {
	f := func(first, second string) {
		t.Run(first+" and "+second, func(t *testing.T) {
			requireMode(t, first)
			requireMode(t, second)
			s := newSite(t)
			one := s.agent("first", "--attach", first, "--interval", "1h")
			two := s.agent("second", "--attach", second, "--interval", "1h")
			s.talk(s.server, 10)
			got := one.end(os.Interrupt)
			got.check(t)
			checkTalked(t, got.out, s.server, 10)
			s.talk(s.server, 5)
			got = two.end(os.Interrupt)
			got.check(t)
			checkTalked(t, got.out, s.server, 15)
			s.checkNothingLeft("first")
			s.checkNothingLeft("second")
		})
	}
	f("tcx", "tcx")
	f("clsact", "clsact")
	f("tcx", "clsact")
	f("clsact", "tcx")
}

// TestInterfacesComeAndGo takes a link away in mid-capture and adds another one.
func TestInterfacesComeAndGo(t *testing.T) {
	attachModes(t, func(t *testing.T, mode string) {
		s := newSite(t)
		p := s.agent("changing", "--attach", mode, "--interval", "1s")
		s.talk(s.server, 3)
		eth0, err := s.node.Links.LinkByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.node.Links.LinkDel(eth0); err != nil {
			t.Fatal(err)
		}
		later := s.connect("eth1", "10.77.1")
		p.await("records of the new link", func() bool {
			s.talk(later, 1)
			out, _ := p.output()
			fwd, rev := talked(records(t, out), later, "eth1")
			return fwd.Packets > 0 && rev.Packets > 0
		})
		got := p.end(os.Interrupt)
		got.check(t)
		checkTalked(t, got.out, s.server, 3)
	})
}

func TestOutputs(t *testing.T) {
	f := func(name string, check func(t *testing.T, out string)) {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			p := s.agent("writing", "-o", name, "--interval", "1h", "--interface", "eth0")
			s.talk(s.server, 5)
			got := p.end(os.Interrupt)
			got.check(t)
			check(t, got.out)
		})
	}
	f("netobserv", func(t *testing.T, out string) {
		type flowLog struct {
			SrcAddr, DstAddr         string
			SrcPort, DstPort         uint16
			Proto                    uint8
			Bytes, Packets           uint64
			TimeFlowStartMs          int64
			TimeFlowEndMs, FlowDirec int64
		}
		directions := make(map[bool]flowLog)
		for line := range strings.Lines(out) {
			var l flowLog
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			if l.Proto == 17 {
				directions[l.DstPort == 7] = l
			}
		}
		for toServer, l := range directions {
			if l.Packets != 5 || l.Bytes != 5*sizeOnWire || l.TimeFlowStartMs == 0 || l.TimeFlowEndMs < l.TimeFlowStartMs {
				t.Errorf("to the server %v: got %+v", toServer, l)
			}
		}
		if len(directions) != 2 {
			t.Errorf("got %q, want a line for each direction", out)
		}
	})
	f("csv", func(t *testing.T, out string) {
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, row := range rows[1:] {
			cell := make(map[string]string)
			for i, name := range rows[0] {
				cell[name] = row[i]
			}
			found = found || cell["proto"] == "UDP" && cell["dst.addr"] == "10.77.0.2" && cell["dst.port"] == "7" &&
				cell["fwd.packets"] == "5" && cell["iface"] == "eth0" && cell["node"] == "writing"
		}
		if !found {
			t.Errorf("got %q", out)
		}
	})
	f("table", func(t *testing.T, out string) {
		lines := strings.Split(out, "\n")
		if heading := strings.Fields(lines[0]); heading[0] != "TIME" || heading[len(heading)-1] != "CONNECTION" {
			t.Errorf("heading %q", lines[0])
		}
		found := false
		for _, line := range lines[1:] {
			_, path, _ := strings.Cut(line, "10.77.0.1:")
			found = found || strings.HasSuffix(path, " → 10.77.0.2:7") && strings.Contains(line, "710 B") &&
				strings.Contains(line, " eth0 ")
		}
		if !found {
			t.Errorf("got %q", out)
		}
	})
}

// TestRunWithoutTerminal expects the table.
func TestRunWithoutTerminal(t *testing.T) {
	s := newSite(t)
	p := start(t, "run", "--netns", s.node.Path, "--node", "table", "--interval", "100ms")
	p.awaitReady("table")
	p.await("the connection", func() bool {
		s.talk(s.server, 1)
		out, _ := p.output()
		return strings.Contains(out, "CONNECTION") && strings.Contains(out, " → "+net.JoinHostPort("10.77.0.2", "7"))
	})
	p.end(os.Interrupt).check(t)
	s.checkNothingLeft("table")
}
