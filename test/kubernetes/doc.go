// Package kubernetes has the tests of Seine on a real cluster of two nodes (test/cluster), as its users install it: by
// the Helm chart, and by the operator with the FlowCollector that NetObserv's users write. They need root, an image and
// helm, which `make e2e-kubernetes` makes, and are built with the tag e2e alone.
//
// What is asked goes through kubectl seine: port-forward, TLS and token are as users have them.
package kubernetes
