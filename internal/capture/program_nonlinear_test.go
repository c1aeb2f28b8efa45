package capture

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/testkit"
)

// TestParseNonLinear sends packets of which the first bytes alone lie where programs read directly; the rest lies in
// pages of its own and has to be copied out. A packet socket makes such ones of packets larger than a page, with as
// many bytes in front as its virtio_net_hdr.hdr_len says (net/packet/af_packet.c, packet_alloc_skb).
func TestParseNonLinear(t *testing.T) {
	testkit.SinceKernel(t, "6.6", "attaching by TCX")
	m := newMachine(t, Config{})
	ns := testkit.NewNS(t, "nonlinear")
	var socket int
	err := ns.Do(func() (err error) {
		l, err := link.AttachTCX(link.TCXOptions{Interface: 1, Program: m.SeineOut, Attach: ebpf.AttachTCXEgress})
		if err != nil {
			return fmt.Errorf("attach: %w", err)
		}
		t.Cleanup(func() { l.Close() })
		if socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return fmt.Errorf("open packet socket: %w", err)
		}
		t.Cleanup(func() { unix.Close(socket) })
		return unix.SetsockoptInt(socket, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, frame []byte, front uint16) {
		t.Helper()
		var header [10]byte
		binary.NativeEndian.PutUint16(header[2:], front)
		if err := unix.Sendto(socket, append(header[:], frame...), 0, &unix.SockaddrLinklayer{Ifindex: 1}); err != nil {
			t.Fatalf("%s: send: %v", name, err)
		}
		got := m.take(t)
		if want := newReference().decodeFrame(frame).String(); got.String() != want {
			t.Errorf("%s, %d bytes in front: %q; want %q", name, front, got, want)
		}
		checkAccount(t, got, hook{egress: true}, frame)
		m.forgetFragmentsOf(t, frame)
	}
	for i, c := range parseCases {
		frame := concat(c.frame, make([]byte, 5000))
		for _, front := range []int{14, 15 + i%40, 55 + i%40} {
			f(c.name, frame, uint16(front))
		}
	}
}
