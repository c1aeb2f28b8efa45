package dns

import (
	"testing"

	"github.com/miekg/dns"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// Queries beyond the bound are counted and become no rows; those under way are not disturbed, and there is room again
// when they are over.
func TestTrackerFull(t *testing.T) {
	query, err := new(dns.Msg).SetQuestion("cart.shop.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	const room, asked = 4, 10
	tr := NewTracker(Config{Ports: []uint16{53}, MaxPending: room})
	var now flow.Time
	for round := range uint64(2) {
		for port := range uint16(asked) {
			now++
			tr.Take(&Packet{
				Src: nat.Point{Addr: [16]byte{15: 1}, Port: 1000 + port}, Dst: nat.Point{Addr: [16]byte{15: 2}, Port: 53},
				Proto: flow.UDP, Time: now, Payload: query, Length: len(query),
			})
		}
		if s := tr.Stats(); s.Pending != room || s.Refused != (round+1)*(asked-room) {
			t.Errorf("%d under way and %d refused of %d, want %d and the rest", s.Pending, s.Refused, asked, room)
		}
		now += tr.timeout
		rows := 0
		if err := tr.Finish(now, false, untranslated{}, func(r []flow.Record) error { rows += len(r); return nil }); err != nil {
			t.Fatal(err)
		}
		if rows != room {
			t.Errorf("%d rows, want %d", rows, room)
		}
	}
}
