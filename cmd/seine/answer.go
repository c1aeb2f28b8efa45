package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/query"
)

// answerOutputs are the ways in which answers are written.
var answerOutputs = []string{"table", "wide", "json", "csv"}

// netObservOutput is that of whole connections.
const netObservOutput = "netobserv"

// checkAnswerOutput takes the names of these, and of further ones that a command has.
func checkAnswerOutput(name string, further ...string) error {
	if all := slices.Concat(answerOutputs, further); !slices.Contains(all, name) {
		return usagef("output %q: want one of %s", name, strings.Join(all, ", "))
	}
	return nil
}

// blockWriter writes the blocks of an answer.
type blockWriter interface {
	Write(*query.Block) error
	Close() error
}

// newAnswerWriter writes blocks with the given columns; table is what a table of them has.
func newAnswerWriter(name string, to io.Writer, columns []query.Column, table []blockColumn) (blockWriter, error) {
	switch name {
	case "json":
		return format.NewNDJSON(jsonGuard{to}, columns), nil
	case netObservOutput:
		return format.NewNetObserv(to, columns)
	case "csv":
		return format.NewCSV(terminalGuard(to), columns)
	}
	return newBlockTable(to, table), nil
}

// jsonGuard escapes the control characters that JSON allows.
type jsonGuard struct{ to io.Writer }

// Write writes whole lines.
func (g jsonGuard) Write(p []byte) (int, error) {
	if _, err := g.to.Write(escapeControls(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// terminalGuard keeps from a terminal what it would obey instead of show. Files get the values as they are.
func terminalGuard(to io.Writer) io.Writer {
	if file, ok := to.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return printableWriter{to}
	}
	return to
}

type printableWriter struct{ to io.Writer }

// Write writes whole lines.
func (w printableWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, printableLines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeAnswer writes a whole answer, and what a reader of a table should know beside it.
func writeAnswer(name string, to, notes io.Writer, a *query.Answer, table []blockColumn, period *periodFlags) error {
	w, err := newAnswerWriter(name, to, a.Columns, table)
	if err != nil {
		return err
	}
	if a.Rows > 0 || name == "csv" {
		if err := w.Write(a.Block); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	writeNotes(notes, a, period)
	return nil
}

// writeNotes says what an answer lacks.
func writeNotes(to io.Writer, a *query.Answer, period *periodFlags) {
	if a.Rows == 0 {
		fmt.Fprintf(to, "seine: nothing was found %s; an earlier --since, such as --since 1d, looks further back\n", printable(period.String()))
	}
	if a.Truncated {
		fmt.Fprintf(to, "seine: there is more: cut by %s\n", printable(a.Cut))
	}
	var lost []string
	for _, reason := range slices.Sorted(maps.Keys(a.Losses)) {
		lost = append(lost, fmt.Sprintf("%s %d", printable(reason), a.Losses[reason]))
	}
	if len(lost) > 0 {
		fmt.Fprintf(to, "seine: records lack, since the server's start: %s\n", strings.Join(lost, ", "))
	}
}
