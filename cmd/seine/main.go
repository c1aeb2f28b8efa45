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
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version string

func main() {
	// With a receiver for SIGPIPE, writing to a pipe that nobody reads is an error as any other: we detach before we end.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil && !isQuiet(err) {
		fmt.Fprintln(os.Stderr, "seine: "+err.Error())
		stop()
		os.Exit(1)
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
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newRunCommand(), newAgentCommand(), newDemoCommand(), newStatusCommand(), newFieldsCommand(), newPodCommand())
	return root
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
