package kube

import "github.com/seine-net/seine/internal/flow"

// Name puts identities to the endpoints of records: who had each address at the end of the record's interval. What is
// dialled at a Node's port that leads to a Service is that Service.
func (x *Index) Name(batch []flow.Record) {
	for i := range batch {
		r := &batch[i]
		q := Query{Addr: r.Src.Addr, Port: r.Src.Port, Proto: r.Proto, At: r.End, PodUID: r.Src.Process.PodUID}
		x.name(&r.Src, &q)
		translated := r.NAT&flow.DNAT != 0
		q = Query{Addr: r.Dst.Addr, Port: r.Dst.Port, Proto: r.Proto, At: r.End, Translated: translated}
		if !translated {
			q.PodUID = r.Backend.Process.PodUID
		}
		x.name(&r.Dst, &q)
		q = Query{Addr: r.Backend.Addr, Port: r.Backend.Port, Proto: r.Proto, At: r.End, PodUID: r.Backend.Process.PodUID}
		x.name(&r.Backend, &q)
	}
}

// name takes what the index knows in place of what the record has. What came from elsewhere than objects stays.
func (x *Index) name(e *flow.Endpoint, q *Query) {
	dnsName := e.DNSName
	e.Identity = *x.Identify(q)
	e.DNSName = dnsName
}
