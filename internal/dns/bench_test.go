package dns

import (
	"testing"

	"github.com/miekg/dns"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// untranslated takes each exchange for a connection of its own.
type untranslated struct{}

func (untranslated) Describe(proto flow.Proto, src, dst nat.Point, at flow.Time, _ uint32) flow.Record {
	end := flow.Endpoint{Addr: dst.AddrPort().Addr(), Port: dst.Port}
	return flow.Record{
		Start: at, End: at, Proto: proto, Src: flow.Endpoint{Addr: src.AddrPort().Addr(), Port: src.Port}, Dst: end, Backend: end,
	}
}

// BenchmarkQuery reports the time of one query with its answer, seen at three places each, to the finished row; see
// BenchmarkFloor for what parsing both messages once takes in the same run.
func BenchmarkQuery(b *testing.B) {
	q := new(dns.Msg).SetQuestion("cart.shop.svc.cluster.local.", dns.TypeA)
	rr, _ := dns.NewRR("cart.shop.svc.cluster.local. 30 IN A 10.96.0.20")
	a := new(dns.Msg).SetReply(q)
	a.Answer = append(a.Answer, rr)
	query, _ := q.Pack()
	answer, _ := a.Pack()
	tr := NewTracker(Config{Ports: []uint16{53}})
	var now flow.Time
	server := nat.Point{Addr: [16]byte{10: 255, 11: 255, 12: 10, 15: 53}, Port: 53}
	for i := 0; b.Loop(); i++ {
		client := nat.Point{Addr: [16]byte{10: 255, 11: 255, 12: 10, 14: byte(i >> 14)}, Port: uint16(1024 + i%16384)}
		for hop := range uint32(3) {
			now += 1000
			tr.Take(&Packet{Src: client, Dst: server, Proto: flow.UDP, Interface: hop, Time: now, Payload: query, Length: len(query)})
		}
		for hop := range uint32(3) {
			now += 1000
			tr.Take(&Packet{Src: server, Dst: client, Proto: flow.UDP, Interface: hop, Time: now, Payload: answer, Length: len(answer)})
		}
		if i%8192 == 8191 {
			now += 1e9
			_ = tr.Finish(now, false, untranslated{}, func([]flow.Record) error { return nil })
		}
	}
	b.ReportMetric(float64(tr.Stats().Rows)/float64(b.N), "rows/query")
}

// BenchmarkFloor is the library's parsing of a query and its answer.
func BenchmarkFloor(b *testing.B) {
	q := new(dns.Msg).SetQuestion("cart.shop.svc.cluster.local.", dns.TypeA)
	rr, _ := dns.NewRR("cart.shop.svc.cluster.local. 30 IN A 10.96.0.20")
	a := new(dns.Msg).SetReply(q)
	a.Answer = append(a.Answer, rr)
	query, _ := q.Pack()
	answer, _ := a.Pack()
	for b.Loop() {
		var m dns.Msg
		_ = m.Unpack(query)
		_ = m.Unpack(answer)
	}
}
