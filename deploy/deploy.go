// Package deploy holds what Seine is installed by: the Helm chart, which the operator renders, too, so that there is one
// source of manifests.
package deploy

import "embed"

// Chart is the Helm chart, below ChartDir.
//
//go:embed all:helm/seine
var Chart embed.FS

// ChartDir is the folder of the chart in Chart.
const ChartDir = "helm/seine"
