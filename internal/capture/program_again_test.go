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
			}
		}
		if f != want {
			t.Errorf("again: %+v: want %+v", f, want)
		}
	}
}
