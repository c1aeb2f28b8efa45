package capture

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
)

// choice is the outcome of choosing where translations come from.
type choice struct {
	means   kernelMeans
	probe   string
	source  flow.NATSource
	netlink bool
	why     string
	// refused tells of each better choice why it was not made.
	refused []string
	// probing is the probe at work.
	probing closers
}

// attempt is one way of getting translations, best first.
type attempt struct {
	name   string
	choice choice
	// needs returns why the kernel cannot do it, or nil.
	needs func(*kernel) error
	// joined tells that two sources are at work, which is for auto alone.
	joined bool
}

var attempts = []attempt{
	{SourceKFunc, choice{means: kernelMeans{skb: true, lookup: true}, source: flow.KFunc}, all(needSKB, needLookup), false},
	{SourceKFunc, choice{means: kernelMeans{skb: true}, source: flow.KFunc}, needSKB, false},
	// A look-up also sees what is translated without NAT, by IPVS; a probe every protocol and zone.
	{SourceFEntry, choice{means: kernelMeans{lookup: true}, probe: fentryProgram, source: flow.FEntry}, all(needLookup, needFEntry), true},
	{SourceKProbe, choice{means: kernelMeans{lookup: true}, probe: kprobeProgram, source: flow.KProbe}, all(needLookup, needKProbe), true},
	{SourceFEntry, choice{probe: fentryProgram, source: flow.FEntry}, needFEntry, false},
	{SourceKProbe, choice{probe: kprobeProgram, source: flow.KProbe}, needKProbe, false},
	{SourceKFunc, choice{means: kernelMeans{lookup: true}, source: flow.KFunc}, needLookup, false},
	{SourceCTNetlink, choice{netlink: true, source: flow.CTNetlink}, all(), false},
	{SourceNone, choice{}, all(), false},
}

// all needs everything that is needed by each.
func all(needs ...func(*kernel) error) func(*kernel) error {
	return func(k *kernel) error {
		for _, need := range needs {
			if err := need(k); err != nil {
				return err
			}
		}
		return nil
	}
}

// loadBest loads with the best source of translations that is wanted and works, and tells why.
func loadBest(c *Config, rules []bpf.FilterRule, ns *namespace, log *slog.Logger) (*objects, choice, error) {
	k := readKernel()
	if !k.hasFunc(lookupFunction) {
		loadConntrack(ns, log)
		k = readKernel()
	}
	var refused []string
	var last error
	for _, a := range attempts {
		auto := c.NATSource == SourceAuto
		if !auto && (c.NATSource != a.name || a.joined) {
			continue
		}
		// NAT's own function, which a probe watches, does not see what IPVS translates.
		if auto && a.choice.probe != "" && !a.choice.means.lookup && isLoaded(ipvsModule) {
			a.choice.netlink = true
		}
		o, probe, err := a.open(k, c, rules, ns)
		if err == nil {
			a.choice.refused, a.choice.probing = refused, probe
			a.choice.why = a.choice.explain()
			return o, a.choice, nil
		}
		log.Debug("source of translations not used", "source", a.choice.label(a.name), "error", fmt.Sprintf("%+v", err))
		if last == nil || err.Error() != last.Error() {
			refused = append(refused, fmt.Sprintf("%s: %v", a.choice.label(a.name), explain(err)))
		}
		last = err
	}
	if c.NATSource == SourceAuto || c.NATSource == SourceNone {
		return nil, choice{}, explain(last)
	}
	return nil, choice{}, fmt.Errorf("NAT source %s: %w", c.NATSource, explain(last))
}

// open loads, and attaches the probe where the attempt has one. It leaves nothing behind when it fails.
func (a *attempt) open(k *kernel, c *Config, rules []bpf.FilterRule, ns *namespace) (*objects, closers, error) {
	if err := a.needs(k); err != nil {
		return nil, nil, err
	}
	o, err := load(c, rules, a.choice.means)
	if err != nil || a.choice.probe == "" {
		return o, nil, err
	}
	probe, err := openProbe(a.choice.probe, o.SeineNat, ns.inode)
	if err != nil {
		return nil, nil, errors.Join(err, o.Close())
	}
	return o, probe, nil
}

// explain tells what the choice does, and why no better one was made.
func (c choice) explain() string {
	if len(c.refused) == 0 {
		return c.describe()
	}
	return c.describe() + "; better ones that do not work here: " + strings.Join(c.refused, "; ")
}

// WithoutEvents tells that conntrack's events, which Source asked for, are not to be had. It returns an error where they
// were asked for by name. Else the capture goes on with what else there is, and its status says so.
func (c *Capture) WithoutEvents(why error) error {
	if c.config.NATSource != SourceAuto {
		return fmt.Errorf("NAT source %s: %w", SourceCTNetlink, why)
	}
	to := c.chosen()
	to.netlink, to.refused = false, append(to.refused, fmt.Sprintf("%s: %v", SourceCTNetlink, why))
	if to.source == flow.CTNetlink {
		to.source = flow.NoSource
	}
	to.why = to.explain()
	c.choose(to)
	return nil
}

func (c choice) label(name string) string {
	switch {
	case c.means.skb && c.means.lookup:
		return name + " (packet's entry and look-up)"
	case c.means.skb:
		return name + " (packet's entry)"
	case c.means.lookup && c.probe != "":
		return name + " (with look-up)"
	case c.means.lookup:
		return name + " (look-up)"
	}
	return name
}

func (c choice) describe() string {
	switch {
	case c.means.skb && c.means.lookup:
		return "reads each packet's own conntrack entry, and looks up those that bear none"
	case c.means.skb:
		return "reads each packet's own conntrack entry"
	case c.means.lookup && c.probe != "":
		return "reads the conntrack entry of each packet that NAT rewrites, and looks TCP and UDP packets up"
	case c.means.lookup:
		return "looks packets up in conntrack; TCP and UDP in the default zone only"
	case c.probe != "" && c.netlink:
		return "reads the conntrack entry of each packet that NAT rewrites, and listens to conntrack's events for IPVS"
	case c.probe != "":
		return "reads the conntrack entry of each packet that NAT rewrites"
	case c.netlink:
		return "listens to conntrack's events"
	}
	return "translations are not looked for"
}

// loadConntrack has the kernel load conntrack, by asking it for connections (nfnetlink_rcv_msg requests the module):
// without its types the programs cannot be fitted to it. That alone tracks nothing; rules do.
func loadConntrack(ns *namespace, log *slog.Logger) {
	err := ns.do(func() error {
		_, err := netlink.ConntrackTableList(netlink.ConntrackTable, unix.AF_INET)
		return err
	})
	if err != nil {
		log.Debug("conntrack not loaded", "error", err)
	}
}
