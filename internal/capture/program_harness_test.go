package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// next is TC_ACT_UNSPEC: the programs never decide about a packet.
const next = 0xffffffff

// skbContext is the kernel's struct __sk_buff (include/uapi/linux/bpf.h). The kernel refuses a test run that sets a
// member other than the named ones.
type skbContext struct {
	_       [10]uint32
	Ifindex uint32
	_       [9]uint32
	DataEnd uint32
	_       [20]uint32
	GSOSegs uint32
	_       [2]uint32
	GSOSize uint32
	_       [3]uint32
}

// machine is the loaded programs of one configuration. Its maps are empty between cases.
type machine struct {
	*objects
	ring *ringbuf.Reader
}

// newMachine loads the programs, without a source of translations.
func newMachine(t testing.TB, c Config, rules ...string) *machine {
	t.Helper()
	testkit.RequireRoot(t)
	setDefault(&c.MaxFlows, 64)
	setDefault(&c.RingBytes, 4096)
	if err := c.normalize(); err != nil {
		t.Fatal(err)
	}
	compiled, err := ParseRules(rules)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load(&c, compiled, kernelMeans{})
	if err != nil {
		t.Fatalf("load: %+v", err)
	}
	t.Cleanup(func() { o.Close() })
	ring, err := ringbuf.NewReader(o.SeineOverflow)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ring.Close() })
	return &machine{objects: o, ring: ring}
}

// hook says which program a packet is given to.
type hook struct {
	egress, l3 bool
}

func (m *machine) program(h hook) *ebpf.Program {
	programs := map[hook]*ebpf.Program{
		{}:                       m.SeineIn,
		{egress: true}:           m.SeineOut,
		{l3: true}:               m.SeineInL3,
		{egress: true, l3: true}: m.SeineOutL3,
	}
	return programs[h]
}

// run gives one packet to a program.
func (m *machine) run(t testing.TB, h hook, packet []byte, ctx *skbContext) {
	t.Helper()
	options := &ebpf.RunOptions{Data: packet}
	if ctx != nil {
		options.Context = ctx
	}
	verdict, err := m.program(h).Run(options)
	if err != nil {
		t.Fatalf("run %+v with %d bytes % x: %v", h, len(packet), packet, err)
	}
	if verdict != next {
		t.Fatalf("verdict %#x of %+v: want %#x; packet % x", verdict, h, uint32(next), packet)
	}
}

// in runs packets at the ingress hook of loopback.
func (m *machine) in(t testing.TB, packets ...[]byte) {
	t.Helper()
	for _, p := range packets {
		m.run(t, hook{}, p, nil)
	}
}

// counted is one flow as the map or the overflow ring holds it.
type counted struct {
	key   bpf.FlowKey
	value bpf.FlowValue
}

// outcome is what the maps hold after a case.
type outcome struct {
	flows, events []counted
	// outside is by interface, hook and reason.
	outside map[bpf.InterfaceKey]map[string]bpf.Volume
	errors  map[string]uint64
}

// take reads the maps and empties them, but for the fragments.
func (m *machine) take(t testing.TB) outcome {
	t.Helper()
	o := outcome{outside: m.takeOutside(t), errors: m.takeErrors(t), events: m.takeEvents(t)}
	var key bpf.FlowKey
	var value bpf.FlowValue
	for it := m.SeineFlows0.Iterate(); it.Next(&key, &value); {
		o.flows = append(o.flows, counted{key, value})
	}
	for i := range o.flows {
		if err := m.SeineFlows0.Delete(&o.flows[i].key); err != nil {
			t.Fatalf("delete a flow: %v", err)
		}
	}
	var held [2]uint64
	if err := errors.Join(m.FlowCount.Get(&held), m.FlowCount.Set(&[2]uint64{})); err != nil {
		t.Fatalf("reset flow_count: %v", err)
	}
	if held != [2]uint64{uint64(len(o.flows))} {
		t.Errorf("flow_count %v: want the %d flows of the active map", held, len(o.flows))
	}
	slices.SortFunc(o.flows, func(a, b counted) int { return strings.Compare(a.String(), b.String()) })
	return o
}

func (m *machine) takeOutside(t testing.TB) map[bpf.InterfaceKey]map[string]bpf.Volume {
	t.Helper()
	out := make(map[bpf.InterfaceKey]map[string]bpf.Volume)
	for _, key := range []bpf.InterfaceKey{
		{Ifindex: 1, Hook: uint32(bpf.CaptureHookHOOK_INGRESS)}, {Ifindex: 1, Hook: uint32(bpf.CaptureHookHOOK_EGRESS)},
	} {
		var perCPU []bpf.InterfaceValue
		if err := m.SeineUncounted.Lookup(&key, &perCPU); err != nil {
			continue
		}
		out[key] = make(map[string]bpf.Volume)
		for i := range perCPU {
			for reason, v := range perCPU[i].Count {
				if v != (bpf.Volume{}) {
					sum := out[key][m.uncountedNames[reason]]
					out[key][m.uncountedNames[reason]] = bpf.Volume{Bytes: sum.Bytes + v.Bytes, Packets: sum.Packets + v.Packets}
				}
			}
		}
		if err := m.SeineUncounted.Delete(&key); err != nil {
			t.Fatalf("delete interface counters: %v", err)
		}
	}
	return out
}

func (m *machine) takeErrors(t testing.TB) map[string]uint64 {
	t.Helper()
	out := make(map[string]uint64)
	for reason, name := range m.errorNames {
		var perCPU []uint64
		if err := m.SeineErrors.Lookup(uint32(reason), &perCPU); err != nil {
			t.Fatalf("read error counters: %v", err)
		}
		for _, n := range perCPU {
			out[name] += n
		}
		if out[name] == 0 {
			delete(out, name)
			continue
		}
		if err := m.SeineErrors.Put(uint32(reason), make([]uint64, len(perCPU))); err != nil {
			t.Fatalf("reset error counters: %v", err)
		}
	}
	return out
}

func (m *machine) takeEvents(t testing.TB) []counted {
	t.Helper()
	var out []counted
	if err := m.ring.Flush(); err != nil {
		t.Fatalf("flush the ring: %v", err)
	}
	for {
		r, err := m.ring.Read()
		if errors.Is(err, ringbuf.ErrFlushed) {
			return out
		}
		if err != nil {
			t.Fatalf("read the ring: %v", err)
		}
		e := (*bpf.FlowEvent)(unsafe.Pointer(unsafe.SliceData(r.RawSample)))
		out = append(out, counted{e.Key, e.Value})
	}
}

// forgetFragments empties the map of fragments.
func (m *machine) forgetFragments(t testing.TB) {
	t.Helper()
	var keys []bpf.CaptureFragmentKey
	var key bpf.CaptureFragmentKey
	var value bpf.CaptureFragmentValue
	for it := m.SeineFragments.Iterate(); it.Next(&key, &value); {
		keys = append(keys, key)
	}
	for i := range keys {
		if err := m.SeineFragments.Delete(&keys[i]); err != nil {
			t.Fatalf("delete a fragment: %v", err)
		}
	}
}

// bytes sums all that was accounted for, in flows, on the ring or outside.
func (o *outcome) bytes() uint64 {
	var sum uint64
	for _, f := range append(slices.Clone(o.flows), o.events...) {
		for _, hooks := range f.value.Count {
			sum += hooks[0].Bytes + hooks[1].Bytes
		}
	}
	for _, reasons := range o.outside {
		for _, v := range reasons {
			sum += v.Bytes
		}
	}
	return sum
}

// only returns the single flow of an outcome.
func (o *outcome) only(t testing.TB) counted {
	t.Helper()
	if len(o.flows) != 1 {
		t.Fatalf("%d flows: want 1; %v", len(o.flows), o)
	}
	return o.flows[0]
}

// String writes the outcome of one packet as decoded.String writes what it should be.
func (o outcome) String() string {
	var parts []string
	for _, f := range o.flows {
		parts = append(parts, f.String())
	}
	for _, reasons := range o.outside {
		for reason := range reasons {
			parts = append(parts, reason)
		}
	}
	return strings.Join(parts, " | ") + errorText(o.errors)
}

func errorText(counts map[string]uint64) string {
	var out []string
	for name, n := range counts {
		out = append(out, fmt.Sprintf(" !%s*%d", name, n))
	}
	slices.Sort(out)
	return strings.ReplaceAll(strings.Join(out, ""), "*1", "")
}

// String tells all of a flow but times, volumes and the interface, seen from the first packet's sender.
func (f counted) String() string {
	d := decodedOf(f)
	text := d.String()
	if f.key.Gen != 0 {
		text += fmt.Sprintf(" gen %d", f.key.Gen)
	}
	return text
}

// decodedOf reads what the kernel side found out about a flow's first packet.
func decodedOf(f counted) decoded {
	low := netip.AddrPortFrom(netip.AddrFrom16(f.key.Low.Bytes).Unmap(), f.key.LowPort)
	high := netip.AddrPortFrom(netip.AddrFrom16(f.key.High.Bytes).Unmap(), f.key.HighPort)
	from := f.value.FirstDir & 1
	d := decoded{
		src: low, dst: high, proto: f.key.Proto, icmpType: f.key.IcmpType, icmpCode: f.key.IcmpCode,
		flags: f.value.TcpFlags[from], opens: f.value.Opened[from] != 0, isn: f.value.Isn[from],
	}
	if from == uint8(bpf.CaptureDirectionDIR_DOWN) {
		d.src, d.dst = high, low
	}
	if f.value.QuotedDst != (bpf.Addr{}) || f.value.QuotedProto != 0 {
		d.quotedProto, d.quotedDst = f.value.QuotedProto, netip.AddrFrom16(f.value.QuotedDst.Bytes).Unmap()
	}
	return d
}
