package otlp

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// sentence says in words what a row is about, as far as its columns tell:
//
//	TCP shop/cart-5c6d8:44966 to shop/frontend:80, answered by shop/frontend-x2:8080: 13596 bytes; connect refused
//	shop/cart-5c6d8 asked kube-system/kube-dns for AAAA api.example: NXDOMAIN in 1250 µs
type sentence struct {
	query                              bool
	src, dst, backend                  end
	proto, bytes, connect, drops, drop place
	name, kind, rcode, latency         place
}

// end is where the fields of an end are.
type end struct{ namespace, name, dns, addr, port place }

func newSentence(at places, dataset string) *sentence {
	p := at.of
	endOf := func(prefix string) end {
		return end{p(prefix + ".namespace"), p(prefix + ".name"), p(prefix + ".dns_name"), p(prefix + ".addr"), p(prefix + ".port")}
	}
	return &sentence{
		query: dataset == flow.Queries.String(), src: endOf("src"), dst: endOf("dst"), backend: endOf("backend"),
		proto: p("proto"), bytes: p("total.bytes"), connect: p("tcp.connect"), drops: p("total.drop_packets"), drop: p("drop_reason"),
		name: p("dns.name"), kind: p("dns.type"), rcode: p("dns.rcode"), latency: p("dns.latency"),
	}
}

// append writes control characters, which names may have that came in packets, as spaces: a sentence is one line.
func (s *sentence) append(dst []byte, b *query.Block, row int) []byte {
	begin := len(dst)
	if s.query {
		dst = s.appendQuery(dst, b, row)
	} else {
		dst = s.appendFlow(dst, b, row)
	}
	for i := begin; i < len(dst); i++ {
		if dst[i] < ' ' || dst[i] == 0x7f {
			dst[i] = ' '
		}
	}
	return dst
}

func (s *sentence) appendFlow(dst []byte, b *query.Block, row int) []byte {
	dst = append(dst, cmp.Or(s.proto.text(b, row), "connection")...)
	dst = s.src.append(append(dst, ' '), b, row)
	dst = s.dst.append(append(dst, " to "...), b, row)
	if s.backend.addr.text(b, row) != s.dst.addr.text(b, row) || s.backend.port.number(b, row) != s.dst.port.number(b, row) {
		dst = s.backend.append(append(dst, ", answered by "...), b, row)
	}
	if s.bytes >= 0 {
		dst = strconv.AppendInt(append(dst, ": "...), s.bytes.number(b, row), 10)
		dst = append(dst, " bytes"...)
	}
	if outcome := s.connect.text(b, row); outcome != "" && outcome != flow.ConnectOK.String() {
		dst = append(append(dst, "; connect "...), outcome...)
	}
	if drops := s.drops.number(b, row); drops > 0 {
		dst = append(strconv.AppendInt(append(dst, "; packets dropped: "...), drops, 10), ' ')
		dst = append(dst, s.drop.text(b, row)...)
	}
	return dst
}

func (s *sentence) appendQuery(dst []byte, b *query.Block, row int) []byte {
	dst = s.src.append(dst, b, row)
	dst = s.dst.append(append(dst, " asked "...), b, row)
	dst = append(append(dst, " for "...), s.kind.text(b, row)...)
	dst = append(append(dst, ' '), s.name.text(b, row)...)
	if rcode := s.rcode.text(b, row); rcode != "" {
		dst = append(append(dst, ": "...), rcode...)
	}
	if latency := s.latency.number(b, row); latency > 0 {
		dst = strconv.AppendInt(append(dst, " in "...), latency, 10)
		dst = append(dst, " µs"...)
	}
	return dst
}

// append appends an end by its name, else by that of a DNS answer, else by its address, and its port.
func (e *end) append(dst []byte, b *query.Block, row int) []byte {
	addr := e.addr.text(b, row)
	switch name, dns := e.name.text(b, row), e.dns.text(b, row); {
	case name != "":
		if namespace := e.namespace.text(b, row); namespace != "" {
			dst = append(append(dst, namespace...), '/')
		}
		dst = append(dst, name...)
	case dns != "":
		dst = append(dst, dns...)
	case addr == "":
		dst = append(dst, "somebody"...)
	case strings.Contains(addr, ":"):
		dst = append(append(append(dst, '['), addr...), ']')
	default:
		dst = append(dst, addr...)
	}
	if port := e.port.number(b, row); port > 0 {
		dst = strconv.AppendInt(append(dst, ':'), port, 10)
	}
	return dst
}

// troubles tell rows that are warnings.
type troubles struct {
	connect place
	counts  [4]place
}

func newTroubles(at places) *troubles {
	t := &troubles{connect: at.of("tcp.connect")}
	for i, name := range []string{"fwd.drop_packets", "rev.drop_packets", "total.drop_packets", "dns.failures"} {
		t.counts[i] = at.of(name)
	}
	return t
}

// has says whether an attempt to connect or a query failed, or packets were dropped. Who gave up by itself did not fail.
func (t *troubles) has(b *query.Block, row int) bool {
	switch t.connect.text(b, row) {
	case flow.ConnectRefused.String(), flow.ConnectTimeout.String(), flow.ConnectUnreachable.String():
		return true
	}
	for _, count := range t.counts {
		if count.number(b, row) > 0 {
			return true
		}
	}
	return false
}
