package agent_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

const (
	// soakVariable names how long the soak takes, such as 10m.
	soakVariable = "SEINE_SOAK"
	soakDefault  = 10 * time.Second
	// soakSamples is how often the process is looked at; the first half only warms up.
	soakSamples = 10
	// forgotten is the time after which the agent has forgotten a connection that ended: 60 intervals, looked at every
	// eighth, and some for a slow machine.
	forgotten = 75 * time.Second
	// heapSlack and rssSlack are how much the second half may add to the first half's largest: garbage collection
	// decides by doubling when to run.
	heapSlack, rssSlack = 8 << 20, 24 << 20
)

// vitals are the process's own resources at one moment, with the churn at rest but for its servers.
type vitals struct {
	at         time.Duration
	made       uint64
	rss        uint64
	heap       uint64
	files      int
	goroutines int
	remembered int
}

func (v vitals) String() string {
	return fmt.Sprintf(
		"%v: %d connections made, %d remembered, RSS %.1f MiB, live heap %.1f MiB, %d descriptors, %d goroutines",
		v.at.Round(time.Second), v.made, v.remembered, float64(v.rss)/(1<<20), float64(v.heap)/(1<<20), v.files, v.goroutines)
}

// TestSoak lets an agent work for long while connections through Services and interfaces come and go: it holds no more
// memory, descriptors or goroutines in the end than after warming up, and every byte is in a record.
func TestSoak(t *testing.T) {
	testkit.SinceKernel(t, "6.6", "TCX")
	duration := soakDuration(t)
	c := testkit.NewCluster(t)
	c.Node.Apply(testkit.NFTables, c.Rules())
	// So that conntrack's table does not fill up.
	c.Node.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_time_wait", "5")
	c.Node.Sysctl("net.netfilter.nf_conntrack_udp_timeout", "5")
	cfg := agent.Config{Node: "node", Interval: time.Second}
	cfg.NetNS = c.Node.Path
	r := &soakRecords{cluster: c}
	before := c.Client.Counters("eth0")
	e := newExactAgent(t, cfg, exactWatch{inspect: r.take, sumOnly: true})
	k := startChurn(c)
	all := watchVitals(t, k, e, duration)
	if err := k.end(); err != nil {
		t.Error(err)
	}
	time.Sleep(500 * time.Millisecond)
	after := c.Client.Counters("eth0")
	e.stop()
	r.check(t, e, after.Sub(before))
	checkVitals(t, all)
	debug.FreeOSMemory()
	t.Logf("at the end, memory returned: RSS %.1f MiB; %d links came and went; losses %+v",
		float64(residentBytes(t))/(1<<20), k.links.Load(), e.status.Losses)
}

func soakDuration(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(soakVariable)
	if text == "" {
		return soakDefault
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < soakDefault {
		t.Fatalf("%s=%q: want a duration of at least %v, such as 10m", soakVariable, text, soakDefault)
	}
	return d
}

// soakRecords sums the records of the churn.
type soakRecords struct {
	cluster *testkit.Cluster
	sum     exactVolume
	records uint64
	// redirects is what the node itself sent the client.
	redirects flow.Volume
	// untranslated counts records that do not have a backend of a Service, unanswered those of them with nothing but
	// one opening packet.
	untranslated, unanswered uint64
	example                  flow.Record
}

func (s *soakRecords) take(r *flow.Record) {
	if isNoise(r) {
		// IPv6 routers tell a client of a shorter way (RFC 4861, 8), here past NAT, and cannot be made not to.
		if r.Iface == s.cluster.Client.Name {
			s.redirects = addVolumes(s.redirects, exactVolume{r.Fwd, r.Rev}.total())
		}
		return
	}
	if r.Total().Packets == 0 {
		return // The end of a connect that nobody answered, told after its packets.
	}
	s.records++
	s.sum.add(exactVolume{r.Fwd, r.Rev})
	c := s.cluster
	isBackend := func(a netip.Addr) bool {
		return slices.Contains([]netip.Addr{c.Server1.V4, c.Server1.V6, c.Server2.V4, c.Server2.V6}, a)
	}
	if r.NAT&flow.DNAT == 0 || !isBackend(r.Backend.Addr) {
		s.untranslated++
		if r.TCPFlags == flow.SYN && r.Fwd.Packets == 1 && r.Rev.Packets == 0 {
			s.unanswered++
			return
		}
		s.example = *r
	}
}

func (s *soakRecords) check(t *testing.T, e *exactAgent, counted testkit.Counters) {
	t.Helper()
	want := exactVolume{
		fwd: flow.Volume{Bytes: counted.TxBytes, Packets: counted.TxPackets},
		rev: flow.Volume{Bytes: counted.RxBytes - s.redirects.Bytes, Packets: counted.RxPackets - s.redirects.Packets},
	}
	t.Logf("%d records with %+v, the client's interface counted %+v beside %+v of redirects; %d lost",
		s.records, s.sum, want, s.redirects, e.lost())
	if s.untranslated > s.unanswered {
		t.Errorf("%d of %d records without a backend, such as %+v", s.untranslated, s.records, s.example)
	}
	// A packet that conntrack dropped, as another one had just taken its translation, was never translated.
	if dropped := conntrackDrops(t, s.cluster); s.unanswered > dropped {
		t.Errorf("%d opening packets without a backend, conntrack dropped %d", s.unanswered, dropped)
	}
	if lost := e.lost(); lost > 0 {
		t.Errorf("%d packets lost with room for all: %+v", lost, e.status.Losses)
	}
	if s.sum != want {
		t.Errorf("records hold %+v, the client's interface counted %+v", s.sum, want)
	}
}

// conntrackDrops is how many packets the node's conntrack dropped, by the counters that `conntrack -S` shows.
func conntrackDrops(t *testing.T, c *testkit.Cluster) (sum uint64) {
	t.Helper()
	for word := range strings.FieldsSeq(c.Node.Exec("conntrack", "-S")) {
		name, value, _ := strings.Cut(word, "=")
		if name != "drop" && name != "insert_failed" {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			t.Fatalf("read conntrack's counters: %v", err)
		}
		sum += n
	}
	return sum
}

// watchVitals looks at the process now and then until the time is over.
func watchVitals(t *testing.T, k *churn, e *exactAgent, duration time.Duration) []vitals {
	t.Helper()
	began := time.Now()
	var all []vitals
	for range soakSamples {
		time.Sleep(duration / soakSamples)
		k.pause.Lock()
		v := vitals{at: time.Since(began), made: k.made.Load(), remembered: e.agent.Status().Map.Connections}
		v.files, v.goroutines = restingCounts(t)
		k.pause.Unlock()
		v.rss, v.heap = residentBytes(t), liveHeap()
		all = append(all, v)
		t.Log(v)
		if t.Failed() || k.failed() {
			break
		}
	}
	return all
}

// restingCounts returns the numbers of open descriptors and of goroutines once they have stood still: the servers'
// ends of the last connections take a moment to go.
func restingCounts(t *testing.T) (files, goroutines int) {
	t.Helper()
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(10 * time.Millisecond)
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		if n := runtime.NumGoroutine(); n != goroutines || len(entries) != files {
			files, goroutines, quiet = len(entries), n, 0
		}
	}
	return files, goroutines
}

// residentBytes reads the process's resident memory (proc(5), /proc/pid/statm).
func residentBytes(t *testing.T) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * uint64(os.Getpagesize())
}

// liveHeap is what the last garbage collection found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// checkVitals wants the second half no larger than the first: descriptors and goroutines to the number, memory but for
// the slack and for connections remembered, which must be young ones.
func checkVitals(t *testing.T, all []vitals) {
	t.Helper()
	if len(all) < soakSamples {
		t.Fatalf("the soak ended after %d of %d samples", len(all), soakSamples)
	}
	half := len(all) / 2
	var first vitals
	for _, v := range all[:half] {
		first.files, first.goroutines = max(first.files, v.files), max(first.goroutines, v.goroutines)
		first.heap, first.rss = max(first.heap, v.heap), max(first.rss, v.rss)
		first.remembered = max(first.remembered, v.remembered)
	}
	last := all[len(all)-1]
	if last.files > first.files || last.goroutines > first.goroutines {
		t.Errorf("descriptors or goroutines grow: first half at most %d and %d, then %v", first.files, first.goroutines, last)
	}
	// bytesRemembered is more than a connection and its place in a half-full table take. How many are remembered
	// follows the churn's pace, and a table keeps the room that it once had.
	const bytesRemembered = 2 << 10
	most := slices.MaxFunc(all, func(a, b vitals) int { return cmp.Compare(a.remembered, b.remembered) }).remembered
	learnt := uint64(most-first.remembered) * bytesRemembered
	if last.heap > first.heap+heapSlack+learnt || last.rss > first.rss+rssSlack+2*learnt {
		t.Errorf("memory grows: first half at most %d live and %d resident, then %v", first.heap, first.rss, last)
	}
	for _, v := range all {
		if v.at < last.at-forgotten && last.made-v.made < uint64(last.remembered) {
			t.Errorf("%d connections remembered, of which only %d were made since %v", last.remembered, last.made-v.made, v.at)
		}
	}
}
