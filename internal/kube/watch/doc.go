// Package watch follows a Kubernetes API server and keeps package kube's index in step with it.
//
// It asks for six kinds: nodes, pods, Services, EndpointSlices and, of ReplicaSets and Jobs, the metadata alone. Each kind
// has a reflector of client-go of its own, which lists, watches, begins anew after a restart or an expired version (410)
// and backs off. What arrives is reduced to what naming uses before it is kept, page by page, so that memory grows with the
// index and not with the objects. A kind that is refused or does not answer degrades alone: [Watcher.Features] says so, and
// names that need it are missing or older.
//
// On a node ([Config].Node) it follows that node and its pods alone, so that its memory does not grow with the cluster.
package watch
