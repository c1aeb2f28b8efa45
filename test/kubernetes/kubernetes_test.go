//go:build e2e

package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// requests is how many connections the client makes.
const requests = 5

// filter is the article's: traffic whose destination is a Service of the namespace.
const filter = `dst.kind == "Service" && dst.namespace == "xlat-test"`

// translated leaves out what was refused before kube-proxy knew the server.
const translated = filter + ` && primary && proto == "TCP" && nat == "dnat"`

// TestOperator has the FlowCollector of NetObserv's article, word for word, where kube-proxy writes iptables rules.
func TestOperator(t *testing.T) {
	s := up(t, "iptables")
	s.install("--set", "operator.enabled=true,operator.values.server.persistence.enabled=false")
	s.kubectl("apply", "-f", "test/kubernetes/testdata/flowcollector.yaml")
	s.await("FlowCollector ready", func() string {
		out, err := s.try("test/cluster/kubectl", "get", "flowcollector", "cluster", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[*].message}`)
		if err != nil || !strings.HasPrefix(out, "True ") {
			return out
		}
		return ""
	})
	s.checkTranslated()
	s.checkNodes()
	s.checkQueries()
	s.checkRefusal()
	s.kubectl("delete", "flowcollector", "cluster", "--wait")
	s.awaitNothing("netobserv")
}

// TestChart has the Helm chart alone, where kube-proxy writes nftables rules.
func TestChart(t *testing.T) {
	s := up(t, "nftables")
	s.install("--set", "server.persistence.enabled=false,agent.hostCgroups=false",
		"--set-json", `server.exporters=[{"name":"away","ipfix":{"collector":"10.89.0.2:4739"}}]`)
	s.checkTranslated()
	s.checkExporter()
	s.checkNoGroups()
	s.checkNodes()
	s.checkTenant("seine")
	s.checkChurn()
	s.run("bin/helm", "uninstall", "seine", "--namespace", "seine", "--wait")
	s.awaitNothing("seine")
}

// checkTranslated runs the article's client and Service, and finds each of its connections once, in both directions,
// with the Service that was dialled, the pod that answered, and the pod that asked.
func (s *stage) checkTranslated() {
	t := s.t
	t.Helper()
	s.kubectl("apply", "-f", "test/kubernetes/testdata/workload.yaml")
	s.kubectl("-n", "xlat-test", "wait", "--for=condition=Ready", "pod/client", "pod/hello-pod", "--timeout=120s")
	service := s.get("service/hello-pod", "{.spec.clusterIP}")
	s.await("the Service answers", func() string {
		out, _ := s.try("test/cluster/kubectl", "-n", "xlat-test", "exec", "client", "--", "netpod", "get", "-t", "2s", "http://"+service+":80/")
		if !strings.HasPrefix(out, "200 OK pod=hello-pod") {
			return out
		}
		return ""
	})
	s.kubectl("-n", "xlat-test", "exec", "client", "--", "netpod", "get", "-n", fmt.Sprint(requests), "http://"+service+":80/")
	s.await("all connections are recorded", func() string { return s.lacking(service) })
	s.checkFlowLogs()
	if out := s.run("bin/kubectl-seine", "status"); strings.Count(out, "connected") != 2 || strings.Contains(out, "lost:") {
		t.Errorf("the status is not of two connected agents without losses:\n%s", out)
	}
}

// checkNodes has a client on one node and a server on each behind one Service: a connection counts once, by the client's
// node, and the server's node reports it, too. Both nodes share a kernel, and neither takes the other's for its own.
func (s *stage) checkNodes() {
	s.t.Helper()
	s.kubectl("apply", "-f", "test/cluster/manifests/echo.yaml")
	s.kubectl("-n", "demo", "rollout", "status", "deployment/echo", "--timeout=120s")
	s.kubectl("-n", "demo", "wait", "--for=condition=Ready", "pod/client", "--timeout=120s")
	s.await("the Service has both servers", func() string {
		out, _ := s.try("test/cluster/kubectl", "-n", "demo", "exec", "client", "--", "netpod", "get", "-n", "20", "-i", "20ms", "-t", "2s", "http://echo.demo/")
		for pod := range strings.FieldsSeq(s.kubectl("-n", "demo", "get", "pods", "-l", "app=echo", "-o", "jsonpath={.items[*].metadata.name}")) {
			if !strings.Contains(out, "pod="+pod+" ") {
				return out
			}
		}
		return ""
	})
	s.await("each connection counts once", func() string {
		dialled, err := s.flows(`dst.kind == "Service" && dst.namespace == "demo" && src.name == "client" && proto == "TCP" && nat == "dnat"`)
		if err != nil {
			return err.Error()
		}
		connections, nodes := make(map[uint16]bool), make(map[string]bool)
		for _, r := range dialled {
			if !r.Primary || r.Node != "node1" || r.Backend.Kind != "Pod" {
				return fmt.Sprintf("a record of the client's node is %+v; want it primary, of node1, with the pod that answered", r)
			}
			connections[r.Src.Port], nodes[r.Backend.Node] = true, true
		}
		// The server's node sees the connection as it comes, with the pod's address. To name reporters asks for all of them.
		arrived, err := s.flows(`dst.kind == "Pod" && dst.namespace == "demo" && src.name == "client" && proto == "TCP" && reporter in ["client", "server"]`)
		if err != nil {
			return err.Error()
		}
		for _, r := range arrived {
			if r.Primary || r.Node != "node2" || r.Dst.Node != "node2" || !connections[r.Src.Port] {
				return fmt.Sprintf("a record of the server's node is %+v; want it of node2, of a known connection, and not primary", r)
			}
		}
		if len(connections) < 20 || len(nodes) < 2 || len(arrived) == 0 {
			return fmt.Sprintf("%d connections to servers on %v, %d records of the server's node", len(connections), nodes, len(arrived))
		}
		return ""
	})
}

// checkQueries finds the client's DNS queries, with the resolver's Service, the pod that answered, and the process and
// container that asked.
func (s *stage) checkQueries() {
	s.t.Helper()
	_, container, _ := strings.Cut(s.kubectl("-n", "demo", "get", "pod/client", "-o", "jsonpath={.status.containerStatuses[0].containerID}"), "://")
	want := "demo,client,netpod," + container + ",Service,kube-system,kube-dns,Pod,Deployment,coredns,"
	s.await("queries are named", func() string {
		out, _ := s.try("bin/kubectl-seine", "query", "--dataset", "dns", "--filter", `src.name == "client" && dns.name == "echo.demo.svc.cluster.local"`,
			"--group-by", "src.namespace,src.name,src.process.name,src.process.container,dst.kind,dst.namespace,dst.name,backend.kind,backend.workload.kind,backend.workload.name", "--measure", "count()", "-o", "csv")
		if !strings.Contains(out, want) {
			return out
		}
		return ""
	})
}

// checkExporter has the server read its exporters, and go on while the collector of one, on the control plane's host, is away.
func (s *stage) checkExporter() {
	s.t.Helper()
	s.await("the exporter tells of its collector", func() string {
		out, err := s.try("bin/kubectl-seine", "status")
		if err != nil || !strings.Contains(out, "exporter: away is degraded: ipfix collector 10.89.0.2:4739 by tcp: dial tcp 10.89.0.2:4739: connect: connection refused") {
			return out
		}
		return ""
	})
}

// checkNoGroups has agents that do not see the host's control groups say what they lack, and how to mend it.
func (s *stage) checkNoGroups() {
	s.t.Helper()
	if out := s.run("bin/kubectl-seine", "status"); !strings.Contains(out, "mount the host's /sys/fs/cgroup") {
		s.t.Errorf("the status does not say why processes of UDP are not known:\n%s", out)
	}
}

// checkFlowLogs finds the pod that answered in NetObserv's format, by the names that its users know.
func (s *stage) checkFlowLogs() {
	s.t.Helper()
	out := s.run("bin/kubectl-seine", "flows", "-o", "netobserv", translated)
	for line := range strings.Lines(out) {
		var log map[string]any
		if err := json.Unmarshal([]byte(line), &log); err != nil {
			s.t.Fatal(err)
		}
		ends := []string{"Src", "Dst"}
		if log["DstK8S_Type"] == "Service" {
			ends = []string{"Dst", "Src"}
		}
		for name, want := range map[string]any{
			ends[0] + "K8S_Type": "Service", ends[0] + "K8S_Name": "hello-pod", ends[0] + "K8S_Namespace": "xlat-test", ends[0] + "Port": 80.0,
			"Xlat" + ends[0] + "K8S_Type": "Pod", "Xlat" + ends[0] + "K8S_Name": "hello-pod", "Xlat" + ends[0] + "K8S_Namespace": "xlat-test",
			"Xlat" + ends[0] + "Port": 8080.0, "Xlat" + ends[0] + "Addr": s.get("pod/hello-pod", "{.status.podIP}"),
			ends[1] + "K8S_Name": "client", "Xlat" + ends[1] + "K8S_Name": "client",
		} {
			if log[name] != want {
				s.t.Fatalf("%s is %v in %s; want %v", name, log[name], line, want)
			}
		}
	}
}

// lacking tells what of the connections is not as it must be.
func (s *stage) lacking(service string) string {
	client, backend := s.get("pod/client", "{.status.podIP}"), s.get("pod/hello-pod", "{.status.podIP}")
	node := s.get("pod/client", "{.spec.nodeName}")
	records, err := s.flows(translated)
	if err != nil {
		return err.Error()
	}
	connections := make(map[uint16]int)
	for _, r := range records {
		connections[r.Src.Port]++
		got := fmt.Sprintf("%s/%s %s -> %s %s/%s %s:%d => %s %s/%s %s:%d, %s, on %s", r.Src.Namespace, r.Src.Name, r.Src.Addr,
			r.Dst.Kind, r.Dst.Namespace, r.Dst.Name, r.Dst.Addr, r.Dst.Port,
			r.Backend.Kind, r.Backend.Namespace, r.Backend.Name, r.Backend.Addr, r.Backend.Port, r.NAT, r.Node)
		want := fmt.Sprintf("xlat-test/client %s -> Service xlat-test/hello-pod %s:80 => Pod xlat-test/hello-pod %s:8080, dnat, on %s",
			client, service, backend, node)
		if got != want {
			return fmt.Sprintf("a record is\n%s; want\n%s", got, want)
		}
		if r.Fwd.Bytes == 0 || r.Rev.Bytes == 0 {
			return fmt.Sprintf("a record lacks a direction: %+v", r)
		}
	}
	if len(connections) < requests {
		return fmt.Sprintf("%d connections of at least %d are there, in %d records", len(connections), requests, len(records))
	}
	for port, n := range connections {
		if n > 2 { // A connection that lasts into another interval has a record there, too.
			return fmt.Sprintf("the connection of port %d has %d primary records", port, n)
		}
	}
	return ""
}

// checkTenant has a user who may list the pods of one namespace see that one's connections alone.
func (s *stage) checkTenant(namespace string) {
	s.t.Helper()
	s.kubectl("-n", "demo", "create", "serviceaccount", "dev")
	s.kubectl("-n", "demo", "create", "rolebinding", "dev", "--clusterrole=view", "--serviceaccount=demo:dev")
	s.kubectl("-n", namespace, "create", "rolebinding", "dev", "--role=seine-viewer", "--serviceaccount=demo:dev")
	token := strings.TrimSpace(s.kubectl("-n", "demo", "create", "token", "dev"))
	config := filepath.Join(s.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: dev}}]\n"+
		"clusters: [{name: c, cluster: {server: 'https://127.0.0.1:26443', insecure-skip-tls-verify: true}}]\nusers: [{name: dev, user: {token: %s}}]\n", token)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	as := []string{"--kubeconfig", config, "--server-namespace", namespace}
	mine, err := s.flows(append(as, `dst.namespace == "demo"`)...)
	if err != nil || len(mine) == 0 {
		s.t.Fatalf("the user's own connections: %d, %v; want some", len(mine), err)
	}
	others, err := s.flows(append(as, filter)...)
	if err != nil || len(others) > 0 {
		s.t.Fatalf("connections of another namespace: %d, %v; want none", len(others), err)
	}
}

// checkRefusal has a FlowCollector that makes no sense change nothing, and say why.
func (s *stage) checkRefusal() {
	s.t.Helper()
	patch := `{"spec":{"agent":{"ebpf":{"cacheActiveTimeout":"%s"}}}}`
	if out, err := s.try("test/cluster/kubectl", "patch", "flowcollector", "cluster", "--type", "merge", "-p", fmt.Sprintf(patch, "soon")); err == nil || !strings.Contains(out, "spec.agent.ebpf.cacheActiveTimeout") {
		s.t.Errorf("a time that is none: %v: %s; want it refused by the API server", err, out)
	}
	s.kubectl("patch", "flowcollector", "cluster", "--type", "merge", "-p", fmt.Sprintf(patch, "1ms"))
	s.await("the refusal is told", func() string {
		out := s.kubectl("get", "flowcollector", "cluster", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].message}`)
		if !strings.Contains(out, `spec.agent.ebpf.cacheActiveTimeout: "1ms": want`) {
			return out
		}
		return ""
	})
}

// awaitNothing returns when nothing of Seine is left but an operator: no object, no program on an interface, no qdisc.
func (s *stage) awaitNothing(namespace string) {
	s.t.Helper()
	const kinds = "daemonset,statefulset,service,pod,secret,networkpolicy,poddisruptionbudget,serviceaccount,role"
	s.await("everything is gone", func() string {
		out := s.kubectl("-n", namespace, "get", kinds, "-l", "app.kubernetes.io/component in (agent,server,tls)", "-o", "name") +
			s.kubectl("get", "clusterrole,clusterrolebinding", "-l", "app.kubernetes.io/component in (agent,server)", "-o", "name")
		for _, node := range []string{"node1", "node2"} {
			out += attached(s.t, node)
			if qdiscs := s.run("test/cluster/node-exec", node, "tc", "qdisc", "show"); strings.Contains(qdiscs, "clsact") {
				out += node + " has " + qdiscs
			}
		}
		return out
	})
}
