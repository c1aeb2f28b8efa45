package main

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/flow"
)

// completeTime is how long a shell waits for values.
const completeTime = 2 * time.Second

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeValues asks the server for values of a field; of several, separated by commas, for the last.
func completeValues(ask *askFlags, field string) completion {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		last := strings.LastIndexByte(begun, ',') + 1
		return valuesFrom(cmd, ask, field, begun[:last], begun[last:], ""), cobra.ShellCompDirectiveNoFileComp
	}
}

// valuesFrom returns the values of a field that begin as the user has begun, between what stands before and after.
func valuesFrom(cmd *cobra.Command, ask *askFlags, field, before, begun, after string) (all []string) {
	c, err := ask.client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	values, err := c.Values(ctx, field, begun, 50)
	if err != nil {
		return nil
	}
	for _, v := range values {
		if v.Value != "" && printable(v.Value) == v.Value {
			all = append(all, before+v.Value+after)
		}
	}
	return all
}

// openValue matches a filter that ends within a value: behind an operator, or in a list.
var openValue = regexp.MustCompile(`([a-z_.]+)\s*(?:==|!=|in\s*\[(?:[^\]"]|"[^"]*")*)\s*"([^"\\]*)$`)

// completeFilter completes what a condition ends with: a value in quotation marks, or a field.
func completeFilter(ask *askFlags) completion {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		if m := openValue.FindStringSubmatchIndex(begun); m != nil {
			return valuesFrom(cmd, ask, begun[m[2]:m[3]], begun[:m[4]], begun[m[4]:], `"`), directive
		}
		if strings.Count(begun, `"`)%2 == 1 {
			return nil, directive
		}
		start := len(strings.TrimRight(begun, "abcdefghijklmnopqrstuvwxyz_."))
		var all []string
		for _, f := range flow.DefaultFields(flow.Connections) {
			if strings.HasPrefix(f.Name, begun[start:]) {
				all = append(all, begun[:start]+f.Name+"\t"+f.Doc)
			}
		}
		return all, directive
	}
}

// completeFields offers the fields for which the condition holds.
func completeFields(holds func(*flow.Field) bool) completion {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		before, last := "", begun
		if i := strings.LastIndexByte(begun, ','); i >= 0 {
			before, last = begun[:i+1], begun[i+1:]
		}
		var all []string
		for _, f := range flow.DefaultFields(flow.Connections) {
			if holds(f) && strings.HasPrefix(f.Name, last) {
				all = append(all, before+f.Name+"\t"+f.Doc)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

func isGroup(f *flow.Field) bool { return f.Role != flow.RoleMeasure }

func isAny(*flow.Field) bool { return true }

// completeMeasures offers measures of the fields that can be measured.
func completeMeasures(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	all := []string{"count()"}
	for _, f := range flow.DefaultFields(flow.Connections) {
		switch {
		case f.Aggregate == flow.AggSum:
			all = append(all, "sum("+f.Name+")", "rate("+f.Name+")", "avg("+f.Name+")", "max("+f.Name+")", "p99("+f.Name+")")
		case isGroup(f):
			all = append(all, "count_distinct("+f.Name+")")
		}
	}
	var matching []string
	for _, m := range all {
		if strings.HasPrefix(m, begun) {
			matching = append(matching, m)
		}
	}
	return matching, cobra.ShellCompDirectiveNoFileComp
}
