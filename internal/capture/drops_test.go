package capture

import (
	"bufio"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/nat"
	"github.com/seine-net/seine/internal/testkit"
)

// symbols is as /proc/kallsyms is: in no order, with data, absolute symbols and those of modules among them.
const symbols = `ffffffff81002000 T second
ffffffff81001000 t first
0000000000000000 T hidden
ffffffff81001800 d some_data
ffffffff81001900 A absolute
garbage
ffffffffc0001000 t of_module	[nf_tables]
ffffffff81003000 W weak
`

func TestFindFunctions(t *testing.T) {
	addresses := []uint64{0xffffffff81003001, 0xffffffff81001fff, 0xffffffff81002000, 0xffffffffc0001010, 0xffffffff80000000}
	got := make(map[uint64]string)
	if err := findFunctions(bufio.NewScanner(strings.NewReader(symbols)), addresses, got); err != nil {
		t.Fatal(err)
	}
	// At a function's very first byte no call can have returned.
	want := map[uint64]string{
		0xffffffff81003001: "weak", 0xffffffff81001fff: "first", 0xffffffff81002000: "second", 0xffffffffc0001010: "of_module",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Where symbols cannot be read, or are hidden, drops are told without functions, and the status says why.
func TestFunctionsUnknown(t *testing.T) {
	dir := t.TempDir()
	path := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct{ file, function, why string }{
		{path("plain", symbols), "first", ""},
		{path("hidden", "0000000000000000 T first\n0000000000000000 t second\n"), "", "CAP_SYSLOG"},
		{filepath.Join(dir, "missing"), "", "no such file"},
	} {
		const location = 0xffffffff81001004
		c := &Capture{drops: &drops{
			symbols: tt.file, functions: make(map[uint64]string), reasons: map[uint32]string{2: "NO_SOCKET"},
		}}
		c.drops.learnFunctions([]growth{{key: bpf.DropKey{Location: location}}})
		if got := c.drops.functions[location]; got != tt.function {
			t.Errorf("%s: function %q, want %q", tt.file, got, tt.function)
		}
		f := c.dropFeature()
		if want := map[bool]State{true: Live, false: Degraded}[tt.why == ""]; f.State != want || !strings.Contains(f.Detail, tt.why) {
			t.Errorf("%s: feature %+v, want it %s for %q", tt.file, f, want, tt.why)
		}
	}
}

func TestReasonName(t *testing.T) {
	e := &btf.Enum{Values: []btf.EnumValue{
		{Name: "SKB_NOT_DROPPED_YET", Value: 0}, {Name: "SKB_DROP_REASON_NO_SOCKET", Value: 2}, {Name: "SKB_DROP_REASON_ALIAS", Value: 2},
	}}
	d := &drops{reasons: make(map[uint32]string)}
	addReasons(d.reasons, e, "SKB_DROP_REASON_", "SKB_")
	for reason, want := range map[uint32]string{0: "NOT_DROPPED_YET", 2: "NO_SOCKET", 77: "77"} {
		if got := d.reasonName(reason); got != want {
			t.Errorf("reason %d: %q, want %q", reason, got, want)
		}
	}
	if got := (&drops{}).reasonName(2); got != "" {
		t.Errorf("a kernel without reasons: %q", got)
	}
}

// Growth alone is told, from where it was told before, and what has stopped growing leaves the map.
func TestReadDrops(t *testing.T) {
	// Before Linux 5.11 maps count against the limit of locked memory.
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 64, ValueSize: 120, MaxEntries: 2048})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d := &drops{
		counted: make(map[bpf.DropKey]bpf.DropValue), keys: make([]bpf.DropKey, dropBatch), values: make([]bpf.DropValue, dropBatch),
	}
	d.objects.SeineDrops = m
	key := bpf.DropKey{Location: 1, Reason: 2, Dport: 80}
	f := func(entries int, value *bpf.DropValue, want ...growth) {
		t.Helper()
		if value != nil {
			if err := m.Put(&key, value); err != nil {
				t.Fatal(err)
			}
		}
		got, err := d.read()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(growth{})); diff != "" {
			t.Error(diff)
		}
		if len(d.counted) != entries {
			t.Errorf("%d entries are remembered, want %d", len(d.counted), entries)
		}
	}
	f(0, nil)
	f(1, &bpf.DropValue{Packets: 3, Bytes: 300, FirstNs: 10, LastNs: 20}, growth{key, 3, 300, 10, 20, nil})
	f(1, &bpf.DropValue{Packets: 5, Bytes: 900, FirstNs: 10, LastNs: 40}, growth{key, 2, 600, 20, 40, nil})
	f(0, nil)
	f(0, nil)
	d.reasons = map[uint32]string{2: "TCP_CLOSE"}
	f(0, &bpf.DropValue{Packets: 7, Bytes: 700, FirstNs: 10, LastNs: 20})
	if n := d.quiet.Load(); n != 7 {
		t.Errorf("%d freed in passing, want 7", n)
	}
	f(0, nil)
	d.reasons = nil
	var gone bpf.DropValue
	if m.Lookup(&key, &gone) == nil {
		t.Error("an entry that stopped growing is still in the map")
	}
	// What is dropped between the reading of an entry and its deletion counts.
	if err := m.Put(&key, &bpf.DropValue{Packets: 6}); err != nil {
		t.Fatal(err)
	}
	last := bpf.DropValue{Packets: 5}
	if d.take(key, &last); last.Packets != 6 || m.Lookup(&key, &gone) == nil {
		t.Errorf("taken with %d packets, want 6, and to be gone", last.Packets)
	}
}

// Where not every packet is to be counted, a drop makes no record of its own.
func TestDropsRestricted(t *testing.T) {
	testkit.RequireRoot(t)
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	ns := testkit.NewNS(t, "node")
	d, err := openDrops(spaceOf(t, ns), false, 1000)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer d.Close()
	for _, d.restricted = range []bool{false, true} {
		told := sendToNobody(t, ns, d)
		if len(told) != 1 || told[0].Alone == d.restricted {
			t.Errorf("restricted %t: told %+v, want one that is alone where not restricted", d.restricted, told)
		}
	}
}

// sendToNobody sends a datagram to a port that nobody listens at, and returns what is told of its drop.
func sendToNobody(t *testing.T, ns *testkit.NS, d *drops) (told []nat.Fact) {
	t.Helper()
	conn, err := ns.Dial("udp", netip.MustParseAddrPort("127.0.0.1:7021"), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(make([]byte, 10))
	conn.Close()
	err = d.evict(readClock(), func(facts []nat.Fact) {
		for _, f := range facts {
			if f.Dst.Port == 7021 && f.NetNS == d.netns {
				told = append(told, f)
			}
		}
	})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return told
}

// TestDropsAwaitConntrack has conntrack's types come to be known after the begin: the program is renewed, and tells as before.
func TestDropsAwaitConntrack(t *testing.T) {
	testkit.RequireRoot(t)
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	ns := testkit.NewNS(t, "node")
	d, err := openDrops(spaceOf(t, ns), true, 1000)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer d.Close()
	if lacks, _ := d.lacksEntries(); lacks {
		testkit.Lacks(t, "nf_conn in BTF", errNoBTF)
	}
	known := d.types
	d.types = func(*btf.Spec) ([]*btf.Spec, bool) { return nil, false }
	d.noEntries = true
	before := d.objects.SeineDrop
	drop := func(want uint64, renewed bool) {
		t.Helper()
		var got uint64
		for _, f := range sendToNobody(t, ns, d) {
			got += f.Sent.DropPackets
		}
		if got != want || (d.objects.SeineDrop != before) != renewed || d.noEntries == renewed {
			t.Errorf("%d drops, want %d; program renewed: %t, entries lacking: %t", got, want, d.objects.SeineDrop != before, d.noEntries)
		}
	}
	drop(1, false)
	d.types, d.looked = known, time.Time{}
	drop(1, true)
	drop(1, true)
}

func spaceOf(t *testing.T, ns *testkit.NS) uint32 {
	t.Helper()
	space, err := openNamespace(ns.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer space.file.Close()
	return space.inode
}
