package agent_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// TestHealthHealthy has no fault, and tells none.
func TestHealthHealthy(t *testing.T) {
	for name, sampling := range map[string]uint32{"every packet": 1, "sampled": 4} {
		t.Run(name, func(t *testing.T) {
			s := newHealthStage(t)
			s.server.ServeTCP(netip.AddrPortFrom(healthServer, 8001))
			cfg := agent.Config{}
			cfg.Sampling = sampling
			s.watch(cfg)
			conn, err := s.dial(8001, testkit.IOTimeout)
			if err != nil {
				t.Fatal(err)
			}
			if err := testkit.Exchange(conn, 1000, 50); err != nil {
				t.Fatal(err)
			}
			time.Sleep(700 * time.Millisecond)
			rtt := s.awaitRTT(8001)
			truth := socketRTT(t, socketText(s.client, 8001))
			if err := testkit.Finish(conn); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond)
			a := s.want(8001, "ok")
			s.wantOwners(a, true, true)
			// Under sampling perhaps no packet of the end is counted, and then no record tells of it.
			ended := a.state == flow.TCPClose && a.lifetime > 700e3 && a.lifetime < 20e6
			if sampling == 1 && !ended || a.handshake == 0 || a.handshake > 1e6 {
				t.Errorf("state %v, handshake %d µs, lifetime %d µs", a.state, a.handshake, a.lifetime)
			}
			if d := math.Abs(float64(rtt) - truth); d > 100 && d > truth/10 {
				t.Errorf("rtt %d µs, ss says %.0f µs", rtt, truth)
			}
		})
	}
}

// TestHealthFaults makes each fault by real means, and wants just that told, of the right connection.
func TestHealthFaults(t *testing.T) {
	impatient := 1500 * time.Millisecond
	f := func(name, want string, alone bool, prepare func(*healthStage)) {
		t.Run(name, func(t *testing.T) {
			s := newHealthStage(t)
			prepare(s)
			s.watch(agent.Config{})
			conn, err := s.dial(8002, impatient)
			if err == nil {
				conn.Close()
				t.Fatal("connected all the same")
			}
			time.Sleep(200 * time.Millisecond)
			if again := kernelCount(t, s.server, "TcpRetransSegs"); again > 0 {
				want = strings.Replace(want, "rev.retransmits=?", fmt.Sprintf("rev.retransmits=%d", again), 1)
			}
			a := s.want(8002, want)
			s.wantOwners(a, true, false)
			if (a.packets == 0) != alone {
				t.Errorf("%d packets, want none counted: %t", a.packets, alone)
			}
			if n := kernelCount(t, s.client, "TcpRetransSegs"); a.fwd.Retransmits != n {
				t.Errorf("%d segments sent again, the kernel counts %d", a.fwd.Retransmits, n)
			}
		})
	}
	f("closed port", "resets=1 reset_by=server refused", false, func(*healthStage) {})
	f("dropped on the way", "fwd.retransmits=1 timeout", false, func(s *healthStage) {
		rules(t, s.node, "forward", "tcp dport 8002 drop")
	})
	f("dropped on the way out", "fwd.retransmits=1 timeout", true, func(s *healthStage) {
		rules(t, s.client, "output", "tcp dport 8002 drop")
	})
	f("the answer dropped", "fwd.retransmits=1 rev.retransmits=? timeout", false, func(s *healthStage) {
		s.listen(8002, 16)
		rules(t, s.node, "forward", "tcp sport 8002 drop")
	})
	f("rejected by a reset", "resets=1 reset_by=server refused", false, func(s *healthStage) {
		rules(t, s.node, "forward", "tcp dport 8002 reject with tcp reset")
	})
	f("rejected by a firewall", "unreachable", false, func(s *healthStage) {
		rules(t, s.node, "forward", "tcp dport 8002 reject with icmp type host-unreachable")
	})
	// The pod's own ICMP error passes no interface of the node, and a process that does not block takes the error away before
	// it closes: since Linux 5.14 it is seen as it comes.
	rejected := func(told string) string {
		if testkit.IsKernel(t, "5.14") {
			return told
		}
		return "aborted"
	}
	f("rejected on the way out", rejected("unreachable"), true, func(s *healthStage) {
		rules(t, s.client, "output", "tcp dport 8002 reject with icmp type admin-prohibited")
	})
	f("rejected on the way out as if it were closed", rejected("refused"), true, func(s *healthStage) {
		rules(t, s.client, "output", "tcp dport 8002 reject with icmp type port-unreachable")
	})
	f("no route", "unreachable", false, func(s *healthStage) {
		s.node.Exec("ip", "route", "add", "unreachable", "10.77.2.2/32")
	})
}

// TestHealthLoss drops every fifth segment with data.
func TestHealthLoss(t *testing.T) {
	for _, way := range []struct{ name, match string }{{"fwd", "dport"}, {"rev", "sport"}} {
		t.Run(way.name, func(t *testing.T) {
			s := newHealthStage(t)
			rules(t, s.node, "forward", fmt.Sprintf("tcp %s 8003 meta length > 500 numgen inc mod 5 == 4 counter drop", way.match))
			s.server.ServeTCP(netip.AddrPortFrom(healthServer, 8003))
			s.watch(agent.Config{Interval: 200 * time.Millisecond})
			conn, err := s.dial(8003, testkit.IOTimeout)
			if err != nil {
				t.Fatal(err)
			}
			if err := testkit.Exchange(conn, 2000, 30); err != nil {
				t.Fatal(err)
			}
			if err := testkit.Finish(conn); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
			a := s.end(8003)
			s.wantOwners(a, true, true)
			fwd, rev := kernelCount(t, s.client, "TcpRetransSegs"), kernelCount(t, s.server, "TcpRetransSegs")
			if fwd+rev == 0 || a.fwd.Retransmits != fwd || a.rev.Retransmits != rev || a.resets != 0 {
				t.Errorf("sent again %d/%d, resets %d; the kernel counts %d/%d", a.fwd.Retransmits, a.rev.Retransmits, a.resets, fwd, rev)
			}
			in, out := kernelCount(t, s.server, "TcpExtTCPOFOQueue"), kernelCount(t, s.client, "TcpExtTCPOFOQueue")
			if a.fwd.OutOfOrder < in || a.rev.OutOfOrder < out || in+out > 0 && a.fwd.OutOfOrder+a.rev.OutOfOrder == 0 {
				t.Errorf("out of order %d/%d; the kernel queued %d/%d", a.fwd.OutOfOrder, a.rev.OutOfOrder, in, out)
			}
		})
	}
}

// TestHealthSlowReader has a server that does not read.
func TestHealthSlowReader(t *testing.T) {
	s := newHealthStage(t)
	s.listen(8004, 16)
	s.watch(agent.Config{})
	conn, err := s.dial(8004, testkit.IOTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(time.Second))
	for err == nil {
		_, err = conn.Write(make([]byte, 1<<16))
	}
	a := s.end(8004)
	if a.rev.ZeroWindows == 0 || a.fwd.ZeroWindows != 0 || a.resets != 0 || a.state != flow.TCPEstablished {
		t.Errorf("closed windows %d/%d, resets %d, state %v: want some from the server alone", a.fwd.ZeroWindows, a.rev.ZeroWindows, a.resets, a.state)
	}
	s.wantOwners(a, true, false) // Nobody accepted.
}

// TestHealthResets has each side end by a reset.
func TestHealthResets(t *testing.T) {
	t.Run("by the client", func(t *testing.T) {
		s := newHealthStage(t)
		s.server.ServeTCP(netip.AddrPortFrom(healthServer, 8005))
		s.watch(agent.Config{})
		conn, err := s.dial(8005, testkit.IOTimeout)
		if err == nil {
			err = testkit.Exchange(conn, 10, 1)
		}
		if err == nil {
			err = testkit.Abort(conn)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		s.wantOwners(s.want(8005, "resets=1 reset_by=client ok"), true, true)
		if n := kernelCount(t, s.client, "TcpOutRsts"); n != 1 {
			t.Errorf("the kernel counts %d", n)
		}
	})
	t.Run("by the server", func(t *testing.T) {
		s := newHealthStage(t)
		fd := s.listen(8005, 16)
		file := os.NewFile(uintptr(fd), "listener")
		s.watch(agent.Config{})
		conn, err := s.dial(8005, testkit.IOTimeout)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "unread"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		file.Close() // What was not accepted is reset.
		time.Sleep(200 * time.Millisecond)
		a := s.want(8005, "resets=1 reset_by=server ok")
		s.wantOwners(a, true, false)
	})
}

// TestHealthFullQueue has a server that never accepts: its queue holds two.
func TestHealthFullQueue(t *testing.T) {
	s := newHealthStage(t)
	s.listen(8007, 1)
	s.watch(agent.Config{})
	for i := range 4 {
		conn, err := s.dial(8007, 1500*time.Millisecond)
		if (err == nil) != (i < 2) {
			t.Errorf("connection %d: %v", i, err)
		}
		if err == nil {
			defer conn.Close()
		}
	}
	time.Sleep(300 * time.Millisecond)
	a := s.end(8007)
	n := kernelCount(t, s.server, "TcpExtListenDrops")
	again := kernelCount(t, s.client, "TcpRetransSegs")
	want := fmt.Sprintf("fwd.retransmits=%d listen_drops=%d ok ok timeout timeout", again, n)
	if got := a.troubles(); got != want || n == 0 {
		t.Errorf("%q, want %q", got, want)
		for _, l := range s.agent.status.Losses {
			if l.Count > 0 {
				t.Logf("lost: %s %d", l.Reason, l.Count)
			}
		}
		s.dump(8007)
	}
	s.wantOwners(a, true, false)
}

// The programs that features load, as the kernel cuts their names.
const (
	forBoth    = "seine_sock_find seine_sock_stat seine_sock_tell "
	forProcess = "seine_sock_read seine_udp_close seine_udp_made "
	forTCP     = "seine_sock_erro seine_sock_rst_ seine_sock_rst_ seine_sock_syna "
)

// loadedPrograms returns the names of the socket programs that this process has loaded.
func loadedPrograms(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string][]string{}
	seen := make(map[uint32]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte("prog_tag:")) || bytes.Contains(text, []byte("link_type:")) {
			continue
		}
		var id uint32
		_, after, _ := strings.Cut(string(text), "prog_id:")
		if _, err := fmt.Sscan(after, &id); err != nil || seen[id] {
			continue
		}
		seen[id] = true
		program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
		if err != nil {
			t.Fatal(err)
		}
		info, err := program.Info()
		program.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range []string{forBoth, forProcess, forTCP} {
			if strings.HasPrefix(info.Name, "seine_") && strings.Contains(group, info.Name[:min(15, len(info.Name))]) {
				groups[group] = append(groups[group], info.Name[:min(15, len(info.Name))])
			}
		}
	}
	var b strings.Builder
	for _, group := range []string{forBoth, forProcess, forTCP} {
		slices.Sort(groups[group])
		for _, name := range groups[group] {
			b.WriteString(name + " ")
		}
	}
	return b.String()
}

// TestHealthOff loads nothing of what is off.
func TestHealthOff(t *testing.T) {
	for _, c := range []struct {
		features []string
		want     string
	}{
		{[]string{"none"}, "tcp off, process off, owner false, rtt false, loaded "},
		{[]string{"tcp"}, "tcp live, process off, owner false, rtt true, loaded " + forBoth + forTCP},
		{[]string{"process"}, "tcp off, process live, owner true, rtt false, loaded " + forBoth + forProcess},
		{[]string{"tcp", "process"}, "tcp live, process live, owner true, rtt true, loaded " + forBoth + forProcess + forTCP},
	} {
		t.Run(c.want, func(t *testing.T) {
			s := newHealthStage(t)
			s.server.ServeTCP(netip.AddrPortFrom(healthServer, 8006))
			cfg := agent.Config{}
			cfg.Features = c.features
			s.watch(cfg)
			states, programs := featuresOf(s.agent.agent.Status()), loadedPrograms(t)
			conn, err := s.dial(8006, testkit.IOTimeout)
			if err == nil {
				err = testkit.Exchange(conn, 100, 5)
			}
			if err == nil {
				err = testkit.Finish(conn)
			}
			if err != nil {
				t.Fatal(err)
			}
			a := s.end(8006)
			got := fmt.Sprintf("tcp %s, process %s, owner %t, rtt %t, loaded %s",
				states["tcp"], states["process"], a.client.PID != 0, a.rtt != 0, programs)
			if got != c.want {
				t.Errorf("got %s", got)
			}
		})
	}
}
