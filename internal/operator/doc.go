// Package operator turns the FlowCollector of a cluster into Seine's agents and server, and keeps them so.
//
// A FlowCollector becomes values of the Helm chart (values.go, by the table in effects.go), the chart's templates become
// objects (render.go), and these are applied on the server's side, so that what others set in fields of their own stays
// (apply.go). All objects belong to the FlowCollector: the cluster removes them with it, even if the operator is gone by
// then. Certificates and tokens are made and renewed here (certificates.go). What a FlowCollector says and Seine does not
// do is named in its status; what makes no sense is refused there, with the field and what it would take, and changes
// nothing (check.go).
//
// The custom resource definition may be another operator's: then this one touches neither it nor any FlowCollector, and
// says so (definition.go). Package flowcollector has the types; the chart is package deploy's.
package operator
