package flow

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// encoder is what all formats have in common.
type encoder interface {
	AppendHeader(dst []byte) []byte
	Append(dst []byte, r *Record) []byte
}

func encode(e encoder, records ...Record) string {
	dst := e.AppendHeader(nil)
	for i := range records {
		dst = e.Append(dst, &records[i])
	}
	return string(dst)
}

func TestJSON(t *testing.T) {
	f := func(r Record, want ...string) {
		t.Helper()
		if diff := cmp.Diff(strings.Join(want, "")+"\n", encode(NewJSON(DefaultFields(Connections)), r)); diff != "" {
			t.Errorf("JSON differs (- want, + got):\n%s", diff)
		}
	}
	f(sampleTCP(),
		`{"start":"2026-03-01T12:00:00.000000001Z","end":"2026-03-01T12:00:04.5Z","proto":"TCP","oriented_by":"conntrack",`,
		`"src":{"addr":"10.244.1.7","port":40002,"kind":"Pod","namespace":"shop","name":"front-7d9f",`,
		`"workload":{"kind":"Deployment","name":"front"},"node":"worker-1","zone":"eu-west-1a","app":"shop-frontend","resolved_by":"pod_ip"},`,
		`"dst":{"addr":"10.96.0.20","port":80,"kind":"Service","namespace":"shop","name":"cart","resolved_by":"service_ip"},`,
		`"backend":{"addr":"10.244.2.9","port":8080,"kind":"Pod","namespace":"shop","name":"cart-5c6d8",`,
		`"workload":{"kind":"Deployment","name":"cart"},"node":"worker-2","zone":"eu-west-1b","service":"cart","resolved_by":"pod_ip"},`,
		`"nat":"dnat","nat_source":"kfunc","ct_zone":0,"snat":{"addr":"10.244.1.7","port":40002},"tcp":{"flags":["SYN","PSH","ACK"]},`,
		`"fwd":{"bytes":1200,"packets":7},"rev":{"bytes":1500000,"packets":1001},"total":{"bytes":1501200,"packets":1008},`,
		`"node":"worker-1","iface":"veth1a2b","reporter":"client","primary":true,"sampling":1}`,
	)
	f(samplePing(),
		`{"start":"2026-03-01T12:00:00Z","end":"2026-03-01T12:00:01Z","proto":"ICMP","icmp":{"type":8,"code":0,"id":4711},"oriented_by":"first_packet",`,
		`"src":{"addr":"192.0.2.1"},"dst":{"addr":"192.0.2.2"},"backend":{"addr":"192.0.2.2"},`,
		`"nat":"none","nat_source":"none","ct_zone":0,"snat":{"addr":"192.0.2.1"},`,
		`"fwd":{"bytes":98,"packets":1},"rev":{"bytes":98,"packets":1},"total":{"bytes":196,"packets":2},`,
		`"node":"worker-1","iface":"eth0","reporter":"transit","primary":false,"sampling":10}`,
	)
}

func TestJSONOfChosenFields(t *testing.T) {
	f := func(names, want string, r Record) {
		t.Helper()
		chosen, err := SelectFields(strings.Fields(names))
		if err != nil {
			t.Fatal(err)
		}
		if got := encode(NewJSON(chosen), r); got != want+"\n" {
			t.Errorf("%s: got %s, want %s", names, got, want)
		}
	}
	f("dst.port src.port dst.addr", `{"dst":{"port":80,"addr":"10.96.0.20"},"src":{"port":40002}}`, sampleTCP())
	f("community_id", `{"community_id":"1:Y9yJO9CzvHkVX4r8lV66XuJxyJ0="}`, sampleTCP())
	f("src.name src.workload.name", `{}`, samplePing())
	f("src.name proto src.workload.kind", `{"proto":"ICMP"}`, samplePing())
	f("tcp.flags", `{"tcp":{"flags":[]}}`, Record{Proto: TCP})
	f("src.addr", `{"src":{"addr":""}}`, Record{})
}

// A name is written as the standard library reads it.
func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "plain", `a "quote" and \`, "tab\tline\nbell\a\x7f", "é→", "\xff\xc3", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		line := AppendJSONString(nil, s)
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%q was written as %s: %v", s, line, err)
		}
		if want := string([]rune(s)); got != want { // The conversion replaces each byte that is not UTF-8.
			t.Errorf("%q was read back as %q", s, got)
		}
	})
}

func TestCSV(t *testing.T) {
	text := encode(NewCSV(Fields()), sampleTCP(), sampleSNAT(), samplePing())
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	f := func(row int, name, want string) {
		t.Helper()
		for i, column := range rows[0] {
			if column == name && rows[row][i] != want {
				t.Errorf("row %d: %s is %q, want %q", row, name, rows[row][i], want)
			}
		}
	}
	f(1, "start", "2026-03-01T12:00:00.000000001Z")
	f(1, "proto", "TCP")
	f(1, "tcp.flags", "SYN|PSH|ACK")
	f(1, "src.workload.kind", "Deployment")
	f(1, "primary", "true")
	f(1, "icmp.type", "")
	f(2, "dst.subnet", `office, "north"`)
	f(2, "dst.addr", "2001:db8::1")
	f(2, "snat.port", "61000")
	f(2, "nat", "snat")
	f(3, "src.port", "")
	f(3, "src.kind", "")
	f(3, "icmp.id", "4711")
	if got, want := strings.Join(rows[0], " "), fieldNames(Fields()); got != want {
		t.Errorf("header is %s, want %s", got, want)
	}
}

func TestCSVQuoting(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		r := Record{Node: name}
		node, _ := FieldByName("node")
		if got := encode(NewCSV([]*Field{node, node}), r); got != "node,node\n"+want+","+want+"\n" {
			t.Errorf("%q: got %q", name, got)
		}
	}
	f("", "")
	f("plain name", "plain name")
	f("a,b", `"a,b"`)
	f(`say "hi"`, `"say ""hi"""`)
	f("two\nlines", "\"two\nlines\"")
	f("\r", "\"\r\"")
}

func TestNetObserv(t *testing.T) {
	f := func(r Record, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(encode(NetObserv{}, r), "\n"), "\n")); diff != "" {
			t.Errorf("flow logs differ (- want, + got):\n%s", diff)
		}
	}
	const (
		front = `K8S_Namespace":"shop","%K8S_Name":"front-7d9f","%K8S_Type":"Pod","%K8S_OwnerName":"front","%K8S_OwnerType":"Deployment","%K8S_HostName":"worker-1","%K8S_Zone":"eu-west-1a"`
		cart  = `K8S_Namespace":"shop","%K8S_Name":"cart","%K8S_Type":"Service","%K8S_OwnerName":"cart","%K8S_OwnerType":"Service"`
		pod   = `K8S_Namespace":"shop","%K8S_Name":"cart-5c6d8","%K8S_Type":"Pod","%K8S_OwnerName":"cart","%K8S_OwnerType":"Deployment","%K8S_HostName":"worker-2","%K8S_Zone":"eu-west-1b"`
	)
	owner := func(prefix, fields string) string {
		return `"` + prefix + strings.ReplaceAll(fields, "%", prefix)
	}
	f(sampleTCP(),
		`{"TimeFlowStartMs":1772366400000,"TimeFlowEndMs":1772366404500,"SrcAddr":"10.244.1.7","DstAddr":"10.96.0.20","SrcPort":40002,"DstPort":80,`+
			`"Proto":6,"Etype":2048,"Flags":["SYN","PSH","ACK"],"Bytes":1200,"Packets":7,"Sampling":1,"Interfaces":["veth1a2b"],"FlowDirection":1,`+
			owner("Src", front)+`,`+owner("Dst", cart)+
			`,"ZoneId":0,"XlatSrcAddr":"10.244.1.7","XlatDstAddr":"10.244.2.9","XlatSrcPort":40002,"XlatDstPort":8080,`+
			owner("XlatSrc", front)+`,`+owner("XlatDst", pod)+`}`,
		`{"TimeFlowStartMs":1772366400000,"TimeFlowEndMs":1772366404500,"SrcAddr":"10.96.0.20","DstAddr":"10.244.1.7","SrcPort":80,"DstPort":40002,`+
			`"Proto":6,"Etype":2048,"Flags":["SYN","PSH","ACK"],"Bytes":1500000,"Packets":1001,"Sampling":1,"Interfaces":["veth1a2b"],"FlowDirection":0,`+
			owner("Src", cart)+`,`+owner("Dst", front)+
			`,"ZoneId":0,"XlatSrcAddr":"10.244.2.9","XlatDstAddr":"10.244.1.7","XlatSrcPort":8080,"XlatDstPort":40002,`+
			owner("XlatSrc", pod)+`,`+owner("XlatDst", front)+`}`,
	)
	f(sampleSNAT(), // Nothing came back, and nobody knows who has the address that the client was given.
		`{"TimeFlowStartMs":1772366400000,"TimeFlowEndMs":1772366401000,"SrcAddr":"fd00:10::7","DstAddr":"2001:db8::1","SrcPort":5353,"DstPort":53,`+
			`"Proto":17,"Etype":34525,"Bytes":98,"Packets":1,"Sampling":10,"Interfaces":["eth0"],`+
			`"SrcK8S_Name":"worker-1","SrcK8S_Type":"Node","SrcK8S_OwnerName":"worker-1","SrcK8S_OwnerType":"Node","SrcK8S_HostName":"worker-1",`+
			`"DstSubnetLabel":"office, \"north\"",`+
			`"ZoneId":3,"XlatSrcAddr":"2001:db8:f::1","XlatDstAddr":"2001:db8::1","XlatSrcPort":61000,"XlatDstPort":53,`+
			`"XlatDstSubnetLabel":"office, \"north\""}`,
	)
	f(samplePing(),
		`{"TimeFlowStartMs":1772366400000,"TimeFlowEndMs":1772366401000,"SrcAddr":"192.0.2.1","DstAddr":"192.0.2.2",`+
			`"Proto":1,"Etype":2048,"IcmpType":8,"IcmpCode":0,"Bytes":98,"Packets":1,"Sampling":10,"Interfaces":["eth0"]}`,
		`{"TimeFlowStartMs":1772366400000,"TimeFlowEndMs":1772366401000,"SrcAddr":"192.0.2.2","DstAddr":"192.0.2.1",`+
			`"Proto":1,"Etype":2048,"IcmpType":0,"IcmpCode":0,"Bytes":98,"Packets":1,"Sampling":10,"Interfaces":["eth0"]}`,
	)
	f(Record{}, "")
}

func TestNetObservDirection(t *testing.T) {
	f := func(reporter Reporter, src, dst, backend string, nat NAT, want ...string) {
		t.Helper()
		r := Record{Node: "here", Reporter: reporter, NAT: nat, Fwd: Volume{1, 1}, Rev: Volume{1, 1}}
		r.Src.Node, r.Dst.Node, r.Backend.Node = src, dst, backend
		var got []string
		for line := range strings.Lines(encode(NetObserv{}, r)) {
			var log struct{ FlowDirection json.RawMessage }
			if err := json.Unmarshal([]byte(line), &log); err != nil {
				t.Fatal(err)
			}
			got = append(got, string(log.FlowDirection))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s to %s %s: - want, + got:\n%s", reporter, src, dst, backend, diff)
		}
	}
	f(Client, "here", "", "there", DNAT, "1", "0")
	f(Server, "there", "", "here", DNAT, "0", "1")
	f(Client, "here", "", "here", DNAT, "2", "2")
	f(Client, "here", "here", "", 0, "2", "2")
	f(Client, "here", "here", "", DNAT, "1", "0") // Who answered is not known.
	f(Client, "", "", "", 0, "1", "0")
	f(Transit, "there", "", "elsewhere", 0, "", "")
}

func TestNetObservICMP(t *testing.T) {
	f := func(proto Proto, icmp ICMP, fwd, rev string) {
		t.Helper()
		var got []string
		for line := range strings.Lines(encode(NetObserv{}, Record{Proto: proto, ICMP: icmp, Fwd: Volume{1, 1}, Rev: Volume{1, 1}})) {
			var log struct{ IcmpType, IcmpCode json.RawMessage }
			if err := json.Unmarshal([]byte(line), &log); err != nil {
				t.Fatal(err)
			}
			got = append(got, string(log.IcmpType)+"/"+string(log.IcmpCode))
		}
		if diff := cmp.Diff([]string{fwd, rev}, got); diff != "" {
			t.Errorf("%s %v: - want, + got:\n%s", proto, icmp, diff)
		}
	}
	f(ICMPv4, ICMP{Type: 8}, "8/0", "0/0")
	f(ICMPv4, ICMP{Type: 10, Code: 1}, "10/1", "9/0")
	f(ICMPv6, ICMP{Type: 128}, "128/0", "129/0")
	f(ICMPv4, ICMP{Type: 3, Code: 13}, "3/13", "/")
	f(TCP, ICMP{Type: 8}, "/", "/")
}

func TestTable(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	evil := samplePing()
	evil.Iface = "eth\x1b[2J0"
	evil.Node = "wörker-1.a-long-name.example"
	got := encode(NewTable(ConnectionColumns()), sampleTCP(), sampleSNAT(), evil)
	want := strings.TrimPrefix(`
TIME          PROTO         SENT    RECEIVED      PACKETS  NAT        NODE              IFACE            CONNECTION
12:00:04.500  TCP        1.2 KiB     1.4 MiB       7/1001  dnat       worker-1          veth1a2b         shop/front-7d9f:40002 → shop/cart:80 ⇒ shop/cart-5c6d8:8080
12:00:01.000  UDP           98 B         0 B          1/0  snat       worker-1          eth0             worker-1:5353 → [2001:db8::1]:53
12:00:01.000  ICMP          98 B        98 B          1/1  none       wörker-1.a-long-name.example  eth`+"\uFFFD"+`[2J0         192.0.2.1 → 192.0.2.2
`, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table differs (- want, + got):\n%s", diff)
	}
	chosen, _ := SelectFields(strings.Fields("end src.addr fwd.bytes tcp.flags rev.packets"))
	got = encode(NewTable(FieldColumns(chosen)), sampleTCP(), samplePing())
	want = strings.TrimPrefix(`
END           SRC.ADDR          FWD.BYTES  TCP.FLAGS     REV.PACKETS
12:00:04.500  10.244.1.7          1.2 KiB  SYN|PSH|ACK          1001
12:00:01.000  192.0.2.1              98 B                          1
`, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table of fields differs (- want, + got):\n%s", diff)
	}
}

// A batch is written without garbage.
func TestEncodersDoNotAllocate(t *testing.T) {
	records := []Record{sampleTCP(), sampleSNAT(), samplePing()}
	for i := range records { // Quoting and escaping a name may allocate.
		records[i].Dst.Subnet, records[i].Backend.Subnet = "", ""
	}
	for name, e := range map[string]encoder{
		"JSON":            NewJSON(DefaultFields(Connections)),
		"CSV":             NewCSV(DefaultFields(Connections)),
		"NetObserv":       NetObserv{},
		"connections":     NewTable(ConnectionColumns()),
		"table of fields": NewTable(FieldColumns(DefaultFields(Connections))),
	} {
		dst := make([]byte, 0, 1<<16)
		allocs := testing.AllocsPerRun(10, func() {
			dst = dst[:0]
			for i := range records {
				dst = e.Append(dst, &records[i])
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations for %d records", name, allocs, len(records))
		}
	}
}

func fieldNames(fields []*Field) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}
