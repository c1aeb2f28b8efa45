package dns

import (
	"testing"

	"github.com/miekg/dns"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// packed returns a query and its answer as they travel.
func packed(f *testing.F) (query, answer []byte) {
	f.Helper()
	q := new(dns.Msg).SetQuestion("cart.shop.svc.cluster.local.", dns.TypeA)
	rr, err := dns.NewRR("cart.shop.svc.cluster.local. 30 IN A 10.96.0.20")
	if err != nil {
		f.Fatal(err)
	}
	a := new(dns.Msg).SetReply(q)
	a.Answer = append(a.Answer, rr)
	if query, err = q.Pack(); err != nil {
		f.Fatal(err)
	}
	if answer, err = a.Pack(); err != nil {
		f.Fatal(err)
	}
	return query, answer
}

// FuzzMessage gives any bytes to the tracker as messages of both directions.
func FuzzMessage(f *testing.F) {
	query, answer := packed(f)
	f.Add(query, answer)
	f.Add(append(query[:12:12], 0xc0, 12, 0, 1, 0, 1), answer[:20]) // A name that points to itself.
	f.Fuzz(func(t *testing.T, query, answer []byte) {
		tr := NewTracker(Config{Ports: []uint16{53}})
		client, server := nat.Point{Port: 40000}, nat.Point{Port: 53}
		tr.Take(&Packet{Src: client, Dst: server, Proto: flow.UDP, Payload: query, Length: len(query), Time: 1})
		tr.Take(&Packet{Src: server, Dst: client, Proto: flow.UDP, Payload: answer, Length: len(answer) + 1, Time: 2})
		if s := tr.Stats(); s.Pending > 1 {
			t.Errorf("one query makes %d exchanges", s.Pending)
		}
	})
}

// FuzzStream cuts bytes into segments in any order: memory stays bounded, and in order nothing is lost.
func FuzzStream(f *testing.F) {
	query, _ := packed(f)
	framed := append([]byte{0, byte(len(query))}, query...)
	f.Add(append(framed, framed...), uint8(3), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, size, skip uint8) {
		inOrder, shuffled := &stream{}, &stream{}
		delivered := 0
		step := max(int(size), 1)
		for at := 0; at < len(data); at += step {
			part := data[at:min(at+step, len(data))]
			inOrder.take(&Packet{Seq: uint32(at), Payload: part, Length: len(part)}, func(m []byte) { delivered += prefix + len(m) })
			shuffled.take(&Packet{Seq: uint32(at) ^ uint32(skip), Payload: part, Length: len(part)}, func([]byte) {})
			if len(shuffled.early) > maxEarly || shuffled.earlyBytes > maxEarlyBytes || len(shuffled.buffer) > prefix+1<<16 {
				t.Fatalf("stream holds %d segments, %d and %d bytes", len(shuffled.early), shuffled.earlyBytes, len(shuffled.buffer))
			}
		}
		if !inOrder.broken && delivered+len(inOrder.buffer) != len(data) {
			t.Errorf("%d bytes delivered, %d kept of %d", delivered, len(inOrder.buffer), len(data))
		}
	})
}
