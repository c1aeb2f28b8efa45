package main

import (
	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/flow"
)

func newFieldsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fields",
		Short: "List the fields of a record",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return flow.WriteFieldTable(cmd.OutOrStdout()) },
	}
}
