package main

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/health"
)

// refusedRecords are the shop's connections, and more of frontend to cart, which cart refuses.
func refusedRecords() []flow.Record {
	records := shopRecords()
	for i := range 30 {
		r := records[i%2]
		r.Src.Port = uint16(41000 + i)
		r.TCP = flow.TCPHealth{Connect: flow.ConnectRefused}
		if i%3 > 0 {
			r.TCP = flow.TCPHealth{Connect: flow.ConnectOK, RTT: 1200, Handshake: 900}
		}
		r.Dst.Service = "cart"
		records = append(records, r)
	}
	return records
}

// TestHealth runs seine health as its users do.
func TestHealth(t *testing.T) {
	s := serve(t)
	s.feed(refusedRecords())
	const sentence = "shop/frontend → cart: 33 % of connects are refused"
	f := func(args string, code int, want ...string) outcome {
		t.Helper()
		got := s.ask(strings.Fields(args)...)
		if got.code != code {
			t.Errorf("%s: exit code %d, want %d; errors %q", args, got.code, code, got.errs)
		}
		for _, part := range want {
			if unwanted, ok := strings.CutPrefix(part, "!"); ok == strings.Contains(got.out+got.errs, unwanted) {
				t.Errorf("%s: got %q, want %q in it", args, got.out+got.errs, part)
			}
		}
		if strings.Contains(got.out, "\x1b") {
			t.Errorf("%s: colours where there is no terminal: %q", args, got.out)
		}
		return got
	}
	f("health", 0, "critical  "+sentence, "CLIENT", "RTT P50", "shop/frontend", "33.3 %", "1.2 ms", "too few records from before")
	f("health --edges 1", 0, "1 of ", "edges; --edges N lists more")
	f("health --edges 0", 0, sentence, "!CLIENT")
	f("health -o wide", 0, `connect-refused: 10 of 30; flows: `, `tcp.connect == "refused"`)
	f("health --fail-on critical", 5, sentence, "!seine: unwell")
	f("health --fail-on info", 5)
	f("health --watch --fail-on warning", 5, sentence)
	f("health --namespace kube-system --fail-on info", 0, "healthy: ", "!"+sentence)
	f("health --until 2h --fail-on info", 0, "healthy: 0 edges")
	f("health --fail-on grave", 2, `"grave"`, "critical, warning, info")
	f("health --last never", 2, "parameter last", "15m")
	f("health --edges -1", 2, "0 to 1000")
	f("health -o xml", 2, `"xml"`)
	f("health src.nam==1", 2, "src.name")
	got := f("health -o json", 0)
	var finding health.Finding
	if err := json.Unmarshal([]byte(got.out), &finding); err != nil || finding.Rule != "connect-refused" || finding.Subject.Src.Name != "frontend" {
		t.Errorf("JSON %q: %v", got.out, err)
	}
	f("query --filter "+strings.ReplaceAll(finding.Filter, " ", "")+" --measure count() -o csv", 0, "10\n")
	lines, err := csv.NewReader(strings.NewReader(f("health -o csv", 0).out)).ReadAll()
	if err != nil || len(lines) != 2 || lines[1][0] != "critical" || lines[1][3] != "shop/frontend" {
		t.Errorf("CSV %q: %v", lines, err)
	}
}
