package main

import (
	"fmt"
	"log/slog"

	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/export"
	"github.com/seine-net/seine/internal/server"
)

// exporters send stored records on.
type exporters []*export.Exporter

// openExporters makes those that a file names; no file is none.
func openExporters(path string, from *server.Server, log *slog.Logger) (exporters, error) {
	if path == "" {
		return nil, nil
	}
	file, err := export.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--exporters: %w", err)
	}
	opened, err := file.Open(from, versionText(), log)
	if err != nil {
		return nil, fmt.Errorf("--exporters %s: %w", path, err)
	}
	return opened, nil
}

func (e exporters) status() []export.Status {
	var all []export.Status
	for _, one := range e {
		all = append(all, one.Status())
	}
	return all
}

// exporterFeature begins the names of features that are exporters.
const exporterFeature = "exporter "

// features tells of each as seine status does of the agent's parts.
func (e exporters) features() []capture.Feature {
	var all []capture.Feature
	for _, s := range e.status() {
		f := capture.Feature{Name: exporterFeature + s.Name, State: capture.Live, Means: s.Kind}
		f.Detail = fmt.Sprintf("%d records sent to %s, %d refused, %d lost", s.Sent, s.Address, s.Refused, s.Lost)
		if s.State == export.Degraded {
			f.State, f.Detail = capture.Degraded, s.Detail+"; "+f.Detail
		}
		all = append(all, f)
	}
	return all
}
