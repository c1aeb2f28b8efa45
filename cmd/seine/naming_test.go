package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// emptyCluster answers as the API server of a cluster without objects does, and fails for a resource as it is told.
type emptyCluster struct {
	mu sync.Mutex
	// fails has the status of a resource's answers; 0 never answers.
	fails map[string]int
	// expire ends each watch by a version that is gone (410).
	expire bool
}

func (c *emptyCluster) set(fails map[string]int, expire bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails, c.expire = fails, expire
}

func (c *emptyCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resource := path.Base(r.URL.Path)
	c.mu.Lock()
	code, failing := c.fails[resource]
	expire := c.expire
	c.mu.Unlock()
	answer := func(value any) { _ = json.NewEncoder(w).Encode(value) }
	failed := func(code int) map[string]any {
		reason := map[int]string{401: "Unauthorized", 403: "Forbidden", 410: "Expired", 422: "Invalid"}[code]
		return map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": resource + " refused"}
	}
	w.Header().Set("Content-Type", "application/json")
	switch query := r.URL.Query(); {
	case failing && code == 0:
		<-r.Context().Done()
	case failing:
		w.WriteHeader(code)
		answer(failed(code))
	case query.Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		answer(failed(http.StatusUnprocessableEntity))
	case query.Get("watch") != "" && expire:
		answer(map[string]any{"type": "ERROR", "object": failed(http.StatusGone)})
	case query.Get("watch") != "":
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		kind := map[string][2]string{
			"pods": {"v1", "PodList"}, "nodes": {"v1", "NodeList"}, "services": {"v1", "ServiceList"},
			"endpointslices": {"discovery.k8s.io/v1", "EndpointSliceList"},
		}[resource]
		if kind[0] == "" {
			kind = [2]string{"meta.k8s.io/v1", "PartialObjectMetadataList"}
		}
		answer(map[string]any{"apiVersion": kind[0], "kind": kind[1], "metadata": map[string]any{"resourceVersion": "7"}, "items": []any{}})
	}
}

// writeKubeconfig writes how to reach an API server.
func writeKubeconfig(t *testing.T, url string) (path string) {
	t.Helper()
	config := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"+
		"clusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {}}]\n", url)
	path = filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// asPlugin makes the program one that kubectl runs.
func asPlugin(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "kubectl-seine")
	if err := os.Symlink(program, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPluginWithoutRights ends as where a token is refused, and says who refuses.
func TestPluginWithoutRights(t *testing.T) {
	cluster := &emptyCluster{}
	api := httptest.NewServer(cluster)
	defer api.Close()
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		cluster.set(map[string]int{"pods": code}, false)
		got := runAs(t, nil, asPlugin(t), "flows", "--kubeconfig", writeKubeconfig(t, api.URL))
		if want := "the cluster at " + api.URL + " refuses: look for Seine's server: pods refused"; got.code != exitRefused || !strings.Contains(got.errs, want) {
			t.Errorf("%d: exit code %d, errors %q", code, got.code, got.errs)
		}
	}
	api.Close()
	if got := runAs(t, nil, asPlugin(t), "flows", "--kubeconfig", writeKubeconfig(t, api.URL)); got.code != exitUnreachable {
		t.Errorf("a cluster that is away: exit code %d, errors %q", got.code, got.errs)
	}
}

// TestStatusTellsWhatNamesLack has an API server that is slow, refuses, loses versions and goes away: the status gives the
// reason for each kind of object, and records are taken all the while.
func TestStatusTellsWhatNamesLack(t *testing.T) {
	cluster := &emptyCluster{fails: map[string]int{"pods": 0, "services": http.StatusForbidden, "nodes": http.StatusUnauthorized}}
	api := httptest.NewServer(cluster)
	defer api.Close()
	defer api.CloseClientConnections()
	plugin := asPlugin(t)
	s := serve(t, "--data-dir", t.TempDir(), "--kube", writeKubeconfig(t, api.URL))
	says := func(when string, parts ...string) {
		t.Helper()
		out := ""
		s.await(when, func() bool {
			out = runAs(t, nil, plugin, "status", "--api", s.api).out
			for _, part := range parts {
				if lacks, not := strings.CutPrefix(part, "not "); strings.Contains(out, lacks) == not {
					return false
				}
			}
			return true
		})
		s.feed(shopRecords()[:1])
	}
	says("slow, forbidden, unauthorized",
		"server: names: pods is degraded: the list of pods is awaited for ",
		"server: names: services is degraded: no Services: services refused (the role lacks get, list, watch)",
		"server: names: nodes is degraded: no nodes, zones and regions: nodes refused (the token or certificate is not accepted)",
		"not names: endpointslices")
	cluster.set(nil, true)
	api.CloseClientConnections()
	says("versions expire, and are listed anew", "not is degraded")
	cluster.set(nil, false)
	says("all is well", "not is degraded")
	api.CloseClientConnections()
	api.Close()
	says("the server is away", "server: names: pods is degraded: pods as they were ", "server: names: services is degraded: Services as they were ")
	if got := s.ask("flows", "-o", "json", "--last", "10"); strings.Count(got.out, `"frontend-1"`) < 4 {
		t.Errorf("records were lost meanwhile: %s", got.out)
	}
}
