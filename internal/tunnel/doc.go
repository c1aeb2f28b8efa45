// Package tunnel reaches the server of Seine in a Kubernetes cluster by the user's own kubeconfig, as kubectl
// port-forward does, and finds the token to present there.
//
// The API server, and the kubelet behind it, prove to be who they are and lead to the pod: that is why its certificate,
// which nobody outside the cluster can check, is not looked at. The token is the user's own where his kubeconfig has one,
// so that the server can ask what he may see; else, as with client certificates, one of the server's own, which takes the
// right to read its Secret. The package keeps no token and writes none.
package tunnel
