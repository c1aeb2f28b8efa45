// Benchreport runs the benchmarks of what lies on a record's way and writes their result, with the targets beside it,
// to docs/reference/benchmarks.md. It judges nothing: a figure depends on the machine, so ratios to a floor measured in
// the same run are what counts.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const output = "docs/reference/benchmarks.md"

// packages are measured one after the other, so that none disturbs another.
var packages = []struct{ path, time string }{
	{"./internal/capture", "1x"},
	{"./internal/nat", "2s"},
	{"./internal/nat/ctnetlink", "1s"},
	{"./internal/flow", "1s"},
	{"./internal/agent", "1x"},
	{"./cmd/seine", "1x"},
}

// row is a line of the report: a metric of a benchmark, and what it should be.
type row struct {
	benchmark, metric, text, target string
}

var rows = []row{
	{"BenchmarkPacket", "in_empty_ns/packet", "ingress, empty program, ns a packet", ""},
	{"BenchmarkPacket", "in_floor_ns/packet", "ingress, floor program, ns a packet", ""},
	{"BenchmarkPacket", "in_seine_ns/packet", "ingress, Seine with translation on, ns a packet", ""},
	{"BenchmarkPacket", "in_ratio_to_floor", "ingress, Seine against the floor", "at most 1.25"},
	{"BenchmarkPacket", "out_empty_ns/packet", "egress, empty program, ns a packet", ""},
	{"BenchmarkPacket", "out_floor_ns/packet", "egress, floor program, ns a packet", ""},
	{"BenchmarkPacket", "out_seine_ns/packet", "egress, Seine with translation on, ns a packet", ""},
	{"BenchmarkPacket", "out_ratio_to_floor", "egress, Seine against the floor", "at most 1.25"},
	{"BenchmarkPacket", "in_all_ns/packet", "ingress, every feature on, ns a packet", ""},
	{"BenchmarkPacket", "in_dns_ns/packet", "of this, the DNS program on packets of other ports", ""},
	{"BenchmarkPacket", "in_all_ratio_to_floor", "ingress, every feature against the floor, each program with its clock readings", ""},
	{"BenchmarkPacket", "in_all_net_ratio_to_floor", "the same with one pair of clock readings, as the floor", "at most 1.45"},
	{"BenchmarkPacket", "out_all_ns/packet", "egress, every feature on, ns a packet", ""},
	{"BenchmarkPacket", "out_dns_ns/packet", "of this, the DNS program on packets of other ports", ""},
	{"BenchmarkPacket", "out_all_ratio_to_floor", "egress, every feature against the floor, each program with its clock readings", ""},
	{"BenchmarkPacket", "out_all_net_ratio_to_floor", "the same with one pair of clock readings, as the floor", "at most 1.45"},
	{"BenchmarkPacket", "drop_ns/dropped", "a packet that is dropped, the program of drops, ns", ""},
	{"BenchmarkProgram", "empty_ns/run", "run alone, empty program, ns a packet", ""},
	{"BenchmarkProgram", "floor_ns/run", "run alone, floor program, ns a packet", ""},
	{"BenchmarkProgram", "seine_ns/run", "run alone, Seine with translation on, ns a packet", ""},
	{"BenchmarkProgram", "dns_ns/run", "run alone, the DNS program on a packet of another port, ns a packet", ""},
	{"BenchmarkProgram", "ratio_to_floor", "run alone, Seine against the floor", ""},
	{"BenchmarkProgram", "all_ratio_to_floor", "run alone, Seine and the DNS program against the floor", ""},
	{"BenchmarkConnect", "without_connections/s", "new TCP connections a second through a Service, nobody watching", ""},
	{"BenchmarkConnect", "with_connections/s", "the same with Seine watching", ""},
	{"BenchmarkConnect", "ratio_to_without", "with against without", ""},
	{"BenchmarkEvict", "evict_ms/100000flows", "processor time to evict 100,000 flows, ms", "at most 100"},
	{"BenchmarkEvict", "join_ms/100000flows", "the same with joining them to connections, ms", ""},
	{"BenchmarkFinish/new", "ns/observation", "join, connections not seen before, ns an observation", ""},
	{"BenchmarkFinish/known", "ns/observation", "join, known connections, ns an observation", ""},
	{"BenchmarkFinish/floor", "ns/observation", "one look-up in a map, ns an observation", ""},
	{"BenchmarkDNS", "queries/s", "DNS queries a second, each from a socket of its own", ""},
	{"BenchmarkDNS", "without_%core", "an agent under these without DNS, % of a core in user space", ""},
	{"BenchmarkDNS", "with_%core", "the same with DNS", ""},
	{"BenchmarkDNS", "dns_%core", "with less without, turn by turn", "at most 10"},
	{"BenchmarkDNS", "rows/query", "rows for each query", "1"},
	{"BenchmarkMemory", "start_MiB", "resident memory of an agent that has begun, MiB", ""},
	{"BenchmarkMemory", "most_MiB", "the most while 120,000 flows came at once, three times, MiB", "at most 150"},
	{"BenchmarkMemory", "rest_MiB", "10 s after the last of them, MiB", "at most 150"},
	{"BenchmarkMemory", "mapped_MiB", "of this, pages of the program's file, and those of the rings, which are mapped twice, MiB", ""},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchreport:", err)
		os.Exit(1)
	}
}

func run() error {
	metrics := make(map[string]map[string]float64)
	for _, p := range packages {
		out, err := measure(p.path, p.time)
		if err != nil {
			return err
		}
		parse(out, metrics)
	}
	return os.WriteFile(output, report(metrics), 0o644)
}

// measure runs a package's benchmarks and passes their output through.
func measure(path, benchtime string) ([]byte, error) {
	c := exec.Command("go", "test", "-run=^$", "-bench=.", "-benchtime="+benchtime, "-count=1", "-timeout=10m", path)
	var kept bytes.Buffer
	c.Stderr = os.Stderr
	c.Stdout = &kept
	err := c.Run()
	_, _ = os.Stdout.Write(kept.Bytes())
	if err != nil {
		return nil, fmt.Errorf("measure %s: %w", path, err)
	}
	return kept.Bytes(), nil
}

// parse reads the benchmark format: a name with the number of processors, the iterations, then pairs of value and unit.
func parse(out []byte, metrics map[string]map[string]float64) {
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		words := strings.Fields(s.Text())
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		name := words[0]
		if i := strings.LastIndex(name, "-"); i > 0 {
			name = name[:i]
		}
		metrics[name] = make(map[string]float64)
		for i := 2; i+1 < len(words); i += 2 {
			if v, err := strconv.ParseFloat(words[i], 64); err == nil {
				metrics[name][words[i+1]] = v
			}
		}
	}
}

func report(metrics map[string]map[string]float64) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `make bench-capture` on %s: %d processors, %s, Linux %s. "+
		"Times depend on the machine; ratios are taken in one run. The floor program parses IPv4 and UDP, looks one "+
		"flow up, adds bytes and a packet and reads the clock. Program times are the kernel's own "+
		"(`kernel.bpf_stats_enabled`) and hold its two clock readings. Ingress and egress are measured on a router that "+
		"translates 64 flows of 64-byte frames, as they would be met in use: netfilter and routing have the processor's "+
		"caches between two runs of a program. Every feature on is two programs at a hook; the one of drops runs for dropped "+
		"packets alone. \"Run alone\" is the same programs repeated on one packet.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOARCH, kernelVersion())
	b.WriteString("| what | measured | target |\n|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.text, value(metrics, r), r.target)
	}
	return b.Bytes()
}

func value(metrics map[string]map[string]float64, r row) string {
	v, ok := metrics[r.benchmark][r.metric]
	switch {
	case !ok:
		return "not measured"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// kernelVersion is the first two numbers of the kernel's release.
func kernelVersion() string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	release := unix.ByteSliceToString(u.Release[:])
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return release
	}
	return parts[0] + "." + parts[1]
}
