package otlp

import (
	"strings"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// conventions are the fields that OpenTelemetry's semantic conventions have a name for, with just our meaning. The end
// and the node of a row are the record's time and host.name of its resource.
var conventions = map[string]string{
	"proto":       "network.transport",
	"iface":       "network.interface.name",
	"dns.name":    "dns.question.name",
	"dns.answers": "dns.answers",
}

// ends are what the fields of an end of the connection begin with.
var ends = map[string]string{"src": "source.", "dst": "destination.", "backend": ownPrefix + "backend."}

// conventionsOfEnds follow that: source.address, and for what the conventions name without a side, with ours before it.
var conventionsOfEnds = map[string]string{
	"addr":              "address",
	"port":              "port",
	"namespace":         "k8s.namespace.name",
	"node":              "k8s.node.name",
	"zone":              "cloud.availability_zone",
	"region":            "cloud.region",
	"process.pid":       "process.pid",
	"process.container": "container.id",
	"process.pod_uid":   "k8s.pod.uid",
}

const (
	// ownPrefix is that of attributes which the conventions have no name for.
	ownPrefix = "seine."
	// timeField and nodeField are no attributes.
	timeField, nodeField = "end", "node"
	// networkType is made of sourceAddress.
	networkType, sourceAddress = "network.type", "src.addr"
)

// attributeName is the attribute that a field becomes; "" is none.
func attributeName(f *flow.Field) string {
	if f.Name == timeField || f.Name == nodeField {
		return ""
	}
	if name, ok := conventions[f.Name]; ok {
		return name
	}
	end, rest, _ := strings.Cut(f.Name, ".")
	if name, ok := conventionsOfEnds[rest]; ok && ends[end] != "" {
		return ends[end] + name
	}
	return ownPrefix + f.Name
}

// attributeType is the type of an attribute's values, as the conventions call it.
func attributeType(f *flow.Field) string {
	switch {
	case f.Kind == flow.FlagsField || isList(f):
		return "string[]"
	case columns.IsText(f):
		return "string"
	case f.Kind == flow.BoolField:
		return "boolean"
	}
	return "int"
}

// isList says whether a text is several, joined by commas.
func isList(f *flow.Field) bool { return f.Name == "dns.answers" }
