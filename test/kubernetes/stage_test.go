//go:build e2e

package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long any one thing may take on a busy machine.
const patience = 3 * time.Minute

// stage is a running cluster.
type stage struct {
	t *testing.T
	// top is the project's folder.
	top string
	env []string
}

// up starts a cluster whose kube-proxy works in a mode, and takes it down with the test.
func up(t *testing.T, mode string) *stage {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, top: top, env: append(os.Environ(), "SEINE_CLUSTER_PROXY_MODE="+mode, "KUBECONFIG=/tmp/seine-cluster/kubeconfig")}
	t.Cleanup(func() {
		if t.Failed() {
			s.diagnose()
		}
		s.run("test/cluster/down")
	})
	s.run("test/cluster/down")
	s.run("test/cluster/up")
	for _, node := range []string{"node1", "node2"} {
		s.run("test/cluster/node-exec", node, "ctr", "-n", "k8s.io", "images", "import", "bin/seine-image.tar")
	}
	return s
}

// try runs a command of the project's folder to its end.
func (s *stage) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.top, name), args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.top, s.env, 5*time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		return errs.String() + out.String(), err
	}
	return out.String(), nil
}

// run fails the test unless the command ends well.
func (s *stage) run(name string, args ...string) string {
	s.t.Helper()
	out, err := s.try(name, args...)
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func (s *stage) kubectl(args ...string) string {
	s.t.Helper()
	return s.run("test/cluster/kubectl", args...)
}

// get returns what a jsonpath gives of an object.
func (s *stage) get(object, path string) string {
	s.t.Helper()
	return s.kubectl("-n", "xlat-test", "get", object, "-o", "jsonpath="+path)
}

// install installs the chart.
func (s *stage) install(args ...string) {
	s.t.Helper()
	s.run("bin/helm", append([]string{
		"install", "seine", "deploy/helm/seine", "--namespace", "seine", "--create-namespace", "--wait", "--timeout", "3m",
		"--set", "image.repository=localhost/seine,image.tag=e2e,image.pullPolicy=Never",
	}, args...)...)
}

// await returns when the condition holds; it tells what is missing, "" for nothing.
func (s *stage) await(what string, missing func() string) {
	s.t.Helper()
	begun := time.Now()
	for {
		lacks := missing()
		if lacks == "" {
			s.t.Logf("%s after %v", what, time.Since(begun).Round(100*time.Millisecond))
			return
		}
		if time.Since(begun) > patience {
			s.t.Fatalf("%s does not come: %s", what, lacks)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// diagnose logs what helps to understand a failure.
func (s *stage) diagnose() {
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "flowcollector", "-o", "yaml"},
		{"get", "events", "-A", "--field-selector", "type=Warning"},
		{"logs", "-n", "seine", "-l", "app.kubernetes.io/part-of=seine", "--tail=40", "--prefix"},
		{"logs", "-n", "netobserv", "-l", "app.kubernetes.io/part-of=seine", "--tail=40", "--prefix"},
	} {
		out, _ := s.try("test/cluster/kubectl", args...)
		s.t.Logf("kubectl %s:\n%s", strings.Join(args, " "), out)
	}
}

// record is what the tests look at of a connection.
type record struct {
	Src, Dst, Backend struct {
		Addr, Kind, Namespace, Name, Node string
		Port                              uint16
	}
	NAT, Node, Reporter string
	Primary             bool
	Fwd, Rev            struct{ Bytes, Packets uint64 }
}

// flows asks for connections as a user does.
func (s *stage) flows(args ...string) ([]record, error) {
	out, err := s.try("bin/kubectl-seine", append([]string{"flows", "-o", "json", "--last", "1000"}, args...)...)
	if err != nil {
		return nil, err
	}
	var all []record
	for line := range strings.Lines(out) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}
