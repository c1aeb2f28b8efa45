package capture

import "testing"

// longest is the most that a test run takes on every kernel: a page less the room that the kernel keeps for itself.
const longest = 3000

// FuzzParse gives random packets to the programs and to the reference parser.
func FuzzParse(f *testing.F) {
	for i, c := range parseCases {
		f.Add(c.frame, i%2 == 1, false)
		f.Add(c.frame[14:], i%2 == 1, true)
	}
	f.Add(v4("8.0.0.1", b4, 6, tcp(1000, 80, 7, 2)), false, true)
	f.Add(v6("2001:db8:86dd::1", b6, 17, udp(1, 2, 1, 2, 3, 4, 5, 6)), true, true)
	m := newMachine(f, Config{})
	f.Fuzz(func(t *testing.T, packet []byte, egress, l3 bool) {
		if len(packet) < shortest {
			return
		}
		packet = packet[:min(len(packet), longest)]
		h := hook{egress: egress, l3: l3}
		if fit := runnable(packet); !l3 {
			packet = fit
		} else if len(fit) != len(packet) {
			return
		}
		m.run(t, h, packet, nil)
		got := m.take(t)
		checkAccount(t, got, h, packet)
		r := newReference()
		want := r.decodeFrame(packet)
		if l3 {
			want = newReference().decodeIP(be16(packet[12:]), packet, 0)
		}
		if got.String() != want.String() {
			t.Errorf("%+v\n got %s\nwant %s", h, got, want)
		}
		m.runAgain(t, got, h, packet)
	})
}
