package kube

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// prefixes finds the longest prefix that holds an address. The lengths in use are few, so that each is tried.
type prefixes[T any] struct {
	byPrefix map[netip.Prefix]T
	// lengths counts the prefixes of each length, of IPv4 and IPv6.
	lengths [2][129]int
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

func (p *prefixes[T]) set(prefix netip.Prefix, value T) {
	if p.byPrefix == nil {
		p.byPrefix = make(map[netip.Prefix]T)
	}
	prefix = prefix.Masked()
	if _, ok := p.byPrefix[prefix]; !ok {
		p.lengths[family(prefix.Addr())][prefix.Bits()]++
	}
	p.byPrefix[prefix] = value
}

func (p *prefixes[T]) remove(prefix netip.Prefix) {
	prefix = prefix.Masked()
	if _, ok := p.byPrefix[prefix]; ok {
		p.lengths[family(prefix.Addr())][prefix.Bits()]--
		delete(p.byPrefix, prefix)
	}
}

func (p *prefixes[T]) find(a netip.Addr) (value T, ok bool) {
	if len(p.byPrefix) == 0 || !a.IsValid() {
		return value, false
	}
	lengths := &p.lengths[family(a)]
	for bits := a.BitLen(); bits >= 0; bits-- {
		if lengths[bits] == 0 {
			continue
		}
		prefix, _ := a.Prefix(bits)
		if value, ok = p.byPrefix[prefix]; ok {
			return value, true
		}
	}
	return value, false
}

// Subnets are labels of networks: the longest prefix that holds an address labels it. The zero value has none.
type Subnets struct{ labels prefixes[string] }

// ExternalPrefix begins the labels of networks that are billed as the internet all the same; it is not part of the label.
const ExternalPrefix = "EXT:"

// Add takes a definition such as "office=203.0.113.0/24,2001:db8:1::/48".
func (s *Subnets) Add(definition string) error {
	const want = "want NAME=NETWORK[,NETWORK…] such as office=203.0.113.0/24"
	name, networks, ok := strings.Cut(definition, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || name == ExternalPrefix {
		return fmt.Errorf("subnet %q: %s", definition, want)
	}
	for network := range strings.SplitSeq(networks, ",") {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(network))
		if err != nil || prefix.Addr().Is4In6() {
			return fmt.Errorf("subnet %q: network %q: %s", definition, network, want)
		}
		if other, taken := s.labels.byPrefix[prefix.Masked()]; taken && other != name {
			return fmt.Errorf("subnet %q: network %s is labelled %q already", definition, prefix.Masked(), other)
		}
		s.labels.set(prefix, name)
	}
	return nil
}

// maxLine bounds a line of a file of subnets.
const maxLine = 1 << 16

// Read takes definitions from a file, one a line; empty lines and those that begin with # are left out.
func (s *Subnets) Read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := s.Add(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line has more than %d bytes", maxLine)
	}
	return lines.Err()
}

// find returns the label of an address; external says that its network is billed as the internet.
func (s *Subnets) find(a netip.Addr) (label string, external bool) {
	label, _ = s.labels.find(a)
	return strings.CutPrefix(label, ExternalPrefix)
}

// External says whether traffic to an address outside the cluster is billed as the internet: unless a label says otherwise,
// that to every address which is routed there.
func (s *Subnets) External(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if label, external := s.find(a); label != "" {
		return external
	}
	return isPublic(a)
}

// Labels returns all labels, in alphabetical order.
func (s *Subnets) Labels() []string {
	var all []string
	for _, label := range s.labels.byPrefix {
		all = append(all, strings.TrimPrefix(label, ExternalPrefix))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
