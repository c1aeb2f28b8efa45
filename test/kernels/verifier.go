package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// reference is the committed table of verifier statistics.
const reference = "docs/reference/kernels.md"

// tolerance is by how much a program may grow until the table must be renewed: the verifier's work differs a little
// between builds of one kernel version.
const tolerance = 0.20

// program is a BPF program in one configuration.
type program struct{ name, configuration string }

// statistic is what the verifier looked at: instructions, each as often as it came by, and states that it kept.
type statistic struct{ instructions, states int }

func (s statistic) String() string { return fmt.Sprintf("%d / %d", s.instructions, s.states) }

// statistics are by program and kernel.
type statistics map[program]map[string]statistic

func (s statistics) set(p program, kernel string, v statistic) {
	if s[p] == nil {
		s[p] = make(map[string]statistic)
	}
	s[p][kernel] = v
}

// note keeps an attribute of a test, "PROGRAM|CONFIGURATION|INSTRUCTIONS|STATES".
func (r *reader) note(e *event) error {
	if e.Key != "verifier" || r.kernel.machine == nil {
		return nil // The host's own kernel differs from host to host.
	}
	words := strings.Split(e.Value, "|")
	if len(words) != 4 {
		return fmt.Errorf("attribute verifier %q of %s: want PROGRAM|CONFIGURATION|INSTRUCTIONS|STATES", e.Value, e.Test)
	}
	v, err := parseStatistic(words[2], words[3])
	r.statistics[program{words[0], words[1]}] = v
	return err
}

func parseStatistic(instructions, states string) (v statistic, err error) {
	var errs [2]error
	v.instructions, errs[0] = strconv.Atoi(instructions)
	v.states, errs[1] = strconv.Atoi(states)
	return v, errors.Join(errs[:]...)
}

// judgeStatistics compares what was measured with the table, or renews it. What was not measured this time stays.
func judgeStatistics(results []*result, o options) error {
	text, err := os.ReadFile(reference)
	if err != nil && (!o.write || !errors.Is(err, os.ErrNotExist)) {
		return err
	}
	known, err := parseReference(string(text))
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range results {
		for p, v := range r.statistics {
			if o.write {
				known.set(p, r.kernel.name, v)
			} else if err := compare(known, p, r.kernel.name, v); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if o.write {
		return os.WriteFile(reference, formatReference(known), 0o644)
	}
	if len(errs) > 0 {
		errs = append(errs, errors.New("if that is meant, renew the table: make generate-kernels"))
	}
	return errors.Join(errs...)
}

// compare fails where a program has grown, or is not in the table.
func compare(known statistics, p program, kernel string, v statistic) error {
	was, ok := known[p][kernel]
	if !ok {
		return fmt.Errorf("%s has no line for %s, %s on %s", reference, p.name, p.configuration, kernel)
	}
	for _, c := range []struct {
		what     string
		was, now int
	}{{"instructions", was.instructions, v.instructions}, {"states", was.states, v.states}} {
		if float64(c.now) > float64(c.was)*(1+tolerance) {
			return fmt.Errorf("%s, %s on %s: the verifier looks at %d %s, %.0f %% more than the %d of %s (at most %.0f %%)",
				p.name, p.configuration, kernel, c.now, c.what, 100*float64(c.now-c.was)/float64(c.was), c.was, reference, 100*tolerance)
		}
	}
	return nil
}

const preface = `# What the verifier looks at

Written by ` + "`make generate-kernels`" + `, which boots each kernel and loads each program: instructions, each as often as
the verifier came by, and the states that it kept. The limit is a million instructions. ` + "`make check-kernels`" + ` fails
where a program has grown by more than a fifth. A dash is where the kernel does not have what the configuration needs.

`

// formatReference writes the table, a line for each program and a column for each kernel.
func formatReference(known statistics) []byte {
	var b bytes.Buffer
	b.WriteString(preface + "| program | configuration |")
	var columns []string
	for _, k := range kernels {
		if k.machine != nil {
			columns = append(columns, k.name)
		}
	}
	fmt.Fprintf(&b, " %s |\n|---|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, p := range slices.SortedFunc(maps.Keys(known), func(a, b program) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.configuration, b.configuration))
	}) {
		fmt.Fprintf(&b, "| `%s` | %s |", p.name, p.configuration)
		for _, name := range columns {
			if v, ok := known[p][name]; ok {
				fmt.Fprintf(&b, " %v |", v)
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// parseReference reads what formatReference wrote.
func parseReference(text string) (statistics, error) {
	known := make(statistics)
	var columns []string
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(line, "|\n "), "|")
		if len(cells) < 3 || strings.HasPrefix(cells[0], "---") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			columns = cells
			continue
		}
		if err := parseRow(known, columns, cells); err != nil {
			return nil, fmt.Errorf("%s: line %q: %w", reference, line, err)
		}
	}
	return known, nil
}

func parseRow(known statistics, columns, cells []string) error {
	if len(cells) != len(columns) {
		return fmt.Errorf("%d cells: want %d", len(cells), len(columns))
	}
	p := program{strings.Trim(cells[0], "`"), cells[1]}
	for i := 2; i < len(cells); i++ {
		instructions, states, ok := strings.Cut(cells[i], " / ")
		if !ok {
			continue
		}
		v, err := parseStatistic(instructions, states)
		if err != nil {
			return err
		}
		known.set(p, columns[i], v)
	}
	return nil
}
