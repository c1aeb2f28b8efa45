// Package flowcollector has the types of the custom resource FlowCollector, flows.netobserv.io/v1beta2, as users of
// NetObserv write it. Names and values are that resource's; what Seine does with each field is in package operator.
//
// No field has a default here: what a user did not say must not look as if he had, since all that he says and Seine does
// otherwise is named in the status. The parts of the resource that describe other programs (Loki, Prometheus, Kafka
// between agents and server, the OpenShift console) are accepted whole, as objects.
//
// +groupName=flows.netobserv.io
// +versionName=v1beta2
// +kubebuilder:object:generate=true
package flowcollector

//go:generate go tool -modfile=../../../tools/go.mod controller-gen object paths=.
//go:generate go tool -modfile=../../../tools/go.mod controller-gen crd:maxDescLen=300 paths=. output:crd:dir=../crd
