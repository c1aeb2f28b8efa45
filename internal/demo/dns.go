package demo

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// dnsTTL is short, in seconds, as cluster DNS servers set it.
const dnsTTL = 5

// dnsProgram is the cluster's DNS server: authoritative for its zone, NXDOMAIN for everything else.
type dnsProgram struct {
	zone     map[string][]netip.Addr
	behaving atomic.Pointer[behaviour]
}

// startDNS listens on UDP and TCP.
func startDNS(s server, zone map[string][]netip.Addr) (*dnsProgram, error) {
	p := &dnsProgram{zone: zone}
	p.behaving.Store(&behaviour{})
	addr := fmt.Sprintf(":%d", s.Port)
	packets, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	go (&dns.Server{PacketConn: packets, Handler: p}).ActivateAndServe()
	go (&dns.Server{Listener: listener, Handler: p}).ActivateAndServe()
	return p, nil
}

func (p *dnsProgram) behave(b behaviour) error {
	p.behaving.Store(&b)
	return nil
}

// ServeDNS answers one query.
func (p *dnsProgram) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	b := p.behaving.Load()
	if b.Silent {
		return
	}
	pause(context.Background(), b.Delay)
	w.WriteMsg(p.answer(query, b)) // A client that went away is no concern of the server's.
}

func (p *dnsProgram) answer(query *dns.Msg, b *behaviour) *dns.Msg {
	m := new(dns.Msg).SetReply(query)
	m.Authoritative = true
	if len(query.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return m
	}
	q := query.Question[0]
	name := strings.ToLower(q.Name)
	if b.Fail != "" && dns.IsSubDomain(b.Fail, name) {
		m.Rcode = dns.RcodeServerFailure
		return m
	}
	addrs, known := p.zone[name]
	if !known || b.Deny != "" && dns.IsSubDomain(b.Deny, name) {
		m.Rcode = dns.RcodeNameError
		return m
	}
	for _, a := range addrs {
		if r := record(q, a); r != nil {
			m.Answer = append(m.Answer, r)
		}
	}
	return m
}

// record is the answer's record for the address, nil if the question is for another type.
func record(q dns.Question, a netip.Addr) dns.RR {
	h := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: dnsTTL}
	switch {
	case q.Qtype == dns.TypeA && a.Is4():
		return &dns.A{Hdr: h, A: a.AsSlice()}
	case q.Qtype == dns.TypeAAAA && a.Is6():
		return &dns.AAAA{Hdr: h, AAAA: a.AsSlice()}
	}
	return nil
}

// resolver asks the cluster's DNS server, each time anew, as programs without a cache do.
type resolver struct{ servers []netip.Addr }

// lookupTimeout bounds one query; a resolver tries twice over UDP.
const lookupTimeout = time.Second

// lookup asks for the addresses of one family, through the DNS Service of that family.
func (r resolver) lookup(name string, f family, network string) (outcome, error) {
	server := f.of(r.servers)
	if !server.IsValid() {
		return outcome{}, fmt.Errorf("look up %s: no DNS server configured", name)
	}
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), map[family]uint16{4: dns.TypeA, 6: dns.TypeAAAA}[f])
	c := dns.Client{Net: network, Timeout: lookupTimeout}
	answer, _, err := c.Exchange(question, netip.AddrPortFrom(server, 53).String())
	if err != nil {
		answer, _, err = c.Exchange(question, netip.AddrPortFrom(server, 53).String())
	}
	if err != nil {
		return outcome{}, fmt.Errorf("look up %s: %w", name, err)
	}
	return outcome{RCode: dns.RcodeToString[answer.Rcode], Addrs: addresses(answer)}, nil
}

func addresses(m *dns.Msg) []netip.Addr {
	var addrs []netip.Addr
	for _, r := range m.Answer {
		var ip net.IP
		switch r := r.(type) {
		case *dns.A:
			ip = r.A
		case *dns.AAAA:
			ip = r.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			addrs = append(addrs, a.Unmap())
		}
	}
	return addrs
}
