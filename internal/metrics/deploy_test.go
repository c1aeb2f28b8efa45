package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// told is what may stand in a query: the names of series, and all labels.
func told() (names, labels map[string]bool) {
	names, labels = make(map[string]bool), map[string]bool{"le": true, "instance": true, "job": true}
	for i := range families {
		f := &families[i]
		if f.isHistogram() {
			names[f.name+"_bucket"], names[f.name+"_sum"], names[f.name+"_count"] = true, true, true
		} else {
			names[f.name] = true
		}
		for _, l := range f.labels() {
			labels[l.name] = true
		}
	}
	for i := range owns {
		names[owns[i].name] = true
		for _, l := range owns[i].labels {
			labels[l.name] = true
		}
	}
	return names, labels
}

var (
	nameInQuery  = regexp.MustCompile(`\bseine_[a-z0-9_]+`)
	groupInQuery = regexp.MustCompile(`\bby \(([^)]*)\)`)
	labelInQuery = regexp.MustCompile(`[{,]\s*([a-z_]+)\s*(?:=|!=|=~|!~)"`)
)

// checkQuery wants every name and label of a query to be one that is exported.
func checkQuery(t *testing.T, where, query string) {
	t.Helper()
	names, labels := told()
	found := nameInQuery.FindAllString(query, -1)
	if len(found) == 0 {
		t.Errorf("%s: %q asks for no metric of Seine", where, query)
	}
	for _, name := range found {
		if !names[name] {
			t.Errorf("%s: %s is not exported", where, name)
		}
	}
	var used []string
	for _, group := range groupInQuery.FindAllStringSubmatch(query, -1) {
		used = append(used, strings.Split(group[1], ", ")...)
	}
	for _, matcher := range labelInQuery.FindAllStringSubmatch(query, -1) {
		used = append(used, matcher[1])
	}
	for _, name := range used {
		if !labels[name] {
			t.Errorf("%s: no metric has the label %q", where, name)
		}
	}
}

// rulesFile is a file of rules, as Prometheus reads it.
type rulesFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Record, Alert, Expr, For string
			Labels, Annotations      map[string]string
		}
	}
}

// TestRules wants rules that somebody can act on, a dozen at most, of metrics that there are.
func TestRules(t *testing.T) {
	text, err := os.ReadFile("../../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file rulesFile
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			count++
			checkQuery(t, r.Alert+r.Record, r.Expr)
			if r.Record != "" {
				continue
			}
			for _, member := range []string{r.Alert, r.For, r.Labels["severity"], r.Annotations["summary"], r.Annotations["description"], r.Annotations["run"]} {
				if member == "" {
					t.Errorf("%s: want alert, for, severity, summary, description and run", r.Alert)
				}
			}
		}
	}
	if count < 5 || count > 12 {
		t.Errorf("%d rules, want 5 to 12", count)
	}
	copied, err := os.ReadFile("../../deploy/helm/seine/files/rules.yaml")
	if err != nil || string(copied) != string(text) {
		t.Errorf("the chart's copy of the rules is another (error %v): make generate", err)
	}
}

// TestDashboard wants panels of metrics that there are, from the data source that is chosen.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../deploy/grafana/seine.json")
	if err != nil {
		t.Fatal(err)
	}
	type source struct{ Type, UID string }
	var dashboard struct {
		Title, UID string
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
		Panels []struct {
			ID         int
			Title      string
			Datasource source
			Targets    []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Templating.List) == 0 || dashboard.Templating.List[0].Type != "datasource" || dashboard.Title == "" || dashboard.UID == "" {
		t.Errorf("want a title, a uid and a variable for the data source first: %+v", dashboard.Templating)
	}
	var seen []int
	for _, p := range dashboard.Panels {
		if slices.Contains(seen, p.ID) || p.Title == "" || len(p.Targets) == 0 || p.Datasource != (source{"prometheus", "${datasource}"}) {
			t.Errorf("panel %d %q: want its own number, a title, queries and the chosen data source", p.ID, p.Title)
		}
		seen = append(seen, p.ID)
		for _, target := range p.Targets {
			checkQuery(t, p.Title, target.Expr)
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d panels, want many", len(seen))
	}
}
