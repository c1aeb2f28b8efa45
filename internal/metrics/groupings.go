package metrics

import (
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// label is a label of metrics: its name and what it means.
type label struct{ name, doc string }

// grouping says which rows are added up together: those with the same values of its labels.
type grouping struct {
	name, doc string
	dataset   *columns.Dataset
	labels    []label
	// fields are the texts that labels are made from, at most maxFields; key appends the labels' values, made of the texts.
	fields []string
	key    func(dst, texts []string) []string
}

// maxFields is the largest number of fields of a grouping.
const maxFields = 14

// The kinds of ends that are no workloads'. Package health tells ends apart in the same way.
const (
	serviceKind  = "Service"
	nodeKind     = "Node"
	externalKind = "External"
	unknownKind  = "Unknown"
)

// clientLabels and so on are the labels of ends.
var (
	clientLabels = []label{
		{"client_namespace", "Namespace of the client."},
		{"client_kind", "Kind of the client: that of its workload, such as Deployment, else Pod, Node, External, Special or Unknown."},
		{"client_workload", "Workload of the client; of nodes and of what is outside the label of its subnet, if it has one."},
	}
	serverLabels = []label{
		{"server_namespace", "Namespace of who answered, or of the Service where nobody did."},
		{"server_kind", "Kind of who answered, like client_kind; Service where no backend is known."},
		{"server_workload", "Workload of who answered, like client_workload; the Service's name where no backend is known."},
	}
	serviceLabels = []label{
		{"service_namespace", "Namespace of the Service that was dialled; empty if none was."},
		{"service_name", "Name of the Service that was dialled; empty if none was."},
	}
)

// endFields are the fields that tell who is at an end, in the order in which appendEnd takes their texts.
func endFields(side string) []string {
	return []string{side + ".kind", side + ".namespace", side + ".workload.kind", side + ".workload.name", side + ".subnet"}
}

// dialledFields are the fields that tell which Service was dialled, in the order in which appendServer takes them.
var dialledFields = []string{"dst.kind", "dst.namespace", "dst.service"}

// appendEnd appends namespace, kind and workload of an end. Names of pods and nodes are left out: they are not bounded.
func appendEnd(dst, texts []string) []string {
	kind, namespace, workloadKind, workload, subnet := texts[0], texts[1], texts[2], texts[3], texts[4]
	switch {
	case workload != "":
		return append(dst, namespace, workloadKind, workload)
	case kind == "":
		return append(dst, "", unknownKind, subnet)
	case kind == nodeKind || kind == externalKind:
		return append(dst, "", kind, subnet)
	}
	return append(dst, namespace, kind, "")
}

// appendServer appends namespace, kind and workload of who answered, else of the Service that was dialled, and namespace
// and name of the Service, if it was one.
func appendServer(dst, backend, dialled []string) []string {
	if dialled[0] != serviceKind {
		return append(appendEnd(dst, backend), "", "")
	}
	namespace, service := dialled[1], dialled[2]
	if nobody := backend[3] == "" && (backend[0] == "" || backend[0] == serviceKind); nobody {
		return append(dst, namespace, serviceKind, service, namespace, service)
	}
	return append(appendEnd(dst, backend), namespace, service)
}

// edgeKey makes the labels of an edge from the fields of edgeFields.
func edgeKey(dst, t []string) []string { return appendServer(appendEnd(dst, t[:5]), t[5:10], t[10:]) }

// serverKey makes the labels of a server from the fields of serverFields.
func serverKey(dst, t []string) []string { return appendServer(append(dst, t[0]), t[1:6], t[6:]) }

var (
	edgeFields   = slices.Concat(endFields("src"), endFields("backend"), dialledFields)
	edgeLabels   = slices.Concat(clientLabels, serverLabels, serviceLabels)
	serverFields = slices.Concat([]string{"src.namespace"}, endFields("backend"), dialledFields)
)

// asTheyAre makes labels that are the fields' texts.
func asTheyAre(dst, texts []string) []string { return append(dst, texts...) }

// The groupings. The name of each is the label "table" of the metrics about them.
var (
	edges = &grouping{
		name: "edges", doc: "client workload, who answered, and the Service dialled", dataset: columns.Flows(),
		labels: edgeLabels, fields: edgeFields, key: edgeKey,
	}
	servers = &grouping{
		name: "servers", doc: "the client's namespace, who answered, and the Service dialled", dataset: columns.Flows(),
		labels: slices.Concat(clientLabels[:1], serverLabels, serviceLabels), fields: serverFields, key: serverKey,
	}
	namespaces = &grouping{
		name: "namespaces", doc: "the client's namespace and that of who answered", dataset: columns.Flows(),
		labels: []label{clientLabels[0], {"server_namespace", "Namespace of who answered."}},
		fields: []string{"src.namespace", "backend.namespace"}, key: asTheyAre,
	}
	nodeDrops = &grouping{
		name: "node_drops", doc: "node and reason", dataset: columns.Flows(),
		labels: []label{
			{"node", "Node whose kernel dropped the packets."},
			{"reason", "Why, as the kernel calls it (enum skb_drop_reason); empty where it tells no reason."},
		},
		fields: []string{"node", "drop_reason"}, key: asTheyAre,
	}
	lookups = &grouping{
		name: "lookups", doc: "client workload and resolver", dataset: columns.Queries(),
		labels: edgeLabels, fields: edgeFields, key: edgeKey,
	}
	groupings = []*grouping{edges, servers, namespaces, nodeDrops, lookups}
)

// field returns a field of the table.
func field(name string) *flow.Field {
	f, ok := flow.FieldByName(name)
	if !ok {
		panic("BUG: no field " + name)
	}
	return f
}

func fieldsOf(names []string) (all []*flow.Field) {
	for _, name := range names {
		all = append(all, field(name))
	}
	return all
}
