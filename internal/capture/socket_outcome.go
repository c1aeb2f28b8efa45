package capture

import (
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
)

// healthOf reads what a socket tells of its connection.
func healthOf(r *bpf.SocketFacts) flow.TCPHealth {
	h := flow.TCPHealth{State: flow.TCPState(r.State), RTT: r.Rtt, MinRTT: r.MinRtt, Connect: connectOutcome(r)}
	if r.Rtt == 0 {
		h.MinRTT = 0 // Nothing was measured yet: the kernel holds the largest number there.
	}
	if h.Connect == flow.ConnectOK && r.Role == uint8(bpf.SocketSocketRoleROLE_ACTIVE) {
		h.Handshake = uint32(min((r.EstablishedNs-r.StartNs)/1000, 1<<32-1))
	}
	if r.EndedIn != 0 && r.StartNs != 0 {
		h.Lifetime = (r.LastNs - r.StartNs) / 1000
	}
	return h
}

// connectOutcome tells how the connection's begin ended, the first time after it did.
func connectOutcome(r *bpf.SocketFacts) flow.Connect {
	switch {
	case r.EstablishedNs != 0 && r.ToldConnect == 0:
		return flow.ConnectOK
	case r.EstablishedNs != 0 || r.EndedIn != uint8(flow.TCPSynSent):
		return 0
	}
	switch unix.Errno(r.Error) {
	case unix.ECONNREFUSED, unix.ECONNRESET:
		return flow.ConnectRefused
	case unix.ETIMEDOUT:
		return flow.ConnectTimeout
	case 0:
		// The program closed the socket: out of patience, if a SYN was repeated.
		if r.AllRetransmits > 0 {
			return flow.ConnectTimeout
		}
		return flow.ConnectAborted
	}
	return flow.ConnectUnreachable
}

// resetsSent adds the reset by which a process ends a connection from which it has not read all, or that it does not
// care to end well: the kernel sends it after the socket is closed (net/ipv4/tcp.c, __tcp_close, tcp_disconnect).
func resetsSent(r *bpf.SocketFacts) uint32 {
	aborted := r.EndedIn == uint8(flow.TCPEstablished) || r.EndedIn == uint8(flow.TCPCloseWait)
	if aborted && r.Error == 0 && r.ResetsReceived == 0 {
		return max(r.ResetsSent, 1)
	}
	return r.ResetsSent
}
