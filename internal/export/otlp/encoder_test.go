package otlp

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

// wantAttributes makes a row's attributes anew, by the reference page's words.
func wantAttributes(b *query.Block, row int) map[string]any {
	want := map[string]any{}
	for i := range b.Columns {
		c := &b.Columns[i]
		f, _ := flow.FieldByName(c.Name)
		name := attributeName(f)
		if name == "" || c.Null != nil && c.Null[row] || c.Texts != nil && c.Texts[row] == "" {
			continue
		}
		switch {
		case c.Name == "proto":
			want[name] = strings.ToLower(c.Texts[row])
		case c.Name == "dns.answers":
			want[name] = strings.Split(c.Texts[row], ",")
		case c.Texts != nil:
			want[name] = c.Texts[row]
		case c.Kind == flow.BoolField:
			want[name] = c.Ints[row] == 1
		case c.Kind == flow.FlagsField:
			flags := []string{}
			for bit, flag := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
				if c.Ints[row]&(1<<bit) != 0 {
					flags = append(flags, flag)
				}
			}
			want[name] = flags
		default:
			want[name] = c.Ints[row]
		}
		if c.Name == "src.addr" {
			want["network.type"] = map[bool]string{true: "ipv6", false: "ipv4"}[strings.Contains(c.Texts[row], ":")]
		}
	}
	return want
}

// queries returns random DNS queries.
func queries(n int) []flow.Record {
	records := querytest.RandomRecords(2, n)
	for i := range records {
		records[i].DNS = &flow.DNS{
			Name: fmt.Sprintf("name-%d.example", i), Type: "A", RCode: []string{"NOERROR", "NXDOMAIN", "SERVFAIL", "timeout"}[i%4],
			Latency: uint64(i), Answers: []string{"", "192.0.2.1", "192.0.2.1,2001:db8::1"}[i%3], Truncated: i%2 == 0, TTL: 30,
		}
	}
	return records
}

// TestRecords sends random rows of both datasets by both protocols, and expects every field in its attribute.
func TestRecords(t *testing.T) {
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		for dataset, records := range map[string][]flow.Record{"flows": querytest.RandomRecords(1, 1000), "dns": queries(200)} {
			t.Run(protocol+"/"+dataset, func(t *testing.T) {
				c, config := start(t, protocol)
				plan := exporttest.Plan(t, dataset)
				block := exporttest.Block(t, plan, records)
				begin := time.Now()
				if refused := exporttest.Send(t, open(t, config, plan), block); refused != 0 {
					t.Errorf("%d rows refused", refused)
				}
				got, nodes := c.records()
				if len(got) != block.Rows {
					t.Fatalf("%d records, want %d", len(got), block.Rows)
				}
				at := placesOf(block.Columns)
				for row, r := range got {
					attributes := map[string]any{}
					for name, value := range attributesOf(t, r.Attributes) {
						attributes[name] = plain(value)
					}
					if diff := cmp.Diff(wantAttributes(block, row), attributes); diff != "" {
						t.Fatalf("attributes of row %d (-want +got):\n%s", row, diff)
					}
					if r.TimeUnixNano != uint64(at.of("end").number(block, row)) || nodes[row] != at.of("node").text(block, row) {
						t.Fatalf("row %d: time %d of node %q", row, r.TimeUnixNano, nodes[row])
					}
					if observed := time.Unix(0, int64(r.ObservedTimeUnixNano)); observed.Before(begin) || observed.After(time.Now()) {
						t.Fatalf("observed at %v", observed)
					}
					if r.EventName != map[string]string{"flows": "seine.flow", "dns": "seine.dns"}[dataset] {
						t.Fatalf("event %q", r.EventName)
					}
				}
				checkResource(t, c)
			})
		}
	}
}

// TestEveryField sends a row that has the example of each field.
func TestEveryField(t *testing.T) {
	for _, dataset := range []string{"flows", "dns"} {
		plan := exporttest.Plan(t, dataset)
		block := &query.Block{Columns: plan.Columns(), Rows: 1}
		for i, f := range plan.Fields {
			c := &block.Columns[i]
			if columns.IsText(f) {
				c.Texts = []string{f.Example}
				continue
			}
			value, err := f.ParseUint(f.Example)
			if err != nil {
				t.Fatal(err)
			}
			c.Ints = []int64{int64(value)}
		}
		c, config := start(t, grpcProtocol)
		exporttest.Send(t, open(t, config, plan), block)
		got, _ := c.records()
		attributes := map[string]any{}
		for name, value := range attributesOf(t, got[0].Attributes) {
			attributes[name] = plain(value)
		}
		if diff := cmp.Diff(wantAttributes(block, 0), attributes); diff != "" || len(attributes) != len(plan.Fields)-1 { // end and node are none, network.type is one more.
			t.Errorf("%d attributes of %d fields (-want +got):\n%s", len(attributes), len(plan.Fields), diff)
		}
	}
}

func checkResource(t *testing.T, c *collector) {
	t.Helper()
	for _, request := range c.requests {
		for _, logs := range request.ResourceLogs {
			resource := attributesOf(t, logs.Resource.Attributes)
			if resource["service.name"].GetStringValue() != "seine" || resource["service.version"].GetStringValue() != "v1.2.3" {
				t.Fatalf("resource %v", logs.Resource)
			}
			for _, scope := range logs.ScopeLogs {
				if scope.Scope.Name != "github.com/seine-net/seine" || scope.Scope.Version != "v1.2.3" {
					t.Fatalf("scope %v", scope.Scope)
				}
			}
		}
		if request.encoding != "gzip" {
			t.Errorf("encoding %q", request.encoding)
		}
	}
}

// TestAttributeNames holds names that others rely on, and that no two fields have one.
func TestAttributeNames(t *testing.T) {
	taken := map[string]string{networkType: "-"}
	for _, f := range flow.Fields() {
		name := attributeName(f)
		if name != "" && taken[name] != "" {
			t.Errorf("%s and %s are both %s", taken[name], f.Name, name)
		}
		taken[name] = f.Name
	}
	for field, want := range map[string]string{
		"src.addr": "source.address", "src.port": "source.port", "dst.addr": "destination.address", "dst.port": "destination.port",
		"proto": "network.transport", "iface": "network.interface.name", "dns.name": "dns.question.name", "dns.answers": "dns.answers",
		"src.namespace": "source.k8s.namespace.name", "dst.node": "destination.k8s.node.name", "src.process.pid": "source.process.pid",
		"backend.addr": "seine.backend.address", "backend.namespace": "seine.backend.k8s.namespace.name", "backend.name": "seine.backend.name",
		"snat.addr": "seine.snat.addr", "src.workload.name": "seine.src.workload.name", "fwd.bytes": "seine.fwd.bytes", "start": "seine.start",
		"end": "", "node": "",
	} {
		if f, ok := flow.FieldByName(field); !ok || attributeName(f) != want {
			t.Errorf("%s is %q, want %q", field, attributeName(f), want)
		}
	}
}

// TestReferencePage fails if the page is older than the table.
func TestReferencePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/reference/otlp.md")
	if err != nil {
		t.Fatal(err)
	}
	var made strings.Builder
	if err := WriteDocs(&made); err != nil {
		t.Fatal(err)
	}
	if made.String() != string(page) {
		t.Error("docs/reference/otlp.md is not what go generate makes")
	}
}

// example is a connection that was translated, refused and dropped.
func example() flow.Record {
	r := flow.Record{End: 5, Proto: flow.TCP, NAT: flow.DNAT, Node: "worker-1"}
	r.Src.Addr, r.Src.Port, r.Src.Namespace, r.Src.Name = netip.MustParseAddr("10.0.0.1"), 40000, "shop", "cart-5c6d8"
	r.Dst.Addr, r.Dst.Port, r.Dst.Namespace, r.Dst.Name = netip.MustParseAddr("10.96.0.1"), 80, "shop", "frontend"
	r.Backend.Addr, r.Backend.Port = netip.MustParseAddr("2001:db8::1"), 8080
	r.Fwd, r.Rev = flow.Volume{Bytes: 600, Packets: 3}, flow.Volume{Bytes: 400, Packets: 2}
	return r
}

// TestSentences says rows in words, and tells those that are warnings.
func TestSentences(t *testing.T) {
	f := func(dataset string, change func(*flow.Record), severity logspb.SeverityNumber, want string, fields ...string) {
		t.Helper()
		r := example()
		change(&r)
		plan := exporttest.Plan(t, dataset, fields...)
		c, config := start(t, grpcProtocol)
		exporttest.Send(t, open(t, config, plan), exporttest.Block(t, plan, []flow.Record{r}))
		got, _ := c.records()
		if body := got[0].Body.GetStringValue(); body != want {
			t.Errorf("got  %s\nwant %s", body, want)
		}
		if got[0].SeverityNumber != severity || got[0].SeverityText != map[logspb.SeverityNumber]string{9: "INFO", 13: "WARN"}[severity] {
			t.Errorf("severity %v %s, want %v", got[0].SeverityNumber, got[0].SeverityText, severity)
		}
	}
	const info, warn = logspb.SeverityNumber_SEVERITY_NUMBER_INFO, logspb.SeverityNumber_SEVERITY_NUMBER_WARN
	const begin = "TCP shop/cart-5c6d8:40000 to shop/frontend:80, answered by [2001:db8::1]:8080: 1000 bytes"
	f("flows", func(*flow.Record) {}, info, begin)
	f("flows", func(r *flow.Record) { r.TCP.Connect = flow.ConnectOK }, info, begin)
	f("flows", func(r *flow.Record) { r.TCP.Connect = flow.ConnectRefused }, warn, begin+"; connect refused")
	f("flows", func(r *flow.Record) { r.TCP.Connect = flow.ConnectAborted }, info, begin+"; connect aborted")
	f("flows", func(r *flow.Record) { r.RevFaults.DropPackets, r.Drop.Reason = 2, "NO_SOCKET" }, warn, begin+"; packets dropped: 2 NO_SOCKET")
	f("flows", func(r *flow.Record) {
		r.Backend, r.Dst.Name, r.Dst.DNSName = r.Dst, "", "api.example"
		r.Backend.Name = ""
	}, info, "TCP shop/cart-5c6d8:40000 to api.example:80: 1000 bytes")
	f("flows", func(*flow.Record) {}, info, "connection 10.0.0.1 to somebody", "end", "src.addr")
	query := func(rcode string, latency uint64) func(*flow.Record) {
		return func(r *flow.Record) {
			r.DNS = &flow.DNS{Name: "api.example", Type: "AAAA", RCode: rcode, Latency: latency}
			r.Dst.Port = 53
		}
	}
	f("dns", query("NXDOMAIN", 1250), info, "shop/cart-5c6d8:40000 asked shop/frontend:53 for AAAA api.example: NXDOMAIN in 1250 µs")
	f("dns", query("SERVFAIL", 12), warn, "shop/cart-5c6d8:40000 asked shop/frontend:53 for AAAA api.example: SERVFAIL in 12 µs")
	f("dns", query("timeout", 0), warn, "shop/cart-5c6d8:40000 asked shop/frontend:53 for AAAA api.example: timeout")
}

// TestFields sends what the exporter chooses and no more.
func TestFields(t *testing.T) {
	c, config := start(t, httpProtocol)
	plan := exporttest.Plan(t, "flows", "dst.port", "total.bytes")
	exporttest.Send(t, open(t, config, plan), exporttest.Block(t, plan, []flow.Record{example()}))
	got, nodes := c.records()
	if len(got) != 1 || nodes[0] != "" || got[0].TimeUnixNano != 0 {
		t.Fatalf("got %v of %q", got, nodes)
	}
	attributes := map[string]any{}
	for name, value := range attributesOf(t, got[0].Attributes) {
		attributes[name] = plain(value)
	}
	if diff := cmp.Diff(map[string]any{"destination.port": int64(80), "seine.total.bytes": int64(1000)}, attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}
