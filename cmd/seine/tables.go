package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/query"
)

// kindsFor are the kinds of the ends that groups name: a table shows them for what has no name.
func kindsFor(groups []string) (kinds []string) {
	for _, group := range groups {
		end, member, _ := strings.Cut(group, ".")
		if kind := end + ".kind"; (member == "workload.name" || member == "name") && !slices.Contains(groups, kind) && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// table shows an answer by the titles of the command.
func (f *measureFlags) table(a *query.Answer) []blockColumn {
	all := columnsOf(a.Columns, f.output == "wide")
	var shown []blockColumn
	for i := range all {
		name := a.Columns[i].Name
		if slices.Contains(f.hidden, name) {
			continue
		}
		all[i].title = titleOf(name, all[i].title, f.titles)
		if end, member, _ := strings.Cut(name, "."); slices.Contains(f.hidden, end+".kind") && (member == "workload.name" || member == "name") {
			all[i].text = orKind(all[i].text, end)
		}
		if name == "saveable_share" && f.output == "table" {
			all[i].text = func(b *query.Block, row int) string { return percent(numberAt(&b.Columns[i], row), 1) }
		}
		if measure, ok := strings.CutPrefix(name, "change("); ok && f.output == "table" {
			all[i].text = withShare(all[i].text, name, "previous("+measure)
		}
		shown = append(shown, all[i])
	}
	return shown
}

// withShare shows a change with its sign, and what part that is of before.
func withShare(text func(*query.Block, int) string, change, before string) func(*query.Block, int) string {
	return func(b *query.Block, row int) string {
		was, by, shown := numberAt(&b.Columns[indexOf(b, before)], row), numberAt(&b.Columns[indexOf(b, change)], row), text(b, row)
		if by > 0 {
			shown = "+" + shown
		}
		switch {
		case was == 0 && by != 0:
			return shown + " (new)"
		case was == 0:
			return shown
		}
		return fmt.Sprintf("%s (%+.0f %%)", shown, 100*by/was)
	}
}

// titleOf is what a column is called: of a comparison, after the measure that is compared.
func titleOf(name, usual string, titles map[string]string) string {
	for _, compared := range []struct{ prefix, suffix string }{{"", ""}, {"previous(", " BEFORE"}, {"change(", " CHANGE"}} {
		measure, ok := strings.CutPrefix(name, compared.prefix)
		if compared.prefix != "" {
			measure = strings.TrimSuffix(measure, ")")
		}
		if title := titles[measure]; ok && title != "" {
			return title + compared.suffix
		}
	}
	return usual
}

// orKind shows the kind of an end in place of a name that it has not.
func orKind(text func(*query.Block, int) string, end string) func(*query.Block, int) string {
	return func(b *query.Block, row int) string {
		if name := text(b, row); name != "" {
			return name
		}
		return at(b, end+".kind", row)
	}
}

// isNew says whether none of the groups had anything in the period that they are compared with.
func isNew(b *query.Block) bool {
	for i := range b.Columns {
		c := &b.Columns[i]
		if !strings.HasPrefix(c.Name, "previous(") {
			continue
		}
		for row := range b.Rows {
			if numberAt(c, row) != 0 {
				return false
			}
		}
	}
	return true
}
