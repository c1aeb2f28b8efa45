package kafka

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

// TestJSON sends random records and expects each message to be what its block holds, field by field.
func TestJSON(t *testing.T) {
	cluster := newCluster(t)
	plan := exporttest.Plan(t, "flows")
	block := exporttest.Block(t, plan, querytest.RandomRecords(1, 3000))
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows"}, plan)
	if refused := exporttest.Send(t, target, block); refused != 0 {
		t.Errorf("%d rows refused", refused)
	}
	want := make([]string, block.Rows)
	kinds := map[flow.FieldKind]bool{}
	for row := range want {
		want[row] = wantObject(t, block, row, kinds)
	}
	for _, kind := range flow.FieldKinds() {
		if !kinds[kind] && kind != flow.TextField { // Of which flows have one, on request.
			t.Errorf("no field of kind %s had a value", kind)
		}
	}
	var got []string
	for _, r := range consume(t, cluster.ListenAddrs(), block.Rows) {
		got = append(got, normal(t, r.Value))
		checkHeaders(t, r, "flows")
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func checkHeaders(t *testing.T, r *kgo.Record, dataset string) {
	t.Helper()
	want := []kgo.RecordHeader{
		{Key: "content-type", Value: []byte("application/json")}, {Key: "seine.dataset", Value: []byte(dataset)},
	}
	if diff := cmp.Diff(want, r.Headers); diff != "" {
		t.Fatalf("headers (-want +got):\n%s", diff)
	}
}

// wantObject makes a row's object anew from its columns, by the names of fields and the types that their kinds have in JSON.
func wantObject(t *testing.T, b *query.Block, row int, kinds map[flow.FieldKind]bool) string {
	t.Helper()
	object := map[string]any{}
	for i := range b.Columns {
		c := &b.Columns[i]
		if c.Null != nil && c.Null[row] || c.Texts != nil && c.Texts[row] == "" {
			continue
		}
		at, path := object, strings.Split(c.Name, ".")
		for _, name := range path[:len(path)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
		}
		at[path[len(path)-1]] = wantValue(c, row)
		kinds[c.Kind] = true
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func wantValue(c *query.Column, row int) any {
	if c.Texts != nil {
		return c.Texts[row]
	}
	switch n := c.Ints[row]; c.Kind {
	case flow.TimeField:
		return flow.Time(n).String()
	case flow.BoolField:
		return n == 1
	case flow.FlagsField:
		names := []string{}
		for bit, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
			if n&(1<<bit) != 0 {
				names = append(names, name)
			}
		}
		return names
	default:
		return json.Number(fmt.Sprint(n))
	}
}

// normal sorts an object's members; numbers keep their digits.
func normal(t *testing.T, object []byte) string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	decoder.UseNumber()
	var decoded map[string]any
	if err := decoder.Decode(&decoded); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	encoded, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// TestDNS sends queries.
func TestDNS(t *testing.T) {
	cluster := newCluster(t)
	records := querytest.RandomRecords(2, 3)
	for i := range records {
		records[i].DNS = &flow.DNS{Name: fmt.Sprintf("name-%d.example", i), Type: "A", RCode: "NOERROR", Latency: 12, Answers: "192.0.2.1"}
	}
	plan := exporttest.Plan(t, "dns")
	block := exporttest.Block(t, plan, records)
	exporttest.Send(t, open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows"}, plan), block)
	var got, want []string
	for row, r := range consume(t, cluster.ListenAddrs(), 3) {
		checkHeaders(t, r, "dns")
		got = append(got, normal(t, r.Value))
		want = append(want, wantObject(t, block, row, map[flow.FieldKind]bool{}))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestNetObserv expects the flow logs of a record in their order, a message each, in the partition of their connection.
func TestNetObserv(t *testing.T) {
	cluster := newCluster(t)
	plan := exporttest.Plan(t, "flows")
	r := flow.Record{Start: 1, End: 2, Proto: flow.TCP, Reporter: flow.Client, Sampling: 1}
	r.Src.Addr, r.Src.Port = netip.MustParseAddr("10.0.0.1"), 40000
	r.Dst.Addr, r.Dst.Port = netip.MustParseAddr("10.0.0.2"), 80
	r.Backend, r.SNAT = r.Dst, r.Src.AddrPort()
	r.Fwd, r.Rev = flow.Volume{Bytes: 100, Packets: 2}, flow.Volume{Bytes: 300, Packets: 3}
	oneWay, silent := r, r
	oneWay.Rev = flow.Volume{}
	silent.Fwd, silent.Rev = flow.Volume{}, flow.Volume{} // Its packets were dropped before they were seen.
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows", Format: "netobserv"}, plan)
	if refused := exporttest.Send(t, target, exporttest.Block(t, plan, []flow.Record{r, oneWay, silent})); refused != 0 {
		t.Errorf("%d rows refused", refused)
	}
	got := values(consume(t, cluster.ListenAddrs(), 3))
	want := lines(flow.NetObserv{}.Append(flow.NetObserv{}.Append(nil, &r), &oneWay))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestKeys expects all reports of a connection, whichever way they look at it, in one partition and in order.
func TestKeys(t *testing.T) {
	cluster := newCluster(t)
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows"}, plan)
	client, server := flow.Record{Proto: flow.TCP, NAT: flow.DNAT | flow.SNAT}, flow.Record{Proto: flow.TCP}
	client.Src.Addr, client.Src.Port = netip.MustParseAddr("10.0.0.9"), 40000
	client.Dst.Addr, client.Dst.Port = netip.MustParseAddr("10.96.0.1"), 80
	client.Backend.Addr, client.Backend.Port = netip.MustParseAddr("10.0.1.2"), 8080
	client.SNAT = netip.MustParseAddrPort("192.168.0.1:50000")
	server.Src.Addr, server.Src.Port = client.SNAT.Addr(), client.SNAT.Port()
	server.Dst, server.Backend, server.SNAT = client.Backend, client.Backend, client.SNAT
	// The same from a node that took the other end for the client.
	turned := server
	turned.Src, turned.Dst = server.Dst, server.Src
	turned.Backend, turned.SNAT = turned.Dst, turned.Src.AddrPort()
	var records []flow.Record
	for i := range 30 {
		for _, r := range []flow.Record{client, server, turned} {
			r.Fwd.Packets = uint64(i)
			records = append(records, r)
		}
	}
	exporttest.Send(t, target, exporttest.Block(t, plan, records))
	last := -1.0
	for _, r := range consume(t, cluster.ListenAddrs(), len(records)) {
		if string(r.Key) != "TCP 10.0.1.2:8080 192.168.0.1:50000" {
			t.Fatalf("key %q", r.Key)
		}
		var object struct{ Fwd struct{ Packets float64 } }
		if err := json.Unmarshal(r.Value, &object); err != nil {
			t.Fatal(err)
		}
		if object.Fwd.Packets < last {
			t.Fatalf("%v packets after %v: out of order", object.Fwd.Packets, last)
		}
		last = object.Fwd.Packets
	}
}

// TestKeyTexts makes keys of what has no ports, of IPv6, and of rows that lack what a key is made of.
func TestKeyTexts(t *testing.T) {
	f := func(proto flow.Proto, a, b, want string, fields ...string) {
		t.Helper()
		r := flow.Record{Proto: proto, SNAT: netip.MustParseAddrPort(a)}
		end := netip.MustParseAddrPort(b)
		r.Backend.Addr, r.Backend.Port = end.Addr(), end.Port()
		plan := exporttest.Plan(t, "flows", fields...)
		got := newKey(plan.Columns()).append(nil, exporttest.Block(t, plan, []flow.Record{r}), 0)
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(flow.UDP, "10.0.0.2:1", "10.0.0.1:2", "UDP 10.0.0.1:2 10.0.0.2:1")
	f(flow.TCP, "[2001:db8::2]:1", "[2001:db8::1]:2", "TCP [2001:db8::1]:2 [2001:db8::2]:1")
	f(flow.ICMPv4, "10.0.0.2:0", "10.0.0.1:0", "ICMP 10.0.0.1 10.0.0.2")
	f(flow.ICMPv6, "[2001:db8::2]:0", "[2001:db8::1]:0", "ICMPv6 2001:db8::1 2001:db8::2")
	f(flow.UDP, "10.0.0.2:1", "10.0.0.1:2", "UDP 10.0.0.1:2 10.0.0.2:1", "end", "proto", "snat.addr", "snat.port", "backend.addr", "backend.port")
	f(flow.UDP, "10.0.0.2:1", "10.0.0.1:2", "", "end", "proto", "snat.addr", "snat.port", "backend.addr")
}
