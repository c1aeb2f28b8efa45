package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// datagramPrograms follow the sockets of UDP, at the root of the control groups, so that no process is left out.
var datagramPrograms = []struct {
	name   string
	attach ebpf.AttachType
	of     func(*bpf.SocketObjects) *ebpf.Program
}{
	{"seine_udp_made", ebpf.AttachCGroupInetSockCreate, func(o *bpf.SocketObjects) *ebpf.Program { return o.SeineUdpMade }},
	{"seine_udp_closed", ebpf.AttachCgroupInetSockRelease, func(o *bpf.SocketObjects) *ebpf.Program { return o.SeineUdpClosed }},
}

// rootGroup is the number of the root of all control groups (fs/kernfs): that of a container's own tree has another.
const rootGroup = 1

var errNoRootGroup = errors.New("the root of cgroup v2 is not to be seen here: mount the host's /sys/fs/cgroup into the container")

// findRootGroup returns a path of the root of cgroup v2.
func findRootGroup(mounts io.Reader) (string, error) {
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 3 || words[2] != "cgroup2" {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(words[1], &st) == nil && st.Ino == rootGroup {
			return words[1], nil
		}
	}
	return "", errNoRootGroup
}

// attachDatagrams attaches the programs of UDP.
func (s *sockets) attachDatagrams() error {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	defer mounts.Close()
	root, err := findRootGroup(mounts)
	if err != nil {
		return err
	}
	for _, p := range datagramPrograms {
		l, err := link.AttachCgroup(link.CgroupOptions{Path: root, Attach: p.attach, Program: p.of(&s.objects)})
		if err != nil {
			return fmt.Errorf("attach %s to %s: %w", p.name, root, err)
		}
		s.closers = append(s.closers, l)
	}
	return nil
}

// loadFollowing loads the programs with those of UDP where they are wanted and can be attached, or without: then all
// else works, and lacksUDP tells why.
func (s *sockets) loadFollowing(c *Config) error {
	if !c.has(FeatureProcess) {
		return s.load(c, false)
	}
	if s.lacksUDP = s.load(c, true); s.lacksUDP == nil {
		if s.lacksUDP = s.attachDatagrams(); s.lacksUDP == nil {
			return nil
		}
		if err := errors.Join(s.closers.Close(), s.objects.Close()); err != nil {
			return err
		}
		s.closers = nil
	}
	return s.load(c, false)
}

// datagram converts the report of a socket of UDP.
func (s *sockets) datagram(r *bpf.SocketFacts, c clock) nat.Fact {
	f := nat.Fact{
		Proto: flow.UDP, NetNS: r.Netns, Last: c.time(r.LastNs),
		Src:    nat.Point{Addr: r.Tuple.Src.Bytes, Port: r.Tuple.Sport},
		Socket: &nat.Socket{ID: r.StartNs, Process: s.owners.of(&r.Owner, s.objects.SeineCgroups)},
	}
	if r.Tuple.Dport != 0 {
		f.Dst = nat.Point{Addr: r.Tuple.Dst.Bytes, Port: r.Tuple.Dport}
	}
	if r.StartNs != 0 {
		f.First = c.time(r.StartNs)
	}
	// Of UDP, the state tells of a socket that was closed alone: it is CLOSE as well where there is no peer.
	if r.EndedIn != 0 {
		f.Socket.TCP.State = flow.TCPClose
	}
	return f
}
