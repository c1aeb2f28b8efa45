package main

import (
	"bytes"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/flow"
)

func newFieldsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fields",
		Short: "List the fields of a record",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return writeFields(cmd.OutOrStdout()) },
	}
}

// writeFields lists the fields, and marks those that a server cannot be asked for: it does not store what is computed on request.
func writeFields(to io.Writer) error {
	var table bytes.Buffer
	if err := flow.WriteFieldTable(&table); err != nil {
		return err
	}
	var out strings.Builder
	for line := range strings.Lines(table.String()) {
		name, _, _ := strings.Cut(line, " ")
		if f, ok := flow.FieldByName(name); ok && f.OnRequest {
			line = strings.TrimSuffix(line, "\n") + " Not stored: a server cannot be asked for it.\n"
		}
		out.WriteString(line)
	}
	_, err := io.WriteString(to, out.String())
	return err
}
