package health

import (
	"strconv"
	"strings"

	"github.com/seine-net/seine/internal/query"
)

// Entity is who is at an end: a workload such as a Deployment, a Service, the nodes, or what is outside.
type Entity struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	// Name is empty for the nodes as a whole and for what is outside and has no label.
	Name string `json:"name,omitempty"`
}

// The kinds that are not workloads'.
const (
	serviceKind  = "Service"
	nodeKind     = "Node"
	externalKind = "External"
	unknownKind  = "Unknown"
	podKind      = "Pod"
)

// String returns namespace/name, or what people call it.
func (e Entity) String() string {
	switch {
	case e.Name != "" && e.Namespace != "":
		return e.Namespace + "/" + e.Name
	case e.Name != "":
		return e.Name
	case e.Kind == nodeKind:
		return "nodes"
	case e.Kind == externalKind:
		return "the outside"
	}
	return "unknown"
}

// seenFrom leaves the namespace out where the other has the same.
func (e Entity) seenFrom(other Entity) string {
	if e.Name != "" && e.Namespace != "" && e.Namespace == other.Namespace {
		return e.Name
	}
	return e.String()
}

// edgeKeys are the fields that tell edges apart. A client's Service and what a dialled Service has no controller of are
// left out.
var edgeKeys = []string{
	"src.kind", "src.namespace", "src.workload.kind", "src.workload.name", "src.subnet",
	"dst.kind", "dst.namespace", "dst.service",
	"backend.kind", "backend.namespace", "backend.workload.kind", "backend.workload.name", "backend.subnet",
}

// Edge is a client and what it calls: the Service that it dialled, else who answered.
type Edge struct{ Src, Dst Entity }

// String returns "client → server".
func (e Edge) String() string { return e.Src.String() + " → " + e.Dst.seenFrom(e.Src) }

// edgeOf reads the edge of a row of an answer that is grouped by edgeKeys.
func edgeOf(r answerRow) Edge {
	return Edge{Src: r.end("src"), Dst: r.dialled()}
}

// dialled is the Service that was dialled, else who answered.
func (r answerRow) dialled() Entity {
	if r.text("dst.kind") == serviceKind {
		return Entity{serviceKind, r.text("dst.namespace"), r.text("dst.service")}
	}
	return r.end("backend")
}

// end is who is at an end.
func (r answerRow) end(side string) Entity {
	switch kind := r.text(side + ".kind"); {
	case r.text(side+".workload.name") != "":
		return Entity{r.text(side + ".workload.kind"), r.text(side + ".namespace"), r.text(side + ".workload.name")}
	case kind == "":
		return Entity{Kind: unknownKind, Name: r.text(side + ".subnet")}
	case kind == nodeKind || kind == externalKind:
		return Entity{Kind: kind, Name: r.text(side + ".subnet")}
	default:
		return Entity{Kind: kind, Namespace: r.text(side + ".namespace")}
	}
}

// filter is the condition in CEL on the rows of an edge; an entity without a kind is any.
func (e Edge) filter() string { return joined(e.Src.filter("src"), e.Dst.dialledFilter()) }

func (e Entity) dialledFilter() string {
	if e.Kind == serviceKind {
		return joined(`dst.kind == "Service"`, equal("dst.namespace", e.Namespace), equal("dst.service", e.Name))
	}
	return joined(`dst.kind != "Service"`, e.filter("backend"))
}

func (e Entity) filter(side string) string {
	switch {
	case e == Entity{}:
		return ""
	case e.Kind == unknownKind:
		return joined("!known("+side+".kind)", equal(side+".subnet", e.Name))
	case e.Kind == nodeKind || e.Kind == externalKind:
		return joined(equal(side+".kind", e.Kind), equal(side+".workload.name", ""), equal(side+".subnet", e.Name))
	case e.Name == "":
		return joined(equal(side+".kind", e.Kind), equal(side+".namespace", e.Namespace), equal(side+".workload.name", ""))
	}
	return joined(equal(side+".namespace", e.Namespace), equal(side+".workload.kind", e.Kind), equal(side+".workload.name", e.Name))
}

// joined joins conditions that must all hold; empty ones are left out.
func joined(conditions ...string) string {
	var all []string
	for _, c := range conditions {
		if c != "" {
			all = append(all, c)
		}
	}
	return strings.Join(all, " && ")
}

func equal(field, text string) string { return field + " == " + strconv.Quote(text) }

// answerRow is a row of an answer.
type answerRow struct {
	block   *query.Block
	columns map[string]int
	row     int
}

func (r answerRow) text(name string) string {
	i, ok := r.columns[name]
	if !ok {
		return ""
	}
	return r.block.Columns[i].Texts[r.row]
}
