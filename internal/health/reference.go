package health

import (
	"fmt"
	"io"
	"strings"
)

const docsBegin = `<!-- Made by go generate in internal/health from the table of rules. -->
# Rules of health

` + "`seine health` and `GET /api/v1/health`" + ` compare a period with the time before it, by these rules. How that is done,
and how to read a finding, is in [the explanation](../explanation/health.md).

- A **share** is judged by how large a part of the volume is bad; **growth** by how many times the baseline a value is; a
  **fall** by how little is left of what the baseline lets expect, a **rise** by how many times as much it is.
- **Volume** is what must be there at least, so that one lost packet is no alarm; **bad** the least number of bad ones;
  **increase** the least distance from the baseline.
- An **edge** is a client (a workload such as a Deployment, the nodes, or what is outside) and what it calls (the Service
  that it dialled, else who answered). Edges with the same finding are told as one, of what they share: the Service, the
  client, or a node.

| rule | looks at | form | info | warning | critical | volume | bad | increase |
|---|---|---|---|---|---|---|---|---|
`

const docsSettings = `
## Change thresholds

` + "`--health-rules FILE`" + ` of ` + "`seine run`, `seine demo` and `seine server`" + ` takes a file in YAML or JSON, which is read at the start.
What it does not name stays as it is; ` + "`null`" + ` takes a threshold away. Unknown rules and members, and values that make no
sense, are errors that name them.

` + "```yaml" + `
rules:
  traffic-stopped: {warning: 0.05, min_volume: 1048576}
  traffic-surge: {enabled: false}
` + "```" + `

| member | meaning |
|---|---|
`

// WriteDocs writes the reference page of the rules in Markdown.
func WriteDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString(docsBegin)
	for i := range rules {
		r := &rules[i]
		fmt.Fprintf(&b, "| [`%s`](#%[1]s) | %s, %s | %s | %s |\n", r.Name, r.Dataset, r.By, r.Form, strings.Join(r.Limits(), " | "))
	}
	for i := range rules {
		rules[i].describe(&b)
	}
	b.WriteString(docsSettings)
	for _, s := range settings {
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.name, s.doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// LimitNames are what Limits returns.
var LimitNames = []string{"info", "warning", "critical", "volume", "bad", "increase"}

// Limits are the thresholds in words, in the order of LimitNames, empty where the rule has none.
func (r *Rule) Limits() []string {
	return []string{r.limit(r.Info), r.limit(r.Warning), r.limit(r.Critical), or(r.MinVolume), or(r.MinBad), r.increase()}
}

// limit is a threshold in words.
func (r *Rule) limit(t *float64) string {
	switch {
	case t == nil:
		return ""
	case r.Form == Share:
		return "≥ " + amount(*t, shareUnit)
	case r.Form == Fall:
		return "≤ " + amount(*t, shareUnit)
	}
	return "≥ " + digits(*t) + " ×"
}

func or(x float64) string {
	if x == 0 {
		return ""
	}
	return digits(x)
}

func (r *Rule) increase() string {
	if r.MinIncrease == 0 {
		return ""
	}
	return amount(r.MinIncrease, r.Unit)
}

// describe writes what the rule means and measures.
func (r *Rule) describe(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n", r.Name, r.Doc)
	for _, e := range explains(r.Name) {
		fmt.Fprintf(b, "- explains, %s: `%s`\n", e.scope(), strings.Join(e.Rules, "`, `"))
	}
	for _, line := range []struct{ name, value string }{
		{"bad", r.Bad},
		{"bad, server to client", r.BadBack},
		{"volume", r.Of},
		{"volume, server to client", r.OfBack},
		{"value", r.Value},
		{"records", r.Rows},
	} {
		if line.value != "" {
			fmt.Fprintf(b, "- %s: `%s`\n", line.name, line.value)
		}
	}
}

// scope says where an effect follows, in words.
func (e *Effect) scope() string {
	words := "at " + string(e.Where)
	if e.ByNode {
		words = "where a node is to blame, " + words
	}
	if e.AtLeast > 0 {
		words += ", from " + amount(e.AtLeast, shareUnit) + " on"
	}
	return words
}
