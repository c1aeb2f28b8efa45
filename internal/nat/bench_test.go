package nat

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// nowhere is a node without addresses.
type nowhere struct{}

func (nowhere) Interface(netip.Addr) (uint32, bool) { return 0, false }
func (nowhere) Watched(netip.Addr) bool             { return false }
func (nowhere) InterfaceName(uint32) string         { return "eth0" }

// observations makes n connections through a Service, seen on three interfaces each, and as many that nothing
// translates.
func observations(n int) []Observation {
	point := func(network byte, i int, port uint16) Point {
		p := Point{Port: port}
		copy(p.Addr[10:], []byte{0xff, 0xff, 10, network})
		binary.BigEndian.PutUint16(p.Addr[14:], uint16(i%5000))
		return p
	}
	var out []Observation
	for i := range n {
		client, service, backend := point(1, i, uint16(32768+i/5000)), point(2, i%1000, 80), point(3, i, 8080)
		o := Observation{
			Low: client, High: service, Interface: 1, Proto: flow.TCP, Opened: [2]bool{true, false}, ISN: [2]uint32{uint32(i), 0},
			First: 1, Last: 2, Sampling: 1,
			Entry: &Entry{
				Source: flow.KFunc, Proto: flow.TCP, OrigSrc: client, OrigDst: service, ReplySrc: backend, ReplyDst: client,
			},
		}
		o.Counts[0][0], o.Counts[1][1] = flow.Volume{Bytes: 100, Packets: 1}, flow.Volume{Bytes: 100, Packets: 1}
		out = append(out, o)
		o.Interface = 2
		o.High = backend
		out = append(out, o)
		o.Interface, o.Entry = 3, nil
		out = append(out, o)
		o.Low, o.High = point(4, i, uint16(32768+i/5000)), point(5, i%1000, 443)
		out = append(out, o)
	}
	return out
}

// BenchmarkFinish joins observations to connections, new ones in the first interval and known ones afterwards. The
// floor is one look-up and update in a map for each observation.
func BenchmarkFinish(b *testing.B) {
	batch := observations(25000)
	for _, c := range []struct {
		name  string
		fresh bool
	}{{"new", true}, {"known", false}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			table := NewTable(Config{Locality: nowhere{}, Hold: -1})
			var records int
			for b.Loop() {
				if c.fresh {
					table = NewTable(Config{Locality: nowhere{}, Hold: -1})
				}
				table.Add(batch)
				_ = table.Finish(3, false, func(batch []flow.Record) error { records += len(batch); return nil })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch)), "ns/observation")
		})
	}
	b.Run("floor", func(b *testing.B) {
		counts := make(map[face]*Counts)
		for b.Loop() {
			for i := range batch {
				o := &batch[i]
				f := faceOf(o.Low, o.High, o.Proto)
				if counts[f] == nil {
					counts[f] = new(Counts)
				}
				counts[f][0][0].Bytes += o.Counts[0][0].Bytes
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch)), "ns/observation")
	})
}
