package testkit

import (
	"bufio"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Entry is one line of `conntrack -L -o extended`.
type Entry struct {
	Proto       uint8
	State       string
	Orig, Reply Direction
	// Zone is that of both directions.
	Zone     uint16
	Assured  bool
	NoReply  bool
	ICMPType uint8
	ICMPCode uint8
}

// Direction is one tuple of an entry with its accounting, which is of the network layer: bytes without the link-layer
// header. For ICMP queries both ports are the query's identifier.
type Direction struct {
	Src, Dst       netip.AddrPort
	Packets, Bytes uint64
}

// Account makes the namespace's conntrack count packets and bytes of entries that are made from now on.
func (ns *NS) Account() {
	ns.t.Helper()
	ns.needModule("nf_conntrack", "net.netfilter.nf_conntrack_max")
	ns.Sysctl("net.netfilter.nf_conntrack_acct", "1")
}

// Conntrack returns the namespace's conntrack table of one family, as the conntrack tool shows it. The kernel walks all
// buckets of the machine for it, which takes tens of milliseconds.
func (ns *NS) Conntrack(v6 bool) ([]Entry, error) {
	family := "ipv4"
	if v6 {
		family = "ipv6"
	}
	out, err := ns.Run("", "conntrack", "-L", "-f", family, "-o", "extended")
	if err != nil {
		return nil, err
	}
	return ParseConntrack(out)
}

// ParseConntrack reads the output of `conntrack -L -o extended`. A word that it does not know is an error, so that no
// truth is overlooked.
func ParseConntrack(out string) ([]Entry, error) {
	var entries []Entry
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		e, err := parseEntry(strings.Fields(lines.Text()))
		if err != nil {
			return nil, fmt.Errorf("parse conntrack line %q: %w", lines.Text(), err)
		}
		entries = append(entries, e)
	}
	return entries, lines.Err()
}

// parseEntry reads: family number, family, protocol, protocol number, timeout, state where there is one, then
// key=value words of ORIGINAL, then those of REPLY.
func parseEntry(words []string) (Entry, error) {
	if len(words) < 6 {
		return Entry{}, fmt.Errorf("%d words, want 6 or more", len(words))
	}
	proto, err := strconv.ParseUint(words[3], 10, 8)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Proto: uint8(proto)}
	p := entryParser{entry: &e, direction: &e.Orig}
	for _, word := range words[4:] {
		if err := p.word(word); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

type entryParser struct {
	entry     *Entry
	direction *Direction
}

func (p *entryParser) word(word string) error {
	switch word {
	case "[ASSURED]":
		p.entry.Assured = true
		return nil
	case "[UNREPLIED]":
		p.entry.NoReply = true
		return nil
	}
	key, value, isPair := strings.Cut(word, "=")
	if !isPair {
		p.bare(word)
		return nil
	}
	if key == "src" {
		return p.source(value)
	}
	return p.pair(key, value)
}

// bare takes the timeout or the state.
func (p *entryParser) bare(word string) {
	if _, err := strconv.Atoi(word); err != nil {
		p.entry.State = word
	}
}

// source starts a tuple: the second one is the reply's.
func (p *entryParser) source(value string) error {
	if p.direction.Src.IsValid() {
		p.direction = &p.entry.Reply
	}
	return setAddr(&p.direction.Src, value)
}

func setAddr(to *netip.AddrPort, value string) error {
	addr, err := netip.ParseAddr(value)
	*to = netip.AddrPortFrom(addr, to.Port())
	return err
}

func (p *entryParser) pair(key, value string) error {
	if key == "dst" {
		return setAddr(&p.direction.Dst, value)
	}
	n, err := strconv.ParseUint(value, 0, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	d := p.direction
	switch key {
	case "sport":
		d.Src = netip.AddrPortFrom(d.Src.Addr(), uint16(n))
	case "dport":
		d.Dst = netip.AddrPortFrom(d.Dst.Addr(), uint16(n))
	case "id":
		d.Src, d.Dst = netip.AddrPortFrom(d.Src.Addr(), uint16(n)), netip.AddrPortFrom(d.Dst.Addr(), uint16(n))
	case "packets":
		d.Packets = n
	case "bytes":
		d.Bytes = n
	case "zone":
		p.entry.Zone = uint16(n)
	case "type":
		if d == &p.entry.Orig {
			p.entry.ICMPType = uint8(n)
		}
	case "code":
		if d == &p.entry.Orig {
			p.entry.ICMPCode = uint8(n)
		}
	case "mark", "use":
	default:
		return fmt.Errorf("unknown word %s=%s", key, value)
	}
	return nil
}
