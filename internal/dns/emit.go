package dns

import (
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// Connections tells of the connection that packets belong to.
type Connections interface {
	// Describe returns a record without volume of the connection whose packets bore the addresses at some time, src
	// being the client's, as they were seen on an interface.
	Describe(proto flow.Proto, src, dst nat.Point, at flow.Time, index uint32) flow.Record
}

// recordBlock is the number of records that are given on at a time, which bounds their memory.
const recordBlock = 4096

// Finish ends an interval at a time and gives the records of all exchanges that are over to the sink, in blocks that
// are valid during the call. With last set, those that still wait are given up. The error is the sink's; after it the
// rest of the records is lost.
func (t *Tracker) Finish(end flow.Time, last bool, connections Connections, sink func([]flow.Record) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gather(end, last)
	t.forgetStreams(end)
	t.names.mu.Lock()
	t.names.expire(end)
	t.names.mu.Unlock()
	t.told, t.toldBefore = t.toldBefore, t.told
	clear(t.told)
	err := t.tell(connections, sink)
	clear(t.over)
	t.over = t.over[:0]
	return err
}

// gather finds the exchanges that are over.
func (t *Tracker) gather(end flow.Time, last bool) {
	for _, e := range t.pending {
		switch {
		case e.answer != nil && (last || e.answered+settle <= end), e.answer == nil && e.asked+t.timeout <= end:
			t.finish(e)
		case last:
			t.stats.Unfinished++
		}
	}
	if last {
		clear(t.pending)
	}
}

// face is an exchange under addresses other than those that the client sent, with its key under these.
type face struct {
	*exchange
	own key
}

// tell makes the records: first of what bears the addresses that the client sent, then of what was not seen under these.
func (t *Tracker) tell(connections Connections, sink func([]flow.Record) error) error {
	var faces []face
	var err error
	for _, e := range t.over {
		r := e.describe(connections)
		if own := e.clientsOwn(&r); own != e.key {
			faces = append(faces, face{e, own})
			continue
		}
		err = t.add(e, &r, err, sink)
	}
	for _, f := range faces {
		if !t.isTold(f.own, f.exchange) {
			r := f.describe(connections)
			err = t.add(f.exchange, &r, err, sink)
		}
	}
	return t.give(err, sink)
}

func (e *exchange) describe(connections Connections) flow.Record {
	return connections.Describe(e.key.proto, e.key.client, e.key.server, e.first, e.index)
}

// clientsOwn is the key of an exchange under the addresses that its client sent.
func (e *exchange) clientsOwn(r *flow.Record) key {
	return key{client: nat.PointOf(r.Src.AddrPort()), server: nat.PointOf(r.Dst.AddrPort()), id: e.key.id, proto: e.key.proto}
}

// isTold tells whether an exchange has a record already, or will have one, by the addresses that its client sent.
func (t *Tracker) isTold(own key, e *exchange) bool {
	if p := t.pending[own]; p != nil && p.question.wire == e.question.wire {
		return true
	}
	for _, told := range []map[key]flow.Time{t.told, t.toldBefore} {
		if at, ok := told[own]; ok && max(at-e.first, e.first-at) < t.timeout {
			return true
		}
	}
	return false
}

// add makes the record of an exchange.
func (t *Tracker) add(e *exchange, r *flow.Record, err error, sink func([]flow.Record) error) error {
	if r.NAT != 0 {
		t.told[e.clientsOwn(r)] = e.first
	}
	r.Start, r.End, r.Sampling = e.first, e.asked+t.timeout, 1
	r.DNS = e.tell()
	if e.answer != nil {
		r.End = e.answered
	}
	t.stats.Rows++
	t.records = append(t.records, *r)
	if len(t.records) < recordBlock {
		return err
	}
	return t.give(err, sink)
}

// tell writes what came of the query.
func (e *exchange) tell() *flow.DNS {
	d := &flow.DNS{Name: e.question.name, Type: e.question.kind, RCode: flow.DNSTimeout, Retries: e.retries}
	if a := e.answer; a != nil {
		d.RCode, d.Truncated, d.Answers, d.Records, d.TTL = a.rcode, a.truncated, a.listed(), a.records, a.ttl
		d.Latency = max(uint64(e.answered-e.first)/1000, 1)
	}
	return d
}

// give hands the records on, unless the sink has failed before.
func (t *Tracker) give(err error, sink func([]flow.Record) error) error {
	if err == nil {
		err = sink(t.records)
	}
	clear(t.records)
	t.records = t.records[:0]
	return err
}
