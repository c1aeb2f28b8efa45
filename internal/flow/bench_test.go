package flow

import (
	"strconv"
	"testing"
	"time"
)

const benchBatch = 4096

// batch returns records as a busy cluster makes them: most known by name, most translated.
func batch() []Record {
	records := make([]Record, benchBatch)
	for i := range records {
		switch r := sampleTCP(); {
		case i%8 == 0:
			records[i] = samplePing()
		case i%8 == 1:
			records[i] = sampleSNAT()
		default:
			r.Src.Port = uint16(i)
			records[i] = r
		}
	}
	return records
}

// BenchmarkJSON reports the time per record and its ratio to the floor: hand-written appends of the same text,
// measured in the same run.
func BenchmarkJSON(b *testing.B) {
	records := batch()
	encoder := NewJSON(DefaultFields(Connections))
	dst := make([]byte, 0, 8<<20)
	measure := func(appendRecord func([]byte, *Record) []byte) time.Duration {
		start := time.Now()
		dst = dst[:0]
		for i := range records {
			dst = appendRecord(dst, &records[i])
		}
		return time.Since(start)
	}
	var table, floor time.Duration
	b.ReportAllocs()
	for b.Loop() {
		floor += measure(appendByHand)
		table += measure(encoder.Append)
	}
	b.ReportMetric(float64(table.Nanoseconds())/float64(b.N*benchBatch), "ns/record")
	b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N*benchBatch), "floor-ns/record")
	b.ReportMetric(float64(table)/float64(floor), "x-floor")
}

// The floor must write the same, or its time means nothing.
func TestFloorWritesTheSame(t *testing.T) {
	encoder := NewJSON(DefaultFields(Connections))
	for _, r := range []Record{sampleTCP(), sampleSNAT(), samplePing()} {
		got, want := string(appendByHand(nil, &r)), string(encoder.Append(nil, &r))
		if got != want {
			t.Errorf("the floor writes\n%swant\n%s", got, want)
		}
	}
}

func appendByHand(dst []byte, r *Record) []byte {
	icmp := r.Proto == ICMPv4 || r.Proto == ICMPv6
	dst = append(dst, `{"start":"`...)
	dst = time.Unix(0, int64(r.Start)).UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","end":"`...)
	dst = time.Unix(0, int64(r.End)).UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(append(append(dst, `","proto":"`...), r.Proto.String()...), '"')
	if icmp {
		dst = strconv.AppendUint(append(dst, `,"icmp":{"type":`...), uint64(r.ICMP.Type), 10)
		dst = strconv.AppendUint(append(dst, `,"code":`...), uint64(r.ICMP.Code), 10)
		dst = strconv.AppendUint(append(dst, `,"id":`...), uint64(r.ICMP.ID), 10)
		dst = append(dst, '}')
	}
	if r.OrientedBy != 0 {
		dst = append(append(append(dst, `,"oriented_by":"`...), r.OrientedBy.String()...), '"')
	}
	dst = endpointByHand(append(dst, `,"src":`...), &r.Src, icmp)
	dst = endpointByHand(append(dst, `,"dst":`...), &r.Dst, icmp)
	dst = endpointByHand(append(dst, `,"backend":`...), &r.Backend, icmp)
	dst = append(append(append(dst, `,"nat":"`...), r.NAT.String()...), '"')
	dst = append(append(append(dst, `,"nat_source":"`...), r.NATSource.String()...), '"')
	dst = strconv.AppendUint(append(dst, `,"ct_zone":`...), uint64(r.Zone), 10)
	dst = append(r.SNAT.Addr().AppendTo(append(dst, `,"snat":{"addr":"`...)), '"')
	if !icmp {
		dst = strconv.AppendUint(append(dst, `,"port":`...), uint64(r.SNAT.Port()), 10)
	}
	dst = append(dst, '}')
	if r.Proto == TCP {
		dst = append(r.TCPFlags.AppendJSON(append(dst, `,"tcp":{"flags":`...)), '}')
	}
	dst = volumeByHand(append(dst, `,"fwd":`...), r.Fwd)
	dst = volumeByHand(append(dst, `,"rev":`...), r.Rev)
	dst = volumeByHand(append(dst, `,"total":`...), Volume{r.Fwd.Bytes + r.Rev.Bytes, r.Fwd.Packets + r.Rev.Packets})
	dst = AppendJSONString(append(dst, `,"node":`...), r.Node)
	dst = AppendJSONString(append(dst, `,"iface":`...), r.Iface)
	dst = append(append(append(dst, `,"reporter":"`...), r.Reporter.String()...), '"')
	dst = strconv.AppendBool(append(dst, `,"primary":`...), r.Primary)
	dst = strconv.AppendUint(append(dst, `,"sampling":`...), uint64(r.Sampling), 10)
	return append(dst, "}\n"...)
}

func volumeByHand(dst []byte, v Volume) []byte {
	dst = strconv.AppendUint(append(dst, `{"bytes":`...), v.Bytes, 10)
	dst = strconv.AppendUint(append(dst, `,"packets":`...), v.Packets, 10)
	return append(dst, '}')
}

func endpointByHand(dst []byte, e *Endpoint, icmp bool) []byte {
	dst = append(e.Addr.AppendTo(append(dst, `{"addr":"`...)), '"')
	if !icmp {
		dst = strconv.AppendUint(append(dst, `,"port":`...), uint64(e.Port), 10)
	}
	if e.Kind != 0 {
		dst = append(append(append(dst, `,"kind":"`...), e.Kind.String()...), '"')
	}
	dst = textByHand(dst, `,"namespace":`, e.Namespace)
	dst = textByHand(dst, `,"name":`, e.Name)
	if e.Workload != (Workload{}) {
		dst = AppendJSONString(append(dst, `,"workload":{"kind":`...), e.Workload.Kind)
		dst = append(AppendJSONString(append(dst, `,"name":`...), e.Workload.Name), '}')
	}
	dst = textByHand(dst, `,"node":`, e.Node)
	dst = textByHand(dst, `,"zone":`, e.Zone)
	dst = textByHand(dst, `,"service":`, e.Service)
	dst = textByHand(dst, `,"app":`, e.App)
	dst = textByHand(dst, `,"subnet":`, e.Subnet)
	if e.ResolvedBy != 0 {
		dst = append(append(append(dst, `,"resolved_by":"`...), e.ResolvedBy.String()...), '"')
	}
	return append(dst, '}')
}

func textByHand(dst []byte, key, text string) []byte {
	if text == "" {
		return dst
	}
	return AppendJSONString(append(dst, key...), text)
}

// The other encoders, for comparison with each other.
func BenchmarkEncoders(b *testing.B) {
	records := batch()
	for name, e := range map[string]encoder{
		"CSV":       NewCSV(DefaultFields(Connections)),
		"NetObserv": NetObserv{},
		"Table":     NewTable(ConnectionColumns()),
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 16<<20)
			b.ReportAllocs()
			for b.Loop() {
				dst = dst[:0]
				for i := range records {
					dst = e.Append(dst, &records[i])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchBatch), "ns/record")
		})
	}
}

// BenchmarkColumns reads a field of a whole batch, as a store does, and reports the ratio to reading the member.
func BenchmarkColumns(b *testing.B) {
	records := batch()
	column := make([]uint64, benchBatch)
	measure := func(get func(*Record) uint64) time.Duration {
		start := time.Now()
		for i := range records {
			column[i] = get(&records[i])
		}
		return time.Since(start)
	}
	field, _ := FieldByName("rev.bytes")
	var table, floor time.Duration
	for b.Loop() {
		table += measure(field.Uint)
		start := time.Now()
		for i := range records {
			column[i] = records[i].Rev.Bytes
		}
		floor += time.Since(start)
	}
	b.ReportMetric(float64(table.Nanoseconds())/float64(b.N*benchBatch), "ns/value")
	b.ReportMetric(float64(table)/float64(floor), "x-floor")
}
