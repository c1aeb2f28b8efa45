package health

import "slices"

// Reach says at which edges the findings of another rule follow from what was found at an edge.
type Reach string

// The reaches.
const (
	// SameEdge is the edge itself: the same client and the same server.
	SameEdge Reach = "the same edge"
	// SameServer are all clients of the edge's server.
	SameServer Reach = "the same server"
	// SameClient is whatever the edge's client calls.
	SameClient Reach = "the same client"
	// Waiting are edges to the edge's client, and to who waits for it.
	Waiting Reach = "what waits for the client"
	// Reported are edges whose records came from the node alone.
	Reported Reach = "what the node alone reported"
	// Silenced are edges of the client, of the server, and of those that they called before.
	Silenced Reach = "what is called no more by that"
)

// Effect is what follows from a rule's finding.
type Effect struct {
	Rules []string `json:"rules"`
	Where Reach    `json:"where"`
	// ByNode says that it follows where the finding is of a node, and AtLeast from which share on.
	ByNode  bool    `json:"by_node,omitempty"`
	AtLeast float64 `json:"at_least,omitempty"`
	// Same says that it is the same under a wider name, so that it is not counted.
	Same bool `json:"same,omitempty"`
}

// relation says that of findings at edges in reach of each other the one of a cause is told, and the one of an effect is
// counted there.
type relation struct {
	causes []string
	Effect
}

// Groups of rules, for the table below.
var (
	connecting = []string{
		"service-without-endpoints", "accept-queue-full", "connect-timeout", "connect-unanswered", "connect-refused",
		"connect-unreachable", "connect-aborted",
	}
	answering = []string{"dns-timeout", "dns-failure", "dns-nxdomain"}
	losing    = []string{dropsRule, "retransmits"}
	resetting = []string{"resets-by-server", "resets-by-client"}
	stalling  = []string{"server-stalls", "client-stalls"}
)

// relations is the table of what follows from what. But for those of nodes, which come first, a cause stands before its
// effects in the table of rules.
var relations = []relation{
	{losing, Effect{
		Where: SameEdge, ByNode: true,
		Rules: append([]string{
			"connect-timeout", "connect-unanswered", "connect-aborted", "dns-timeout", "dns-slow", "retransmits",
			"slow-network", "slow-handshake", "slow-connections", "traffic-stopped",
		}, resetting...),
	}},
	{[]string{silentRule}, Effect{Where: Reported, ByNode: true, Rules: []string{"traffic-stopped"}}},
	{losing, Effect{Where: Waiting, ByNode: true, Rules: append([]string{"slow-connections"}, resetting...)}},

	{[]string{"service-without-endpoints"}, Effect{Where: SameServer, Same: true, Rules: []string{
		"connect-timeout", "connect-unanswered", "connect-refused", "connect-unreachable", "connect-aborted", dropsRule,
	}}},
	{[]string{"service-without-endpoints"}, Effect{Where: SameServer, Rules: []string{"dns-timeout", "retransmits", "slow-handshake"}}},
	{[]string{"accept-queue-full"}, Effect{Where: SameServer, Rules: []string{
		"connect-timeout", "connect-unanswered", "connect-refused", "connect-aborted", dropsRule, "retransmits", "slow-handshake",
		"resets-by-server",
	}}},
	{[]string{"dns-timeout"}, Effect{Where: SameServer, Rules: append([]string{
		"connect-timeout", "connect-unanswered", "connect-refused", "connect-unreachable", "connect-aborted", dropsRule, "retransmits",
		"dns-slow", "slow-connections",
	}, resetting...)}},
	{[]string{"dns-failure"}, Effect{Where: SameServer, Rules: []string{"dns-slow"}}},
	{[]string{"connect-timeout"}, Effect{Where: SameServer, Same: true, Rules: []string{"connect-unanswered"}}},
	{[]string{"connect-timeout", "connect-unanswered", "connect-unreachable"}, Effect{Where: SameServer, Rules: []string{
		"connect-aborted", dropsRule, "retransmits", "slow-handshake", "slow-network",
	}}},
	{[]string{"connect-refused"}, Effect{Where: SameServer, Rules: []string{"connect-aborted", dropsRule, "resets-by-server"}}},
	{[]string{"connect-aborted"}, Effect{Where: SameServer, Rules: []string{dropsRule, "retransmits", "slow-handshake"}}},

	{losing, Effect{Where: SameEdge, Rules: append([]string{"slow-network", "slow-handshake", "dns-slow", "slow-connections"}, resetting...)}},
	{[]string{dropsRule}, Effect{Where: SameEdge, Rules: []string{"retransmits"}}},
	{connecting, Effect{Where: SameEdge, Rules: []string{"slow-connections", "traffic-surge"}}},
	{[]string{"resets-by-server"}, Effect{Where: SameEdge, Rules: []string{"resets-by-client", "slow-connections"}}},
	{stalling, Effect{Where: SameEdge, Rules: []string{"slow-connections"}}},
	{[]string{"slow-network"}, Effect{Where: SameEdge, Rules: []string{"slow-handshake", "dns-slow", "slow-connections"}}},
	{[]string{"slow-handshake"}, Effect{Where: SameEdge, Rules: []string{"slow-connections"}}},

	{
		slices.Concat(connecting, answering, losing, stalling, []string{"slow-network", "slow-handshake", "dns-slow"}),
		Effect{Where: Waiting, Rules: append([]string{"slow-connections"}, resetting...)},
	},
	{append([]string{"dns-slow"}, answering...), Effect{Where: SameClient, Rules: append([]string{"slow-connections"}, resetting...)}},
	{answering, Effect{Where: SameClient, Rules: []string{"traffic-surge"}}},
	{connecting, Effect{Where: Silenced, AtLeast: 0.5, Rules: []string{"traffic-stopped"}}},
	{answering, Effect{Where: Silenced, Rules: []string{"traffic-stopped"}}},
}

// explains returns what follows from a rule's findings.
func explains(rule string) (all []Effect) {
	for _, r := range relations {
		if slices.Contains(r.causes, rule) {
			all = append(all, r.Effect)
		}
	}
	return all
}

// effects are those of a rule's findings that are findings of another rule, by nodes or by edges.
func (r *Rule) effects(on string, byNode bool) (all []Effect) {
	for _, e := range r.Explains {
		if e.ByNode == byNode && slices.Contains(e.Rules, on) {
			all = append(all, e)
		}
	}
	return all
}
