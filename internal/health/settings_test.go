package health

import (
	"slices"
	"strings"
	"testing"
)

// TestSettingsWrong expects errors that name the place, the value and what would be accepted.
func TestSettingsWrong(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := ParseSettings([]byte(text))
		if err == nil {
			t.Errorf("%q: no error", text)
			return
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: error %q lacks %q", text, err, part)
			}
		}
	}
	f("rules: {traffic-stoped: {}}", "line 1", "rules.traffic-stoped is not a rule", "traffic-stopped")
	f("rule: {}", "rule is not known", "want rules")
	f("rules:\n  traffic-stopped:\n    warn: 1", "line 3", "rules.traffic-stopped.warn is not known", "warning", "min_volume")
	f("rules: {traffic-stopped: {warning: 2}}", "rules.traffic-stopped.warning", `"2"`, "from 0 to 1")
	f("rules: {traffic-stopped: {warning: -0.1}}", `"-0.1"`, "from 0 to 1")
	f("rules: {traffic-stopped: {warning: .nan}}", `".nan"`, "from 0 to 1")
	f("rules: {traffic-stopped: {min_volume: .inf}}", `".inf"`, "at least 0")
	f(`rules: {traffic-stopped: {min_volume: "7"}}`, `"7"`, "at least 0")
	f("rules: {traffic-stopped: {min_volume: [7]}}", "min_volume", "at least 0")
	f("rules: {traffic-stopped: {enabled: maybe}}", `"maybe"`, "true or false")
	f("rules: {traffic-stopped: {min_bad: 3}}", "min_bad is not known")
	f("rules: {traffic-stopped: 7}", `rules.traffic-stopped is "7"`, "an object")
	f("rules: {traffic-stopped: {}, traffic-stopped: {}}", "given twice")
	f("rules: {traffic-surge: {info: 10, warning: 5}}", "rules.traffic-surge.warning is 5", "10")
	f("rules: {traffic-stopped: {warning: 0.1, critical: 0.2}}", "rules.traffic-stopped.critical is 0.2")
	f("rules: [", "YAML or JSON")
	f("- 1", "the file", "an object")
}

func TestSettings(t *testing.T) {
	s, err := ParseSettings([]byte(`{"rules": {"traffic-stopped": {"warning": 0.25, "critical": 0.1, "min_volume": 5},
		"traffic-surge": {"enabled": false}, "node-silent": {"critical": null}}}`))
	if err != nil {
		t.Fatal(err)
	}
	by := make(map[string]Rule)
	for _, r := range s.Rules {
		by[r.Name] = r
	}
	stopped := by["traffic-stopped"]
	if *stopped.Warning != 0.25 || *stopped.Critical != 0.1 || stopped.MinVolume != 5 || !stopped.Enabled {
		t.Errorf("got %+v", stopped.Thresholds)
	}
	if by["traffic-surge"].Enabled || by["node-silent"].Critical != nil {
		t.Errorf("got %+v and %+v", by["traffic-surge"].Thresholds, by["node-silent"].Thresholds)
	}
	for _, r := range rules {
		if r.Name == "traffic-stopped" && (r.MinVolume == 5 || *r.Warning == 0.25) {
			t.Error("the settings changed the table")
		}
	}
	for _, nothing := range []string{"", "# nothing\n", "rules: {}", "rules: {traffic-stopped: {}}"} {
		if s, err := ParseSettings([]byte(nothing)); err != nil || len(s.Rules) != len(rules) {
			t.Errorf("%q: %v", nothing, err)
		}
	}
}

// TestRules holds the table against what can be asked.
func TestRules(t *testing.T) {
	names := make(map[string]bool)
	for i := range rules {
		r := &rules[i]
		if names[r.Name] || r.Name == "" || r.Doc == "" || r.Says == "" || r.Noun == "" || r.Unit == "" {
			t.Errorf("rule %+v lacks something, or its name is not its own", r)
		}
		names[r.Name] = true
		if err := r.compile(); err != nil {
			t.Errorf("rule %s: %v", r.Name, err)
		}
		if r.Info == nil && r.Warning == nil && r.Critical == nil {
			t.Errorf("rule %s has no threshold", r.Name)
		}
	}
}

// TestRelations expects causes and effects to be rules, and of those at edges the cause before the effect, so that nothing
// follows from itself by a detour.
func TestRelations(t *testing.T) {
	names := DefaultSettings().names()
	for _, r := range relations {
		for _, cause := range r.causes {
			for _, effect := range r.Rules {
				first, second := slices.Index(names, cause), slices.Index(names, effect)
				switch {
				case first < 0 || second < 0:
					t.Errorf("%s explains %s: one is not a rule", cause, effect)
				case !r.ByNode && first >= second:
					t.Errorf("%s explains %s, but does not stand before it", cause, effect)
				}
			}
		}
	}
}
