package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// TestBadInput expects one sentence that names what was wrong and what would be right, and exit code 1.
func TestBadInput(t *testing.T) {
	f := func(args string, want ...string) {
		t.Helper()
		got := seine(t, strings.Split(args, "|")...)
		if got.code != 1 || got.out != "" || !strings.HasPrefix(got.errs, "seine: ") {
			t.Errorf("%s: exit code %d, output %q, errors %q", args, got.code, got.out, got.errs)
		}
		if strings.Count(got.errs, "\n") != 1 {
			t.Errorf("%s: got %q, want one line", args, got.errs)
		}
		for _, part := range want {
			if !strings.Contains(got.errs, part) {
				t.Errorf("%s: got %q, want it to contain %q", args, got.errs, part)
			}
		}
	}
	f("agent|--interface|nosuch0", `interface "nosuch0"`, "there are lo")
	f("agent|--interface|lo|--interface|nosuch0", `interface "nosuch0"`, "there are lo")
	f("agent|--interface|/[/", `interface "/[/"`, "regexp", "missing closing ]")
	f("agent|--exclude|/(/", `excluded interface "/(/"`, "regexp", "missing closing )")
	f("agent|--interface|", `interface ""`, "a name of at most 15 characters or a /regular expression/")
	f("agent|--interface|a-name-that-is-too-long", `"a-name-that-is-too-long"`, "at most 15 characters")
	f("agent|--nat-source|magic", `NAT source "magic"`, "auto, kfunc, fentry, kprobe, ctnetlink, none")
	f("agent|--output|yaml", `output "yaml"`, "json, netobserv, table, csv")
	f("agent|-o|", `output ""`, "json, netobserv, table, csv")
	f("agent|--export|kafka", `--export "kafka"`, "stdout")
	f("agent|--server|foo", "--server foo", "HOST:PORT")
	f("agent|--server|127.0.0.1:1|--server-plain|--server-token-file|/nowhere", "--server-token-file", "/nowhere")
	f("agent|--filter-default|drop", `--filter-default "drop"`, "accept or reject")
	f("agent|--attach|xdp", `attach mode "xdp"`, "auto, tcx, clsact")
	f("agent|--position|middle", `position "middle"`, "head, tail")
	f("agent|--log-level|loud", `log level "loud"`, "debug, info, warn or error")
	f("agent|--interface|//", `interface "//"`, "empty", "/^eth/")
	f("agent|--exclude|//", `excluded interface "//"`, "empty", "/^eth/")
	f("agent|--sampling|0", "--sampling 0", "from 1 to 4294967295")
	f("agent|--sampling|4294967296", `--sampling "4294967296"`, "from 1 to 4294967295")
	f("agent|--sampling|-1", `--sampling "-1"`, "whole number from 1 to 4294967295")
	f("agent|--sampling|half", `--sampling "half"`, "whole number")
	f("agent|--max-flows|0", "--max-flows 0", "1 to 16777216")
	f("agent|--max-flows|4294967295", "--max-flows 4294967295", "1 to 16777216")
	f("agent|--max-flows|many", `--max-flows "many"`, "1 to 16777216")
	f("agent|--interval|1ms", "interval 1ms", "at least 100ms")
	f("agent|--interval|0", "interval 0s", "at least 100ms")
	f("agent|--interval|-5s", "interval -5s", "at least 100ms")
	f("agent|--interval|5", `--interval "5"`, "such as 500ms")
	f("agent|--duration|-1s", "--duration -1s", "0 to go on until stopped")
	f("agent|--duration|soon", `--duration "soon"`, "such as 500ms")
	f("agent|--filter|drop", `filter rule 1 "drop"`, `"drop"`, "accept or reject")
	f("agent|--filter|", `filter rule 1 ""`, "accept or reject")
	f("agent|--filter|accept|--filter|reject host a", `filter rule 2 "reject host a"`, `"host"`, "proto, src, dst, net")
	f("agent|--filter|accept port 99999", `"99999"`, "0 to 65535")
	f("agent|--filter|accept src 10.0.0.0/40", `src "10.0.0.0/40"`, "CIDR")
	f("agent|--filter|accept proto tcpp", `proto "tcpp"`, "tcp, udp, sctp")
	f("agent|--filter|reject proto tcp icmp-type 8", `filter rule 1 "reject proto tcp icmp-type 8"`, "proto icmp or icmpv6")
	f("agent|--filter|accept proto", "proto", "want a value")
	f("agent|--filter|accept flags syn,xyz", `"xyz"`, "fin, syn, rst")
	f("agent|--netns|/no/such", `--netns "/no/such"`, "no such file", "/run/netns/NAME")
	f("agent|--netns|/etc/passwd", `--netns "/etc/passwd"`, "/run/netns/NAME")
	f("agent|--netns|/proc/self/ns/mnt", `--netns "/proc/self/ns/mnt"`, "/run/netns/NAME")
	f("agent|--frobnicate", "--frobnicate", "seine agent --help")
	f("agent|-x", "'x' in -x", "seine agent --help")
	f("agent|--interval", "--interval", "needs an argument", "seine agent --help")
	f("agent|extra", `"extra"`, "seine agent --help")
	f("agnet", `unknown command "agnet"`, "did you mean agent?", "seine --help")
	f("bogus", `unknown command "bogus"`, "seine --help")
	f("status|\x1b[31m", `"\x1b[31m"`, "seine status --help")
	f("--frobnicate", "--frobnicate", "seine --help")
	f("run|-o|live", "output live", "terminal", "-o table or -o json")
	f("run|-o|yaml", `output "yaml"`, "live, json, netobserv, table, csv")
	f("run|--interface|nosuch0", `interface "nosuch0"`, "there are lo")
	f("demo|-o|live", "output live", "terminal", "-o table or -o json")
	f("demo|--fault|fire", `--fault "fire"`, "payments-slow", "packet-loss")
	f("demo|--interval|1ms", "interval 1ms", "at least 100ms")
	f("demo|--nat-source|magic", `NAT source "magic"`, "auto, kfunc, fentry, kprobe, ctnetlink, none")
	f("demo|--attach|xdp", `attach mode "xdp"`, "auto, tcx, clsact")
	f("demo|--filter|drop", `filter rule 1 "drop"`, "accept or reject")
	f("demo|--interface|/[/", `interface "/[/"`, "regexp")
	f("status|-o|yaml", `output "yaml"`, "table or json")
}

func TestUnwritableOutput(t *testing.T) {
	got := runAs(t, nil, "/bin/sh", "-c", program+" agent -o csv --interval 100ms >/dev/full")
	if got.code != 1 || !strings.Contains(got.errs, "no space left on device") {
		t.Errorf("exit code %d, errors %q", got.code, got.errs)
	}
}

// TestClosedOutput expects an agent that can only lose records to say so, and one that is told to throw them away, or
// that a daemon's parent started, to run without a word.
func TestClosedOutput(t *testing.T) {
	f := func(redirection string, want outcome) {
		t.Helper()
		got := runAs(t, nil, "/bin/sh", "-c", program+" agent --duration 200ms --interval 100ms "+redirection)
		errs := withoutWatching(got.errs)
		if got.code != want.code || got.out != "" || !strings.Contains(errs, want.errs) || want.errs == "" && errs != "" {
			t.Errorf("%s: got %+v, want %+v", redirection, got, want)
		}
	}
	closed := outcome{errs: "standard output is closed, so that every record is lost"}
	f(">&-", closed)
	f("<&- >&-", closed)
	f("1</dev/null", outcome{code: 1, errs: "seine: --export stdout: standard output is not open for writing"})
	f(">/dev/null", outcome{})
	f("<>/dev/null >&0 2>&0", outcome{})
}

// TestWatching expects one line that says what is watched and how, and a warning where that is nothing.
func TestWatching(t *testing.T) {
	ns := testkit.NewNS(t, "node")
	far := testkit.NewNS(t, "far")
	for i := range 20 {
		testkit.Veth(ns, fmt.Sprintf("port%02d", i), far, fmt.Sprintf("port%02d", i))
	}
	f := func(args string, want ...string) {
		t.Helper()
		for _, command := range []string{"agent", "run"} {
			line := command + " --node seen --duration 200ms --interval 100ms --netns " + ns.Path + " " + args
			got := seine(t, strings.Fields(line)...)
			lines := strings.Split(strings.TrimSuffix(withoutServing(got.errs), "\n"), "\n")
			if got.code != 0 || len(lines) != len(want) {
				t.Errorf("%s: exit code %d, errors %q, want %q", line, got.code, got.errs, want)
				continue
			}
			for i := range want {
				if !strings.HasSuffix(lines[i], want[i]) {
					t.Errorf("%s: got %q, want it to end with %q", line, lines[i], want[i])
				}
			}
		}
	}
	f("--interface lo --interface /port0[12]/ --attach clsact --nat-source ctnetlink --sampling 7",
		"level=INFO msg=watching node=seen interfaces=3 names=lo,port01,port02 attach=clsact nat_source=ctnetlink sampling=7")
	f("--nat-source none --attach clsact", "interfaces=21 names=\"lo,port00,port01,port02,port03,port04,port05,port06,port07,port08,"+
		"port09,port10,port11,port12,port13,port14 and 5 more\" attach=clsact nat_source=none sampling=1")
	f("--interface /none/ --exclude lo --nat-source none --attach clsact",
		"interfaces=0 names=\"\" attach=clsact nat_source=none sampling=1",
		`level=WARN msg="no interface matches: nothing is watched until one appears" node=seen interface=[/none/] exclude=[lo]`)
	f("--log-level error --interface /none/", "")
}

func TestFieldsListsEveryField(t *testing.T) {
	got := seine(t, "fields")
	got.check(t)
	listed := make(map[string]bool)
	for line := range strings.Lines(got.out) {
		listed[strings.Fields(line)[0]] = true
	}
	fields := flow.Fields()
	for _, f := range fields {
		if !listed[f.Name] {
			t.Errorf("field %s is not listed", f.Name)
		}
	}
	if len(fields) == 0 || len(listed) != len(fields)+1 {
		t.Errorf("%d lines, want a heading and %d fields", len(listed), len(fields))
	}
}

func TestHelp(t *testing.T) {
	f := func(args string, want ...string) {
		t.Helper()
		got := seine(t, strings.Fields(args)...)
		got.check(t)
		for _, part := range want {
			if !strings.Contains(got.out, part) {
				t.Errorf("%s: got %q, want it to contain %q", args, got.out, part)
			}
		}
		if strings.Contains(got.out, "demo-pod") {
			t.Errorf("%s: shows the hidden command demo-pod", args)
		}
	}
	commands := []string{"agent", "run", "demo", "status", "fields", "server", "flows", "top", "map", "query", "completion"}
	f("--version", "seine version ")
	f("", append(commands, "Usage:")...)
	f("--help", append(commands, "Usage:")...)
	f("agent --help", "0 means to go on until stopped", "--export", "--interface", "--sampling", "--nat-source", "--duration", "accept|reject")
	f("demo --help", "--fault", "packet-loss", "service-without-endpoints  ")
	f("status --help", "--output", "Ends with 1")
}
