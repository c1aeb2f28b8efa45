package agent

import (
	"net/netip"

	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/dns"
	"github.com/seine-net/seine/internal/flow"
)

// trackDNS makes a tracker where DNS is asked for, and lets capture hand packets to it.
func (a *Agent) trackDNS() {
	if !a.config.FollowsDNS() {
		return
	}
	a.dns = dns.NewTracker(dns.Config{Ports: a.config.DNSPorts, Timeout: a.config.DNSTimeout, Client: a.clientOf})
	a.config.Config.DNS = a.dns.Take
}

// OnQueries sets who is given the records of DNS queries, likewise in batches that are only valid during the call.
// Without one they are dropped. Call it before Run.
func (a *Agent) OnQueries(sink func([]flow.Record) error) { a.queries = sink }

// clientOf lets all addresses of the host stand for one client: a process asks a resolver on loopback, and connects by
// another address.
func (a *Agent) clientOf(addr netip.Addr) netip.Addr {
	if host := a.host.Load(); addr.IsLoopback() || host != nil && (*host)[addr] {
		return netip.Addr{}
	}
	return addr
}

// refreshLocality reads anew what is on this node.
func (a *Agent) refreshLocality() {
	if err := a.locality.refresh(); err != nil {
		a.log.Debug("local addresses not read", "error", err)
	}
	host := a.locality.host
	a.host.Store(&host)
}

// name puts names to the endpoints of a batch.
func (a *Agent) name(batch []flow.Record) {
	if a.dns != nil {
		a.dns.Names().Name(batch)
	}
	if a.config.Namer != nil {
		a.config.Namer.Name(batch)
	}
}

// tellQueries gives the records of the interval's queries on.
func (a *Agent) tellQueries(end flow.Time, last bool) error {
	if a.dns == nil {
		return nil
	}
	return a.dns.Finish(end, last, a.table, func(batch []flow.Record) error {
		if a.queries == nil || len(batch) == 0 {
			return nil
		}
		if a.config.Namer != nil {
			a.config.Namer.Name(batch)
		}
		return a.queries(batch)
	})
}

// dnsLosses tells what of DNS is missing, or was not understood.
func (a *Agent) dnsLosses() []capture.Loss {
	if a.dns == nil {
		return nil
	}
	s := a.dns.Stats()
	return []capture.Loss{
		{Reason: "dns_malformed", Count: s.Malformed, Detail: "messages on a resolver's port that are no DNS, or too short to be read"},
		{Reason: "dns_unmatched", Count: s.Unmatched, Detail: "DNS answers to no query that was seen, or that came after the timeout"},
		{Reason: "dns_queries_refused", Count: s.Refused, Detail: "DNS queries not followed as too many waited for their answers"},
		{Reason: "dns_streams_broken", Count: s.Broken, Detail: "TCP connections to resolvers of which bytes were missed: the rest of each was not read"},
		{Reason: "dns_streams_refused", Count: s.StreamsRefused, Detail: "TCP connections to resolvers not read as there were too many"},
		{Reason: "dns_names_evicted", Count: s.NamesEvicted, Detail: "names from DNS answers forgotten before their time, as there were too many"},
	}
}
