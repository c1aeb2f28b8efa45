package storetest

import (
	"math"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// health is what sockets tell: every second connection is a short one that begins and ends in the interval.
func (t *Traffic) health(r *flow.Record) {
	h := &r.TCP
	h.MinRTT = t.roundTrip(r)
	h.RTT = h.MinRTT + uint32(float64(h.MinRTT)*0.3*t.random.ExpFloat64())
	h.State = flow.TCPEstablished
	if t.random.IntN(2) == 0 {
		r.TCPFlags |= flow.SYN | flow.FIN
		h.Connect, h.Handshake = flow.ConnectOK, h.MinRTT+uint32(t.random.IntN(100))
		h.State, h.Lifetime = flow.TCPClose, uint64(r.End-r.Start)/uint64(time.Microsecond)
	}
	switch n := t.random.IntN(100); {
	case n < 2:
		r.TCPFlags |= flow.RST
		h.Resets, h.ResetBy = 1, flow.ResetByServer
	case n < 3:
		r.TCPFlags |= flow.SYN | flow.RST
		*h = flow.TCPHealth{Resets: 1, ResetBy: flow.ResetByServer, Connect: flow.ConnectRefused, State: flow.TCPClose}
	}
	t.faults(r)
}

// roundTrip is a few hundred microseconds, more between zones, and some milliseconds to the Internet.
func (t *Traffic) roundTrip(r *flow.Record) uint32 {
	base := 150.0
	switch {
	case r.Backend.Kind == flow.External:
		base = 15_000
	case r.Src.Node == r.Backend.Node:
		base = 40
	case r.Src.Zone != r.Backend.Zone:
		base = 700
	}
	return uint32(base * math.Exp(0.4*t.random.NormFloat64()))
}

// faults are retransmissions in three of a hundred records, drops in two, and little else.
func (t *Traffic) faults(r *flow.Record) {
	switch n := t.random.IntN(100); {
	case n < 2:
		lost := uint64(1 + t.random.IntN(3))
		r.FwdFaults = flow.Faults{Retransmits: lost, DropPackets: lost, DropBytes: lost * uint64(66+t.random.IntN(1400))}
		r.Drop = dropped[t.random.IntN(len(dropped))]
	case n < 3:
		r.RevFaults = flow.Faults{Retransmits: 1, OutOfOrder: 1}
	case n < 4:
		r.RevFaults.ZeroWindows = 1
	}
}

var dropped = []flow.Drop{
	{Reason: "NETFILTER_DROP", Function: "nf_hook_slow"},
	{Reason: "NO_SOCKET", Function: "tcp_v4_rcv"},
	{Reason: "SOCKET_RCVBUFF", Function: "tcp_data_queue"},
	{Reason: "QDISC_DROP", Function: "__dev_queue_xmit"},
}
