package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAsking runs the commands that ask a server as their users do, over records that are known.
func TestAsking(t *testing.T) {
	s := serve(t)
	s.feed(shopRecords())
	f := func(args []string, want ...string) {
		t.Helper()
		got := s.ask(args...)
		if got.code != 0 {
			t.Errorf("%q: exit code %d, errors %q", args, got.code, got.errs)
		}
		for _, part := range want {
			if unwanted, ok := strings.CutPrefix(part, "!"); ok == strings.Contains(got.out+got.errs, unwanted) {
				t.Errorf("%q: got %q, want %q in it", args, got.out+got.errs, part)
			}
		}
		for _, r := range got.out + got.errs {
			if r < ' ' && r != '\n' && r != '\t' && args[len(args)-1] != "csv" {
				t.Errorf("%q: writes control characters: %q", args, got.out)
				break
			}
		}
	}
	w := strings.Fields
	const (
		cart   = "shop/frontend-1:40000 → shop/cart:80 ⇒ shop/cart-1:8080"
		lookup = "shop/frontend-1:40000 → kube-system/dns-1:53"
	)
	f(w("flows"), "TIME", "CONNECTION", cart, lookup, "19.5 KiB", "evil")
	f(w("flows --namespace kube-system"), lookup, "!"+cart)
	f(w("flows -n kube-system -n shop"), lookup, cart)
	f(w("flows --not --namespace kube-system"), "!"+lookup, cart)
	f(w("flows --pod shop/front --port 53"), lookup, "!"+cart)
	f(w("flows --to-service shop/cart"), "!"+lookup, cart)
	f(w("flows --service other/cart"), "nothing was found")
	f(w("flows --from-workload frontend --protocol udp"), lookup, "!"+cart)
	f(w("flows --from 198.51.100.0/24"), "evil", "!"+lookup)
	f(w("flows --to cart-1 --proto TCP"), cart, "!"+lookup)
	f(w("flows --from-ip 10.0.0.1 --to-port 80"), cart, "!"+lookup)
	f(w("flows --last 1"), "evil", "!"+cart)
	f(w("flows --since 2020-01-01T00:00:00Z --until 2020-01-02T00:00:00Z"), "nothing was found")
	f([]string{"flows", `fwd.bytes > 400 && dst.kind == "Service"`}, cart, "!"+lookup)
	f(w("flows --fields end,src.name,total.bytes -o wide"), "SRC.NAME", "TOTAL.BYTES", "21000")
	f(w("flows --since 2020-01-01 --until now"), cart)
	f([]string{"flows", "--since", "2020-01-01 16:00", "--until", "2020-01-02"}, "nothing was found")
	f(w("flows -o wide"), "SNAT.ADDR", "IFACE", cart)
	f(w("top src.name"), "SRC.NAME", "BYTES", "RECORDS", "frontend-1", "31.0 KiB", "!discovery")
	f([]string{"top", "dst.port", "--measure", "count_distinct(src.addr)", "--limit", "1", "--other"}, "80", "(other)")
	f(w("top src.name --compare 1h"), "RECORDS BEFORE", "RECORDS CHANGE", "+3 (new)", "recorded in the period 1h earlier")
	f(w("flows --limit 1"), "evil", "!"+cart)
	f(w("flows --service other/cart --since 10m"), "with --since 10m", "--since 1d")
	f(w("dns"), "nothing was found in the last hour")
	f(w("status"), "VERSION", "node-1", "records stored")
	f(w("cost --by edge"), "SHARE SAVEABLE", "CROSS ZONE", "!SRC.KIND", "!SAVEABLE_SHARE")
	f(w("cost --by edge -o csv"), "saveable_share", "!src.kind")
	f(w("map"), "shop/frontend", "shop/cart", "kube-system/dns")
	f(w("map --limit 1"), "shop/frontend", "cut by limit", "!kube-system/dns")
	f([]string{"query", "--measure", "count()", "--group-by", "proto,first(src.workload.name, src.name)", "-o", "csv"},
		`"first(src.workload.name, src.name)"`, "frontend")
	f([]string{"query", "--measure", "count()", "--group-by", "first(src.workload.name,src.name)", "-o", "json"},
		`"first(src.workload.name,src.name)":"frontend`)
	f(w("map --by namespace -o dot"), "digraph", `"shop" -> "kube-system"`)
	f(w("map --by pod -o mermaid"), "flowchart LR", `["shop/cart-1"]`)
	f([]string{"query", "--measure", "count()", "--group-by", "proto", "--order", "-count()"}, "TCP", "UDP", "3")
	f([]string{"query", "--measure", "p99(total.bytes)", "--step", "1h"}, "TIME", "P99(TOTAL.BYTES)")
	f(w("query"), "SRC.NAME", "FWD.BYTES", "!CT_ZONE")
	f(w("query -o wide"), "CT_ZONE")
}

// TestAskedOutputs reads what programs are to read.
func TestAskedOutputs(t *testing.T) {
	s := serve(t)
	s.feed(shopRecords())
	rows := records(t, s.ask("flows", "-o", "json").out)
	if len(rows) != 4 || rows[0].Src.Name != "frontend-1" || rows[0].Backend.Port != 8080 || rows[3].Src.Name != escape {
		t.Errorf("got %+v", rows)
	}
	lines, err := csv.NewReader(strings.NewReader(s.ask("flows", "-o", "csv", "--fields", "src.name,dst.port").out)).ReadAll()
	if err != nil || len(lines) != 5 || lines[0][1] != "dst.port" || lines[1][1] != "80" || lines[4][0] != escape {
		t.Errorf("got %q: %v", lines, err)
	}
	var edge struct {
		From, To string
		Bytes    int
	}
	out := s.ask("map", "-o", "json").out
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&edge); err != nil || edge.From != "shop/frontend" || edge.Bytes != 31500 {
		t.Errorf("got %s: %v", out, err)
	}
	var top struct {
		Src struct{ Name string }
		Sum int `json:"sum(total.bytes)"`
	}
	out = s.ask("top", "src.name", "-o", "json").out
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&top); err != nil || top.Src.Name != "frontend-1" || top.Sum != 31700 {
		t.Errorf("got %s: %v", out, err)
	}
}

// TestExitCodes holds the commands to what their help says.
func TestExitCodes(t *testing.T) {
	s := serve(t)
	f := func(want int, words string, args ...string) {
		t.Helper()
		got := s.ask(args...)
		if got.code != want || got.out != "" || !strings.Contains(got.errs, words) || strings.Count(got.errs, "\n") != 1 {
			t.Errorf("%q: exit code %d, output %q, errors %q; want %d and a line with %q", args, got.code, got.out, got.errs, want, words)
		}
	}
	f(0, "nothing was found", "flows")
	f(exitUsage, `did you mean "dst.port"`, "flows", "dst.prt == 1")
	f(exitUsage, "line 1, column", "flows", "dst.port ==")
	f(exitUsage, "want a port", "flows", "--port", "http")
	f(exitUsage, "quotation marks", "flows", "dst.port", "==", "1")
	f(exitUsage, "unknown flag", "flows", "--prot", "1")
	f(exitUsage, "--last", "flows", "--last", "0")
	f(exitUsage, "--since", "flows", "--since", "yesterday")
	f(exitUsage, "--since \"-5m\"", "flows", "--since", "-5m")
	f(exitUsage, "--since 1h --until 2h", "flows", "--since", "1h", "--until", "2h")
	f(exitUsage, "--until \"soon\"", "flows", "--until", "soon")
	f(exitUsage, "whole number from 1 to 100000", "flows", "--last", "many")
	f(exitUsage, "output", "flows", "-o", "xml")
	f(exitUsage, "--not", "flows", "--not")
	f(exitUsage, "src.name", "top")
	f(exitUsage, "src.namespace", "top", "src.namespac")
	f(exitUsage, "want one of", "map", "--by", "colour")
	f(exitUsage, "standard input", "query", "{}")
	f(exitUsage, "--limit", "query", "-", "--limit", "3")
	f(exitUsage, "no measure", "query", "--measure", "median(end)")
	got := seine(t, "flows", "--api", "http://127.0.0.1:1")
	if got.code != exitUnreachable || !strings.Contains(got.errs, "no server answers") {
		t.Errorf("no server: exit code %d, errors %q", got.code, got.errs)
	}
	if got := seine(t, "flows", "--api", "127.0.0.1:1"); got.code != exitUsage || !strings.Contains(got.errs, "URL") {
		t.Errorf("no URL: exit code %d, errors %q", got.code, got.errs)
	}
	help := s.ask("flows", "--help").out
	for _, want := range []string{"Exit codes: 0", "--from-pod", "--protocol", "--follow", "CEL"} {
		if !strings.Contains(help, want) {
			t.Errorf("help lacks %q", want)
		}
	}
}

// TestQueryFromInput asks with the JSON of the API on standard input.
func TestQueryFromInput(t *testing.T) {
	s := serve(t)
	s.feed(shopRecords())
	f := func(body string, code int, want string) {
		t.Helper()
		cmd := exec.Command(program, "query", "-", "-o", "csv", "--api", s.api)
		cmd.Stdin = strings.NewReader(body)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != code || !strings.Contains(string(out), want) {
			t.Errorf("%s: exit code %d, output %q; want %d, %q", body, cmd.ProcessState.ExitCode(), out, code, want)
		}
	}
	f(`{"last":"10m","group_by":["proto"],"measures":["count()"]}`, 0, "proto,count()\nTCP,3\nUDP,1\n")
	f(`{"last":"10m","groupby":["proto"]}`, exitUsage, "groupby")
	f(`nothing`, exitUsage, "request")
}

// TestFollow expects what was recorded before, once, and then what comes.
func TestFollow(t *testing.T) {
	s := serve(t)
	all := shopRecords()
	s.feed(all[:2])
	p := start(t, "flows", "-f", "--last", "10", "-o", "json", "--fields", "end,dst.port,fwd.bytes", "--api", s.api)
	count := func(part string) int {
		out, _ := p.output()
		return strings.Count(out, part)
	}
	p.await("the history", func() bool { return count("\n") == 2 })
	s.feed(all[2:])
	p.await("what is new", func() bool { return count("\n") == 4 })
	got := p.end(os.Interrupt)
	if got.code != 0 || got.errs != "" || count(`"fwd":{"bytes":1000}`) != 1 {
		t.Errorf("exit code %d, output %q, errors %q", got.code, got.out, got.errs)
	}
}

// TestFollowEndsWithServer expects a follower to say that the server is gone.
func TestFollowEndsWithServer(t *testing.T) {
	s := serve(t)
	p := start(t, "flows", "-f", "--api", s.api)
	p.await("the stream", func() bool {
		_, body := get(t, s.api+"/api/v1/status")
		return strings.Contains(body, `"subscribers":1`)
	})
	if got := s.end(os.Interrupt); got.code != 0 {
		t.Errorf("server: exit code %d, errors %q", got.code, got.errs)
	}
	if got := p.wait(); got.code != exitUnreachable || !strings.Contains(got.errs, "no server answers") {
		t.Errorf("exit code %d, errors %q", got.code, got.errs)
	}
}

func TestCompletion(t *testing.T) {
	s := serve(t)
	s.feed(shopRecords())
	f := func(want []string, args ...string) {
		t.Helper()
		t.Setenv("SEINE_API", s.api)
		got := seine(t, append([]string{"__complete"}, args...)...)
		var values []string
		lines := bufio.NewScanner(strings.NewReader(got.out))
		for lines.Scan() {
			if value, _, _ := strings.Cut(lines.Text(), "\t"); !strings.HasPrefix(value, ":") {
				values = append(values, value)
			}
		}
		if strings.Join(values, " ") != strings.Join(want, " ") {
			t.Errorf("%q: got %q, want %q", args, values, want)
		}
	}
	f([]string{"shop"}, "flows", "--namespace", "sh")
	f([]string{"dns-1"}, "flows", "--to-pod", "dns")
	f([]string{"UDP"}, "flows", "--protocol", "U")
	f([]string{"TCP,UDP"}, "flows", "--protocol", "TCP,U")
	f([]string{`proto == "UDP"`}, "flows", `proto == "U`)
	f([]string{`primary && proto in ["a,]b", "UDP"`}, "flows", `primary && proto in ["a,]b", "U`)
	f([]string{"primary && src.workload.kind", "primary && src.workload.name"}, "map", "primary && src.work")
	f([]string{`proto in ["UDP"`}, "top", "src.name", "--filter", `proto in ["U`)
	f(nil, "flows", `total.bytes > "`)
	f(nil, "flows", "--from-pod", "\x1b")
	f([]string{"src.workload.kind", "src.workload.name"}, "top", "src.work")
	f([]string{"end,src.addr", "end,src.app"}, "flows", "--fields", "end,src.a")
	f([]string{"sum(rev.bytes)"}, "top", "--measure", "sum(rev.by")
	f([]string{"table", "json", "csv", "dot", "mermaid"}, "map", "-o", "")
	if got := seine(t, "completion", "bash"); got.code != 0 || !strings.Contains(got.out, "__start_seine") {
		t.Errorf("completion bash: exit code %d, errors %q", got.code, got.errs)
	}
}

func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	seine(t, "man", dir).check(t)
	for page, want := range map[string]string{"seine.1": "SEE ALSO", "seine-flows.1": "Exit codes", "seine-run.1": "data-dir"} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || !strings.Contains(string(text), strings.ReplaceAll(want, "-", `\-`)) && !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q: %v", page, want, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "seine-demo-pod.1")); err == nil {
		t.Error("there is a page of a hidden command")
	}
}
