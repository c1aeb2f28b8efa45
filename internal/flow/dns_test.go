package flow

import (
	"net/netip"
	"testing"
)

// sampleDNS is a query to a cluster's DNS Service that the client had to repeat.
func sampleDNS() Record {
	r := plain(UDP, netip.MustParseAddrPort("10.244.1.7:40002"), netip.MustParseAddrPort("10.96.0.10:53"))
	r.Fwd, r.Rev, r.Sampling = Volume{}, Volume{}, 1
	r.DNS = &DNS{
		Name: "cart.shop.svc.cluster.local", Type: "A", RCode: "NOERROR", Latency: 1250, Retries: 1,
		Answers: "10.96.0.20,10.96.0.21", Records: 2, TTL: 30,
	}
	return r
}

func TestDNSAsJSON(t *testing.T) {
	fields, err := SelectFields([]string{
		"dns.name", "dns.type", "dns.rcode", "dns.latency", "dns.failures", "dns.timeouts", "dns.retries", "dns.truncated",
		"dns.answers", "dns.records", "dns.ttl",
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(r Record, want string) {
		t.Helper()
		if got := encode(NewJSON(fields), r); got != want+"\n" {
			t.Errorf("got  %swant %s", got, want)
		}
	}
	f(sampleDNS(), `{"dns":{"name":"cart.shop.svc.cluster.local","type":"A","rcode":"NOERROR","latency":1250,"failures":0,"timeouts":0,`+
		`"retries":1,"truncated":false,"answers":"10.96.0.20,10.96.0.21","records":2,"ttl":30}}`)
	late := sampleDNS()
	late.DNS = &DNS{Name: "a.example", Type: "AAAA", RCode: DNSTimeout, Retries: 2}
	f(late, `{"dns":{"name":"a.example","type":"AAAA","rcode":"timeout","failures":1,"timeouts":1,"retries":2,"truncated":false,"records":0}}`)
	absent := sampleDNS()
	absent.DNS = &DNS{RCode: "NXDOMAIN", Truncated: true}
	f(absent, `{"dns":{"rcode":"NXDOMAIN","failures":0,"timeouts":0,"retries":0,"truncated":true,"records":0}}`)
}

// The datasets share what tells of the connection, and nothing else.
func TestDatasets(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		field, _ := FieldByName(name)
		if got := field.Datasets.String(); got != want {
			t.Errorf("%s is in %q, want %q", name, got, want)
		}
	}
	f("end", "flows, dns")
	f("src.addr", "flows, dns")
	f("backend.workload.name", "flows, dns")
	f("primary", "flows, dns")
	f("sampling", "flows, dns")
	f("fwd.bytes", "flows")
	f("tcp.flags", "flows")
	f("dns.rcode", "dns")
	for _, field := range fields {
		if !field.In(Connections) && !field.In(Queries) {
			t.Errorf("%s is in no dataset", field.Name)
		}
	}
}
