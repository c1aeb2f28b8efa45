package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/seine-net/seine/internal/agent"
)

// namesLogged bounds the interfaces that are named when watching begins.
const namesLogged = 16

// warnUnwatched tells when an agent begins with nothing to watch, as a pattern can match what comes later.
func warnUnwatched(a *agent.Agent, f *captureFlags, log *slog.Logger) {
	if len(a.Interfaces()) > 0 {
		return
	}
	s := a.Status()
	log = log.With("node", s.Node, "interface", f.config.Interfaces, "exclude", f.config.Exclude)
	if len(s.Failed) > 0 {
		log.Warn("no interface is watched: attaching to those that match did not work")
		return
	}
	log.Warn("no interface matches: nothing is watched until one appears")
}

// logWatching says in one line what an agent watches, and how.
func logWatching(a *agent.Agent, log *slog.Logger) {
	s, names := a.Status(), a.Interfaces()
	means := make(map[string]string)
	for _, f := range s.Features {
		means[f.Name] = f.Means
	}
	log.Info("watching", "node", s.Node, "interfaces", len(names), "names", listed(names), "attach", means["capture"],
		"nat_source", means["translation"], "sampling", s.Sampling)
}

// listed joins names, and counts those beyond the first.
func listed(names []string) string {
	if more := len(names) - namesLogged; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namesLogged], ","), more)
	}
	return strings.Join(names, ",")
}
