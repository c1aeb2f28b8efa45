package agent

import (
	"net/netip"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/capture"
)

// Status is what a running agent tells of itself.
type Status struct {
	Node string `json:"node"`
	// Version is the program's; what serves the status knows it.
	Version  string            `json:"version"`
	Started  time.Time         `json:"started"`
	Interval string            `json:"interval"`
	Sampling uint32            `json:"sampling"`
	Features []capture.Feature `json:"features"`
	// Conntrack tells whether there is anything that translations could be learnt from; what serves the status reads it.
	Conntrack Conntrack `json:"conntrack"`
	// Map is the flow map's filling.
	Map      MapUse             `json:"map"`
	Evicted  Evicted            `json:"evicted"`
	Losses   []capture.Loss     `json:"losses"`
	Coverage []capture.Coverage `json:"coverage"`
	Failed   map[string]string  `json:"failed,omitempty"`
	// Addresses are the node's own by which other nodes may know it, sorted.
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// MapUse tells how full the flow map is.
type MapUse struct {
	Used float64 `json:"used"`
	Max  uint32  `json:"max"`
	// Connections is the number of connections remembered across intervals.
	Connections int `json:"connections"`
}

// Evicted counts what came out of the kernel since the start.
type Evicted struct {
	Times    uint64    `json:"times"`
	Flows    uint64    `json:"flows"`
	Records  uint64    `json:"records"`
	Last     time.Time `json:"last"`
	LastTook string    `json:"last_took"`
}

// Interfaces returns the names of the interfaces that are watched now, sorted.
func (a *Agent) Interfaces() []string { return a.capture.Interfaces() }

// Status reads the present state; any goroutine may call it until Run returns.
func (a *Agent) Status() Status {
	c := a.capture.Status()
	a.statusMu.Lock()
	defer a.statusMu.Unlock()
	s := Status{
		Node: a.config.Node, Started: a.started, Interval: a.config.Interval.String(),
		Sampling: max(a.config.Sampling, 1), Features: c.Features,
		Map: MapUse{Used: c.Pressure, Max: c.MaxFlows, Connections: a.joined.Connections},
		Evicted: Evicted{
			Times: a.evictions.Count, Flows: a.evictions.Flows, Records: a.evictions.Records,
			Last: a.evictions.Last, LastTook: a.evictions.LastTook.Round(time.Microsecond).String(),
		},
		Losses: append(c.Losses, a.losses()...), Coverage: c.Coverage, Failed: c.Failed,
		Addresses: a.addresses(),
	}
	if a.config.MoreFeatures != nil {
		s.Features = append(s.Features, a.config.MoreFeatures()...)
	}
	return s
}

// addresses returns those of the host that are not for itself alone, as far as a report takes them.
func (a *Agent) addresses() []netip.Addr {
	host := a.host.Load()
	if host == nil {
		return nil
	}
	var all []netip.Addr
	for addr := range *host {
		if addr.IsGlobalUnicast() {
			all = append(all, addr)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// losses adds to capture's what user space lost.
func (a *Agent) losses() []capture.Loss {
	out := []capture.Loss{
		{Reason: "connections_forgotten", Count: a.joined.Forgotten, Detail: "connections forgotten as too many were remembered: orientation may be guessed anew"},
	}
	out = append(out, a.dnsLosses()...)
	out = append(out,
		capture.Loss{Reason: "facts_dropped", Count: a.joined.FactsDropped, Detail: "facts of sockets and drops not taken as there were too many in an interval"},
		capture.Loss{Reason: "listen_drops_unassigned", Count: a.joined.ListensUnassigned, Detail: "segments that a listening socket turned away, of which no connection is known"},
	)
	if a.resolver != nil {
		out = append(out, capture.Loss{
			Reason: "connections_not_asked", Count: a.unasked.Load(), Detail: "sampled connections that conntrack was not asked about as there were too many: perhaps without backend",
		})
	}
	if a.netlink == nil {
		return out
	}
	a.learnt.mu.Lock()
	defer a.learnt.mu.Unlock()
	n := a.netlink.Stats()
	return append(out,
		capture.Loss{Reason: "conntrack_overruns", Count: n.Overruns, Detail: "conntrack events lost; a new dump followed each time"},
		capture.Loss{Reason: "translations_refused", Count: a.joined.Refused + a.learnt.dropped, Detail: "translations not kept as too many were known"},
	)
}
