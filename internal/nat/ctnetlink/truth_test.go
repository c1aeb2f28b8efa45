package ctnetlink

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// key identifies an entry, whatever its times.
type key struct {
	Proto       flow.Proto
	Orig, Reply nat.Tuple
	Zone        uint16
}

func keyOf(t nat.Translation) key { return key{t.Proto, t.Orig, t.Reply, t.Zone} }

// listed returns the entries that the conntrack tool shows in the namespace.
func (ns *namespace) listed() map[key]bool {
	ns.t.Helper()
	all := map[key]bool{}
	for _, family := range []string{"ipv4", "ipv6"} {
		for line := range strings.Lines(ns.run("", "conntrack", "-L", "-o", "extended", "-f", family)) {
			if strings.HasPrefix(line, family) {
				all[parseListed(ns.t, line)] = true
			}
		}
	}
	return all
}

// parseListed reads a line such as
// "ipv4     2 udp      17 29 src=10.0.1.2 dst=10.96.0.1 sport=4000 dport=53 src=… zone=7 use=1".
func parseListed(t testing.TB, line string) key {
	t.Helper()
	words := strings.Fields(line)
	k := key{Proto: flow.Proto(number(t, words[3], 8))}
	var addrs []netip.Addr
	ports := map[string][]uint16{}
	for _, word := range words[4:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "src", "dst":
			addrs = append(addrs, netip.MustParseAddr(value))
		case "sport", "dport", "id":
			ports[name] = append(ports[name], uint16(number(t, value, 16)))
		case "zone", "zone-orig", "zone-reply":
			k.Zone = uint16(number(t, value, 16))
		}
	}
	if len(addrs) != 4 {
		t.Fatalf("conntrack line with %d addresses: %s", len(addrs), line)
	}
	sport, dport := ports["sport"], ports["dport"]
	if ids := ports["id"]; len(ids) == 2 {
		sport, dport = ids, ids
	}
	if len(sport) == 0 {
		sport, dport = []uint16{0, 0}, []uint16{0, 0}
	}
	at := func(i int, port uint16) netip.AddrPort { return netip.AddrPortFrom(addrs[i], port) }
	k.Orig = nat.Tuple{Src: at(0, sport[0]), Dst: at(1, dport[0])}
	k.Reply = nat.Tuple{Src: at(2, sport[1]), Dst: at(3, dport[1])}
	return k
}

func number(t testing.TB, s string, bits int) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
