package capture

import "testing"

// runAgain gives the packet of an outcome to the programs twice more and fails unless the flow is the same with twice
// the volume: the second packet of a flow takes the short way (bpf/plain.h), where it is plain.
func (m *machine) runAgain(t *testing.T, once outcome, h hook, packet []byte) {
	t.Helper()
	m.forgetFragments(t)
	m.run(t, h, packet, nil)
	m.run(t, h, packet, nil)
	twice := m.take(t)
	m.forgetFragments(t)
	if sum := twice.bytes(); sum != 2*uint64(len(packet)) || len(twice.flows) != len(once.flows) {
		t.Fatalf("again: %d bytes in %d flows: want %d in %d; %v", sum, len(twice.flows), 2*len(packet), len(once.flows), twice)
	}
	for i, f := range twice.flows {
		want := once.flows[i]
		want.value.FirstNs, want.value.LastNs = f.value.FirstNs, f.value.LastNs
		for d := range want.value.Count {
			for h := range want.value.Count[d] {
				v := &want.value.Count[d][h]
				v.Bytes, v.Packets = 2*v.Bytes, 2*v.Packets
				m := &want.value.Marks[d][h]
				m.Resets, m.ZeroWindows = 2*m.Resets, 2*m.ZeroWindows
			}
		}
		if f != want {
			t.Errorf("again: %+v: want %+v", f, want)
		}
	}
}

// TestPlainIsPlain seeds a flow and gives the programs packets that a reader of plain headers alone would take for more
// of it.
func TestPlainIsPlain(t *testing.T) {
	m := newMachine(t, Config{})
	known := eth4(v4(a4, b4, 17, udp(1000, 53, 1, 2, 3, 4)))
	const seeded = "udp 10.0.0.1:1000 > 10.0.0.2:53"
	f := func(name, want string, packets ...[]byte) {
		t.Helper()
		m.in(t, known, known)
		m.in(t, packets...)
		got := m.take(t)
		m.forgetFragments(t)
		if got.String() != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	ports := []byte{1000 >> 8, 1000 & 0xff, 0, 53}
	f("more of it", seeded, known)
	f("ports in an option", seeded+" | udp 10.0.0.1:2000 > 10.0.0.2:53", eth4(v4with(a4, b4, 17, ports, 7, 0, udp(2000, 53, 1, 2, 3, 4))))
	f("ports in a later fragment", "udp 10.0.0.1:0 > 10.0.0.2:0 | "+seeded+" !fragment_unknown", eth4(v4with(a4, b4, 17, nil, 7, 2, udp(1000, 53, 1, 2, 3, 4))))
	f("a first fragment is remembered", seeded, eth4(v4with(a4, b4, 17, nil, 7, more4, udp(1000, 53, 1, 2, 3, 4))), eth4(v4with(a4, b4, 17, nil, 7, 2, udp(9, 9, 1, 2, 3, 4))))
	f("another protocol", "icmp 10.0.0.1:0 > 10.0.0.2:0 type 3/232 | "+seeded, eth4(v4(a4, b4, 1, udp(1000, 53, 1, 2, 3, 4))))
	f("another version", seeded+" | malformed", eth4(append([]byte{0x65}, v4(a4, b4, 17, udp(1000, 53, 1, 2, 3, 4))[1:]...)))
}
