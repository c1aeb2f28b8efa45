package agent_test

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// exactStage is where a flood plays.
type exactStage struct {
	// watched has the agent.
	watched *testkit.NS
	// client and server send by these links.
	client, server exactEnd
	// addresses are the clients': the one of IPv4 and that of IPv6.
	addresses [2]netip.Addr
	// everyServerMAC gives each flow's server a hardware address of its own.
	everyServerMAC bool
	// links are what the agent's account is compared for.
	links []string
	// reflects tells that the bridge sends flooded packets back to the client.
	reflects bool
	// loopback tells that both directions lie in the client's transmit counter, and again in its receive counter.
	loopback bool
}

type exactEnd struct {
	ns   *testkit.NS
	link string
}

func (e exactEnd) counters() testkit.Counters { return e.ns.Counters(e.link) }

// exactSizes are lengths of data frames: less than the headers, and up to a full frame.
var exactSizes = []int{60, 1514, 128, 590, 66, 1000}

// exactServers are addresses of servers by family.
var exactServers = [2]netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8:7::7")}

// floodFlows makes n flows: TCP and UDP of IPv4 and IPv6 alike, of all pairs of sizes.
func (s *exactStage) floodFlows(n int) []testkit.FloodFlow {
	all := make([]testkit.FloodFlow, n)
	for i := range all {
		v6 := i & 1
		all[i] = testkit.FloodFlow{
			Proto:     []uint8{6, 17}[i>>1&1],
			Client:    netip.AddrPortFrom(s.addresses[v6], uint16(32768+i>>2)),
			Server:    netip.AddrPortFrom(exactServers[v6], uint16(80+i&3)),
			ClientMAC: net.HardwareAddr{2, 0xc1, 0, 0, 0, 1}, ServerMAC: net.HardwareAddr{2, 0x5e, 0, 0, 0, 1},
			ClientSize: exactSizes[i%len(exactSizes)], ServerSize: exactSizes[i/len(exactSizes)%len(exactSizes)],
		}
		if s.everyServerMAC {
			all[i].ServerMAC = net.HardwareAddr{2, 0x5e, 1, byte(i >> 16), byte(i >> 8), byte(i)}
		}
	}
	return all
}

func flowKey(f *testkit.FloodFlow) exactKey {
	return exactKey{flow.Proto(f.Proto), f.Client, f.Server}
}

// flood is the traffic of a test: each sender sends every flow's opening, its data round by round, and its end.
type flood struct {
	flows []testkit.FloodFlow
	// senders is the number of threads at each side, rounds that of data frames each of them sends of each flow and
	// side.
	senders, rounds int
	// repeat is how many data frames of a flow are sent in a round; nil means one of each.
	repeat func(i int) int
}

func (f *flood) repeats(i int) int {
	if f.repeat == nil {
		return 1
	}
	return f.repeat(i)
}

// batch prepares one round of a side. Each sender has a sequence number of its own, so that its opening packets are
// not another one's repeated.
func (f *flood) batch(fromServer bool, step testkit.FloodStep, sender int) *testkit.FloodBatch {
	var frames []testkit.FloodFrame
	for i := range f.flows {
		one := f.flows[i].Frame(fromServer, step, uint32(1000+sender))
		n := 1
		if step == testkit.FloodData {
			n = f.repeats(i)
		}
		for range n {
			frames = append(frames, one)
		}
	}
	return testkit.NewFloodBatch(frames)
}

// plan is what the flood sends of each flow.
func (f *flood) plan() map[exactKey]exactVolume {
	plan := make(map[exactKey]exactVolume, len(f.flows))
	for i := range f.flows {
		one := &f.flows[i]
		side := func(fromServer bool) (v flow.Volume) {
			count := func(step testkit.FloodStep, n int) {
				v.Packets += uint64(n)
				v.Bytes += uint64(n * one.Frame(fromServer, step, 0).Size)
			}
			count(testkit.FloodOpen, f.senders)
			count(testkit.FloodData, f.senders*f.rounds*f.repeats(i))
			count(testkit.FloodEnd, f.senders)
			return v
		}
		plan[flowKey(one)] = exactVolume{fwd: side(false), rev: side(true)}
	}
	return plan
}

// run sends the flood: all clients open, all servers answer, then both sides at once. It returns when the packets
// have arrived.
func (f *flood) run(t *testing.T, s *exactStage) {
	t.Helper()
	steps := [2][]func() error{}
	var data errgroup.Group
	start := make(chan struct{})
	for side, end := range []exactEnd{s.client, s.server} {
		for sender := range f.senders {
			socket := end.ns.NewFlooder(end.link)
			open := f.batch(side == 1, testkit.FloodOpen, sender)
			steps[side] = append(steps[side], func() error { return socket.Send(open) })
			body, last := f.batch(side == 1, testkit.FloodData, sender), f.batch(side == 1, testkit.FloodEnd, sender)
			data.Go(func() error {
				<-start
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				for range f.rounds {
					if err := socket.Send(body); err != nil {
						return err
					}
				}
				return socket.Send(last)
			})
		}
	}
	before := receiveDrops(t)
	for _, opening := range steps {
		together(t, opening)
	}
	close(start)
	if err := data.Wait(); err != nil {
		t.Fatal(err)
	}
	arrive(s)
	if n := receiveDrops(t) - before; n > 0 {
		t.Logf("the kernel's receive queues were full and dropped %d packets of this machine's", n)
	}
}

// receiveDrops is what receive queues dropped when full, of all namespaces: the second column of /proc/net/softnet_stat
// (net/core/net-procfs.c). Such packets passed the hook at egress, and no interface counts them.
func receiveDrops(t *testing.T) (n uint64) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		dropped, err := strconv.ParseUint(strings.Fields(line)[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		n += dropped
	}
	return n
}

func together(t *testing.T, all []func() error) {
	t.Helper()
	var group errgroup.Group
	for _, f := range all {
		group.Go(f)
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// arrive waits until packets in the kernel's receive queues are through: counters at both ends stand still.
func arrive(s *exactStage) {
	var last [2]testkit.Counters
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(20 * time.Millisecond)
		if now := [2]testkit.Counters{s.client.counters(), s.server.counters()}; now != last {
			last, quiet = now, 0
		}
	}
}
