// Package deploy holds what Seine is installed by: the Helm chart, which the operator renders, too, so that there is one
// source of manifests. Beside it lie rules for Prometheus, of which the chart has a copy as it cannot read outside of its
// folder, and a dashboard for Grafana.
package deploy

//go:generate cp prometheus/rules.yaml helm/seine/files/rules.yaml

import "embed"

// Chart is the Helm chart, below ChartDir.
//
//go:embed all:helm/seine
var Chart embed.FS

// ChartDir is the folder of the chart in Chart.
const ChartDir = "helm/seine"
