// Seine shows the true connections of a machine or a Kubernetes node: who spoke to which Service, and which backend
// answered. This package holds flags and wiring; what happens is in the packages below internal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // Public authorities, for where the system has none: a minimal image.
)

// version is set by the build.
var version string

func main() {
	// With a receiver for SIGPIPE, writing to a pipe that nobody reads is an error as any other: we detach before we end.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	if errors.Is(err, errUnwell) {
		stop()
		os.Exit(exitUnwell)
	}
	if err != nil && !isQuiet(err) {
		fmt.Fprintln(os.Stderr, "seine: "+printableLines(err.Error()))
		stop()
		os.Exit(exitCode(err))
	}
}

// isQuiet tells whether an error needs no words: the reader of our output went away.
func isQuiet(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "seine",
		Short:         "See the true connections of a machine or a Kubernetes node",
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	if isPlugin() {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl seine"}
	}
	root.SetFlagErrorFunc(flagError)
	root.SuggestionsMinimumDistance = 2
	root.AddCommand(newFieldsCommand(), newFlowsCommand(), newHealthCommand(), newTopCommand(), newCostCommand(), newMapCommand(), newQueryCommand())
	root.AddCommand(newRankingCommand(dnsRanking), newRankingCommand(dropsRanking))
	if isPlugin() {
		root.AddCommand(newClusterStatusCommand())
		return root
	}
	root.AddCommand(newRunCommand(), newAgentCommand(), newDemoCommand(), newStatusCommand(), newPodCommand())
	root.AddCommand(newServerCommand(), newManCommand(), newOperatorCommand())
	return root
}

// noCommand refuses a word that is not a command.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	guess := ""
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		guess = fmt.Sprintf("did you mean %s? ", strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q: %sseine --help lists the commands", args[0], guess)
}

// noArguments refuses words beside flags.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown argument %q: %s --help tells what it takes", args[0], c.CommandPath())
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// newLogger logs lines of a level and above.
func newLogger(to io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: l})), nil
}
