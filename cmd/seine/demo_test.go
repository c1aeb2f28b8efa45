package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

// demoPods returns the processes of demo clusters on this stage: those in its mount namespace.
func demoPods(t *testing.T) []string {
	t.Helper()
	lists, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	stage, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	var pods []string
	for _, path := range lists {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(line, []byte(program+"\x00demo-pod\x00")) {
			continue
		}
		if own, err := os.Readlink(filepath.Dir(path) + "/ns/mnt"); err == nil && own == stage {
			pods = append(pods, string(line))
		}
	}
	return pods
}

// linkNames returns the links of the stage's own namespace, which no demo may touch.
func linkNames(t *testing.T) []string {
	t.Helper()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range links {
		names = append(names, l.Attrs().Name)
	}
	return names
}

// checkDemoGone expects a demo to leave neither processes nor, in our namespace, links. Killed processes take a moment.
func checkDemoGone(t *testing.T, before []string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for len(demoPods(t)) > 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	if left := demoPods(t); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	if diff := cmp.Diff(before, linkNames(t)); diff != "" {
		t.Errorf("links: %s", diff)
	}
}

// demoOutcome checks the end of a demo that has said nothing but what it builds and watches.
func demoOutcome(t *testing.T, got outcome) {
	t.Helper()
	if got.code != 0 || withoutWatching(got.errs) != "seine: building the demo cluster\n" {
		t.Errorf("exit code %d, errors %q", got.code, got.errs)
	}
}

// has returns a condition: there is a primary record that all the parts accept.
func has(parts ...func(*record) bool) func([]record) bool {
	return func(all []record) bool {
		return slices.ContainsFunc(all, func(r record) bool {
			return r.Primary && !slices.ContainsFunc(parts, func(accepts func(*record) bool) bool { return !accepts(&r) })
		})
	}
}

func translated(kind string) func(*record) bool {
	return func(r *record) bool { return r.NAT == kind && r.Backend.Addr != r.Dst.Addr }
}

func dialled(kind, name string) func(*record) bool {
	return func(r *record) bool { return r.Dst.Kind == kind && r.Dst.Name == name }
}

func ipv6(want bool) func(*record) bool {
	return func(r *record) bool {
		return strings.Contains(r.Src.Addr, ":") == want && strings.Contains(r.Backend.Addr, ":") == want
	}
}

func podToPod(r *record) bool {
	return r.Src.Kind == "Pod" && r.Src.Name != "" && r.Backend.Kind == "Pod" && r.Backend.Name != ""
}

func toItself(r *record) bool { return r.Src.Name != "" && r.Src.Name == r.Backend.Name }

func answered(r *record) bool { return r.Fwd.Packets > 0 && r.Rev.Packets > 0 }

func from(addr string) func(*record) bool { return func(r *record) bool { return r.Src.Addr == addr } }

// nodePort is that of the Service frontend.
func nodePort(r *record) bool { return r.Dst.Port == 30080 }

// TestDemo runs the demo until it has shown all that it is for, and ends it as a user does.
func TestDemo(t *testing.T) {
	before := linkNames(t)
	p := start(t, "demo", "-o", "json", "--interval", "500ms")
	for _, want := range []struct {
		what  string
		shown func([]record) bool
	}{
		{"a Service's backend, IPv4", has(translated("dnat"), ipv6(false), dialled("Service", "checkout"), podToPod, answered)},
		{"a Service's backend, IPv6", has(translated("dnat"), ipv6(true), dialled("Service", "checkout"), podToPod, answered)},
		{"DNS", has(translated("dnat"), dialled("Service", "dns"), podToPod)},
		{"a pod that reaches itself", has(translated("dnat+snat"), dialled("Service", "echo"), podToPod, toItself)},
		{"the NodePort from the internet, IPv4", has(translated("dnat+snat"), nodePort, from("203.0.113.10"), answered)},
		{"the NodePort from the internet, IPv6", has(translated("dnat+snat"), nodePort, from("2001:db8:113::10"), answered)},
		{"a pod dialled directly", has(podToPod, dialled("Pod", "inventory-0"), answered)},
		{"a pod that calls the internet", has(dialledKind("External"), func(r *record) bool { return r.NAT == "snat" })},
	} {
		p.await(want.what, func() bool {
			out, _ := p.output()
			return want.shown(records(t, out))
		})
	}
	if len(demoPods(t)) < 12 {
		t.Errorf("%d processes of the demo seen: the check for those left is void", len(demoPods(t)))
	}
	got := p.end(os.Interrupt)
	demoOutcome(t, got)
	records(t, got.out)
	checkDemoGone(t, before)
	for _, node := range []string{"worker-1", "worker-2"} {
		if left := sockets(t, node); len(left) != 0 {
			t.Errorf("control sockets are left: %v", left)
		}
	}
}

func dialledKind(kind string) func(*record) bool {
	return func(r *record) bool { return r.Dst.Kind == kind }
}

// TestDemoFault expects a demo with a fault from the start to show it, and to end by itself.
func TestDemoFault(t *testing.T) {
	before := linkNames(t)
	got := seine(t, "demo", "-o", "json", "--fault", "checkout-down", "--duration", "8s", "--rules", "nftables")
	demoOutcome(t, got)
	refused, accepted := 0, 0
	for _, r := range records(t, got.out) {
		if r.Proto != "TCP" || r.Backend.App != "checkout" || r.Src.Kind != "Pod" {
			continue
		}
		if slices.Contains(r.TCP.Flags, "RST") {
			refused++
		} else if r.Rev.Packets > 1 {
			accepted++
		}
	}
	if refused == 0 || accepted > refused {
		t.Errorf("%d connections to checkout refused, %d accepted; want it refused", refused, accepted)
	}
	checkDemoGone(t, before)
}

// TestDemoKilled expects nothing to outlive a demo that is killed, or interrupted while it is being built.
func TestDemoKilled(t *testing.T) {
	before := linkNames(t)
	p := start(t, "demo", "-o", "json", "--interval", "200ms")
	p.await("records", func() bool {
		out, _ := p.output()
		return out != ""
	})
	p.end(os.Kill)
	checkDemoGone(t, before)

	p = start(t, "demo", "-o", "json")
	p.await("the first processes", func() bool { return len(demoPods(t)) > 0 })
	demoOutcome(t, p.end(os.Interrupt))
	checkDemoGone(t, before)
}
