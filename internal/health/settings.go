package health

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seine-net/seine/internal/query"
)

// Settings are the rules in force.
type Settings struct {
	Rules []Rule
}

// DefaultSettings returns the rules as built in.
func DefaultSettings() *Settings {
	s := &Settings{Rules: slices.Clone(rules)}
	for i := range s.Rules {
		s.Rules[i].Enabled, s.Rules[i].Explains = true, explains(s.Rules[i].Name)
	}
	return s
}

// rules are the enabled ones of a dataset that look at the same subjects.
func (s *Settings) rules(dataset string, by Grouping) []*Rule {
	var some []*Rule
	for i := range s.Rules {
		if r := &s.Rules[i]; r.Enabled && r.Dataset == dataset && r.By == by {
			some = append(some, r)
		}
	}
	return some
}

// rule is the enabled one of a name, nil if there is none.
func (s *Settings) rule(name string) *Rule {
	for i := range s.Rules {
		if r := &s.Rules[i]; r.Enabled && r.Name == name {
			return r
		}
	}
	return nil
}

// datasets are those that enabled rules ask.
func (s *Settings) datasets() []string {
	var names []string
	for _, r := range s.Rules {
		if r.Enabled && !slices.Contains(names, r.Dataset) {
			names = append(names, r.Dataset)
		}
	}
	return names
}

// maxSettings bounds a settings file, in bytes.
const maxSettings = 1 << 20

// ReadSettings reads a settings file in YAML or JSON, such as
//
//	rules:
//	  connect-timeout: {warning: 0.02, critical: 0.2, min_volume: 50}
//	  traffic-surge: {enabled: false}
//
// What it does not name stays as built in; null takes a threshold away. What it names must be known and make sense: the
// error says where it does not, and what would be accepted.
func ReadSettings(path string) (*Settings, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxSettings {
		return nil, fmt.Errorf("%s: file has more than %d bytes", path, maxSettings)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := ParseSettings(text)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", path, err)
	}
	return s, nil
}

// ParseSettings reads settings as ReadSettings does.
func ParseSettings(text []byte) (*Settings, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("want YAML or JSON: %w", err)
	}
	s := DefaultSettings()
	if len(document.Content) == 0 {
		return s, nil // Nothing but comments.
	}
	err := members(document.Content[0], "", func(name string, value *yaml.Node) error {
		if name != "rules" {
			return wrong(value, name, "want rules", "is not known")
		}
		return members(value, name, s.change)
	})
	return s, err
}

// members visits the members of an object.
func members(node *yaml.Node, path string, visit func(name string, value *yaml.Node) error) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return wrong(node, path, "want an object", "is %q", node.Value)
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i].Value
		if seen[name] {
			return wrong(node.Content[i], dotted(path, name), "", "is given twice")
		}
		seen[name] = true
		if err := visit(name, node.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func dotted(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// wrong is an error at a place in the file.
func wrong(node *yaml.Node, path, hint, format string, args ...any) error {
	text := fmt.Sprintf("line %d: %s "+format, append([]any{node.Line, path}, args...)...)
	if path == "" {
		text = fmt.Sprintf("line %d: the file "+format, append([]any{node.Line}, args...)...)
	}
	if hint != "" {
		text += "; " + hint
	}
	return fmt.Errorf("%s", text)
}

// change changes one rule.
func (s *Settings) change(name string, value *yaml.Node) error {
	i := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		return wrong(value, "rules."+name, "want one of "+strings.Join(s.names(), ", "), "is not a rule")
	}
	r := &s.Rules[i]
	err := members(value, "rules."+name, func(member string, value *yaml.Node) error {
		return r.set(member, "rules."+name+"."+member, value)
	})
	if err != nil {
		return err
	}
	return r.check(value)
}

func (s *Settings) names() (names []string) {
	for _, r := range s.Rules {
		names = append(names, r.Name)
	}
	return names
}

// setting is a member of a rule in the file.
type setting struct {
	name, doc string
	of        func(*Thresholds) any
	// applies says of which rules it is a member.
	applies func(*Rule) bool
}

func always(*Rule) bool { return true }

// settings are the members of a rule in the file, in the order of the reference.
var settings = []setting{
	{"enabled", "false leaves the rule out", func(t *Thresholds) any { return &t.Enabled }, always},
	{"info", "from where on a finding is information", func(t *Thresholds) any { return &t.Info }, always},
	{"warning", "from where on a finding is a warning", func(t *Thresholds) any { return &t.Warning }, always},
	{"critical", "from where on a finding is critical", func(t *Thresholds) any { return &t.Critical }, always},
	{"min_volume", "the least volume in the period to judge by", func(t *Thresholds) any { return &t.MinVolume }, always},
	{"min_bad", "the least number of bad ones", func(t *Thresholds) any { return &t.MinBad }, func(r *Rule) bool { return r.Form == Share }},
	{
		"min_increase", "the least increase over the baseline, in the rule's unit", func(t *Thresholds) any { return &t.MinIncrease },
		func(r *Rule) bool { return r.Form == Share || r.Form == Growth },
	},
}

// set sets one member.
func (r *Rule) set(member, path string, value *yaml.Node) error {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == member && s.applies(r) })
	if i < 0 {
		return wrong(value, path, "want one of "+strings.Join(r.settingNames(), ", "), "is not known")
	}
	switch to := settings[i].of(&r.Thresholds).(type) {
	case *bool:
		if err := value.Decode(to); err != nil || value.Tag != "!!bool" {
			return wrong(value, path, "want true or false", "is %q", value.Value)
		}
	case *float64:
		return number(value, path, math.Inf(1), to)
	case **float64:
		if value.Tag == "!!null" {
			*to = nil
			return nil
		}
		*to = new(float64)
		return number(value, path, r.most(), *to)
	}
	return nil
}

func (r *Rule) settingNames() (names []string) {
	for _, s := range settings {
		if s.applies(r) {
			names = append(names, s.name)
		}
	}
	return names
}

// most is the largest threshold that makes sense.
func (r *Rule) most() float64 {
	if r.Form == Share || r.Form == Fall {
		return 1
	}
	return 1e6
}

func number(value *yaml.Node, path string, most float64, to *float64) error {
	isNumber := value.Kind == yaml.ScalarNode && (value.Tag == "!!int" || value.Tag == "!!float")
	if err := value.Decode(to); err != nil || !isNumber || !(*to >= 0 && *to <= most) || math.IsInf(*to, 0) {
		hint := "want a number of at least 0"
		if !math.IsInf(most, 1) {
			hint = fmt.Sprintf("want a number from 0 to %g", most)
		}
		return wrong(value, path, hint, "is %q", value.Value)
	}
	return nil
}

// check refuses thresholds whose order makes no sense.
func (r *Rule) check(value *yaml.Node) error {
	var before *float64
	for _, s := range []Severity{Info, Warning, Critical} {
		t := r.threshold(s)
		if t == nil {
			continue
		}
		if before != nil && (r.Form == Fall && *t > *before || r.Form != Fall && *t < *before) {
			return wrong(value, fmt.Sprintf("rules.%s.%s", r.Name, s), "", "is %g, which a less grave severity has at %g", *t, *before)
		}
		before = t
	}
	return nil
}

// compile says whether a rule can be asked; tests hold the table against it.
func (r *Rule) compile() error {
	q := &question{dataset: r.Dataset, rules: []*Rule{r}, keys: edgeKeys, limit: 1, filter: r.Rows}
	request := q.request()
	request.From, request.To, request.Last = "", "", "1m"
	_, err := query.Compile(request, time.Now())
	return err
}
