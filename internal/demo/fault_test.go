package demo

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// visitorSees says, for each fault but packet-loss, what a visitor's call meets while it is on.
var visitorSees = map[string]struct {
	call     call
	affected func(outcome) bool
}{
	"payments-slow": {
		call{Kind: httpCall, Target: httpURL("payments", "shop", pingPath), Family: 4},
		func(o outcome) bool { return o.Status == 200 && o.Took >= 400*time.Millisecond },
	},
	"checkout-down": {
		call{Kind: httpCall, Target: httpURL("checkout", "shop", pingPath), Family: 6},
		func(o outcome) bool { return strings.Contains(o.Error, "connection refused") },
	},
	"dns-nxdomain": {
		call{Kind: dnsCall, Target: domainName("checkout", "shop"), Family: 4},
		func(o outcome) bool { return o.RCode == "NXDOMAIN" },
	},
	"dns-servfail": {
		call{Kind: dnsCall, Target: domainName("checkout", "shop"), Family: 4},
		func(o outcome) bool { return o.RCode == "SERVFAIL" },
	},
	"dns-slow": {
		call{Kind: dnsCall, Target: domainName("checkout", "shop"), Family: 6},
		func(o outcome) bool { return o.RCode == "NOERROR" && o.Took >= 300*time.Millisecond },
	},
	"dns-silent": {
		call{Kind: dnsCall, Target: domainName("checkout", "shop"), Family: 4},
		func(o outcome) bool { return strings.Contains(o.Error, "timeout") },
	},
	"pod-blackhole": {
		call{Kind: httpCall, Target: podURL("payments"), Family: 4},
		func(o outcome) bool {
			return strings.Contains(o.Error, "deadline exceeded") || strings.Contains(o.Error, "timeout")
		},
	},
	"firewall-rejects": {
		call{Kind: httpCall, Target: podURL("inventory"), Family: 4},
		func(o outcome) bool { return strings.Contains(o.Error, "no route to host") },
	},
	"service-without-endpoints": {
		call{Kind: httpCall, Target: httpURL("payments", "shop", pingPath), Family: 6},
		func(o outcome) bool { return strings.Contains(o.Error, "connection refused") },
	},
}

// podURL is the URL of the first pod of a workload, past any Service.
func podURL(workload string) string {
	for _, p := range podPlans() {
		if p.workloadPlan.name == workload {
			return "http://" + netip.AddrPortFrom(family(4).of(p.addrs), 8080).String() + pingPath
		}
	}
	panic("BUG: no workload " + workload)
}

func TestFaults(t *testing.T) {
	for _, rules := range []string{"nftables", "iptables"} {
		t.Run(rules, func(t *testing.T) {
			c := up(t, Options{Rules: rules})
			for _, f := range Faults() {
				t.Run(f.Name, func(t *testing.T) {
					if f.Name == "packet-loss" {
						testLoss(t, c)
						return
					}
					testFault(t, c, f.Name)
				})
			}
			if err := c.SetFault("cosmic-rays", true); err == nil || !strings.Contains(err.Error(), "payments-slow") {
				t.Errorf("got error %v, want one that lists the faults", err)
			}
		})
	}
}

// testFault looks before, during and after the fault.
func testFault(t *testing.T, c *Cluster, name string) {
	sees, ok := visitorSees[name]
	if !ok {
		t.Fatal("no test for this fault")
	}
	for _, on := range []bool{false, true, false} {
		setFault(t, c, name, on)
		o := ask(t, c, pod(t, "visitor", 0).process(), sees.call)
		if sees.affected(o) != on || !on && o.Error != "" {
			t.Errorf("fault on %v: got %+v", on, o)
		}
	}
}

// testLoss sends datagrams from one node to a pod of the other: all arrive, or about a tenth does not (of 500, less than
// 20 or more than 90 would be 5 standard deviations off).
func testLoss(t *testing.T, c *Cluster) {
	const sent = 500
	for _, on := range []bool{false, true, false} {
		setFault(t, c, "packet-loss", on)
		lost := sent - echoes(t, c, sent)
		if !on && lost != 0 || on && (lost < 20 || lost > 90) {
			t.Errorf("fault on %v: %d of %d datagrams lost", on, lost, sent)
		}
	}
}

// echoes sends datagrams from worker-1 to the echo pod on worker-2 and counts the answers.
func echoes(t *testing.T, c *Cluster, sent int) int {
	t.Helper()
	var conn net.Conn
	err := inside(c.Nodes()[0].NetNS, func() (err error) {
		conn, err = net.Dial("udp", netip.AddrPortFrom(pod(t, "echo", 0).addrs[0], 7).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := make(chan int)
	go func() { answers <- countAnswers(conn) }()
	for i := range sent {
		if _, err := fmt.Fprint(conn, i); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Microsecond)
	}
	return <-answers
}

// countAnswers reads until nothing has come for a while.
func countAnswers(conn net.Conn) int {
	buffer := make([]byte, 100)
	for n := 0; ; n++ {
		conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := conn.Read(buffer); err != nil {
			return n
		}
	}
}

func setFault(t *testing.T, c *Cluster, name string, on bool) {
	t.Helper()
	if err := c.SetFault(name, on); err != nil {
		t.Fatal(err)
	}
}
