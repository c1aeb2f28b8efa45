package capture

import (
	"log/slog"
	"slices"

	"github.com/seine-net/seine/internal/flow"
)

// State tells how a feature is.
type State string

// The states of a feature.
const (
	Live     State = "live"
	Degraded State = "degraded"
	Off      State = "off"
)

// Feature is one thing that the kernel gives or not.
type Feature struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Means is the mechanism in use, Detail what it does and why no better one is.
	Means  string `json:"means"`
	Detail string `json:"detail"`
}

// Loss counts what is missing in records, or less exact, by reason.
type Loss struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
	Detail string `json:"detail"`
}

// Status is what a user may want to know of the capture.
type Status struct {
	Features []Feature
	// Coverage is by interface, as of the last eviction.
	Coverage []Coverage
	// Pressure is how full the flow map is, from 0 to 1; MaxFlows its size.
	Pressure float64
	MaxFlows uint32
	Losses   []Loss
	// Failed are interfaces that could not be attached to, with the reason.
	Failed map[string]string
}

// Status reads the present state.
func (c *Capture) Status() Status {
	s := Status{Pressure: c.Pressure(), MaxFlows: c.config.MaxFlows, Failed: make(map[string]string)}
	s.Features = append([]Feature{c.captureFeature(), c.natFeature(), c.dnsFeature(), c.dropFeature()}, c.socketFeatures()...)
	s.Losses = c.losses()
	c.interfaces.mu.Lock()
	defer c.interfaces.mu.Unlock()
	s.Coverage = slices.Clone(c.coverage.last)
	for index, why := range c.interfaces.failed {
		s.Failed[c.interfaces.names[index]] = why
	}
	return s
}

func (c *Capture) captureFeature() Feature {
	return Feature{Name: "capture", State: Live, Means: c.interfaces.attacher.means(), Detail: c.attachWhy}
}

func (c *Capture) natFeature() Feature {
	now := c.chosen()
	f := Feature{Name: "translation", State: Live, Means: now.source.String(), Detail: now.why}
	switch {
	case now.source == flow.NoSource:
		f.State = Off
	case now.source != flow.KFunc || !now.means.skb:
		f.State = Degraded
	}
	if hidden := c.space.ipvsHides(); hidden != "" && f.State != Off {
		f.State, f.Detail = Degraded, f.Detail+"; "+hidden
	}
	return f
}

// errorDetails explains the reasons of enum error in bpf/record.h.
var errorDetails = map[string]string{
	"map_full":          "packets that found the flow map full and came by the overflow ring; raise the map size if many",
	"ring_full":         "packets lost as the overflow ring was full, too; raise the map size",
	"truncated":         "packets whose transport header is cut short: counted without ports",
	"extension_headers": "packets with too many IPv6 extension headers: counted without ports",
	"fragment_unknown":  "fragments whose first one was not seen: counted without ports",
	"counters_full":     "packets outside flows on more interfaces than there is room for",
}

func (c *Capture) losses() []Loss {
	var out []Loss
	for reason, name := range c.objects.errorNames {
		out = append(out, Loss{Reason: name, Count: sumOf(c.objects.SeineErrors, reason), Detail: errorDetails[name]})
	}
	if c.messages != nil {
		out = append(out, c.messages.losses()...)
	}
	if c.drops != nil {
		out = append(out, c.drops.losses()...)
	}
	if c.sockets != nil {
		out = append(out, c.sockets.losses()...)
	}
	_, lost := c.overflow.losses(func(uint32) bool { return false })
	return append(out, Loss{
		Reason: "overflow_full", Count: lost,
		Detail: "packets lost as more flows overflowed in an interval than the map holds; raise the map size",
	})
}

// Lost tells whether the reason stands for packets that are in no record.
func (l Loss) Lost() bool { return l.Reason == "ring_full" || l.Reason == "overflow_full" }

// Probe tells which features this kernel gives in the process's own namespace, without attaching to an interface.
func Probe(log *slog.Logger) ([]Feature, error) {
	c, err := Open(Config{Interfaces: []string{"/^$/"}}, log)
	if err != nil {
		return nil, err
	}
	features := c.Status().Features
	return features, c.Close()
}
