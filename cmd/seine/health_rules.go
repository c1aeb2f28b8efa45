package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/health"
)

// listRules writes the rules that a server judges by.
func (f *healthFlags) listRules(ctx context.Context, c *client.Client, out io.Writer) error {
	rules, err := c.HealthRules(ctx)
	if err != nil {
		return err
	}
	if f.output == "json" {
		return writeRuleLines(out, rules)
	}
	t := columns{tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)}
	t.line(append([]string{"RULE", "FORM"}, strings.Split(strings.ToUpper(strings.Join(health.LimitNames, " ")), " ")...)...)
	for i := range rules {
		r := &rules[i]
		form := string(r.Form)
		if !r.Enabled {
			form = "off"
		}
		t.line(append([]string{r.Name, form}, r.Limits()...)...)
	}
	return t.Flush()
}

// writeRuleLines writes each rule as the API has it, a line each.
func writeRuleLines(out io.Writer, rules []health.Rule) error {
	for i := range rules {
		line, err := json.Marshal(&rules[i])
		if err != nil {
			return err
		}
		if _, err := out.Write(append(escapeControls(line), '\n')); err != nil {
			return err
		}
	}
	return nil
}
