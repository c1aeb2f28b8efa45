// Package wiretest has what tests of both ends of the stream need. It is for tests alone.
package wiretest

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// WaitLimit bounds every wait of these tests.
const WaitLimit = 30 * time.Second

// Eventually waits until a condition holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(WaitLimit); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, WaitLimit)
		}
	}
}

// Records makes connections whose Fwd.Bytes are numbers from first on; their addresses do not compress.
func Records(first, count int) []flow.Record {
	random := rand.New(rand.NewPCG(uint64(first), 1))
	all := make([]flow.Record, count)
	for i := range all {
		var address [16]byte
		for k := range address {
			address[k] = byte(random.Uint32())
		}
		server := flow.Endpoint{Addr: netip.AddrFrom16(address), Port: 443}
		all[i] = flow.Record{
			Start: 1772366400000000000, End: 1772366401000000000 + flow.Time(i), Proto: flow.TCP,
			Src: flow.Endpoint{Addr: netip.MustParseAddr("192.0.2.1"), Port: uint16(i)}, Dst: server, Backend: server,
			SNAT: netip.MustParseAddrPort("192.0.2.1:1"), Node: "worker-1", Iface: "eth0", Reporter: flow.Client, Primary: true,
			Fwd: flow.Volume{Bytes: uint64(first + i), Packets: 1}, Sampling: 1,
		}
	}
	return all
}
