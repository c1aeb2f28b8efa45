package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/live"
)

// The exit codes of the commands that ask a server; all others end with 0 or 1.
const (
	exitError       = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
)

const exitHelp = "\nExit codes: 0 answered, also if nothing was found; 1 error; 2 wrong arguments or filter; 3 no server answers; " +
	"4 the server refuses the token."

// usageError is an error in what the user wrote.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// accessError says that the user may not: his cluster does not know him, or his rights do not reach.
type accessError struct{ error }

// exitCode returns what the program ends with for an error.
func exitCode(err error) int {
	if refused, ok := errors.AsType[*client.Error](err); ok {
		switch refused.Status {
		case http.StatusBadRequest:
			return exitUsage
		case http.StatusUnauthorized, http.StatusForbidden:
			return exitRefused
		}
		return exitError
	}
	if _, ok := errors.AsType[accessError](err); ok {
		return exitRefused
	}
	if _, ok := errors.AsType[*client.Unreachable](err); ok {
		return exitUnreachable
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitError
}

// askFlags say which server a command asks.
type askFlags struct {
	url, tokenFile, ca string
	cluster            clusterFlags
}

func (f *askFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.url, "api", "", "where the server is, a `URL` (default $SEINE_API, else http://"+defaultListen+")")
	s.StringVar(&f.tokenFile, "token-file", "", "`FILE` with the bearer token (default the token in $SEINE_TOKEN, else none)")
	s.StringVar(&f.ca, "ca-file", "", "PEM `FILE` with the certificates to trust (default those of the system)")
	if isPlugin() {
		f.cluster.add(s)
	}
}

// client returns a client of the server.
func (f *askFlags) client() (*client.Client, error) {
	cfg := client.Config{URL: f.url, Token: os.Getenv("SEINE_TOKEN"), UserAgent: "seine/" + versionText()}
	if cfg.URL == "" {
		cfg.URL = os.Getenv("SEINE_API")
	}
	if cfg.URL == "" && isPlugin() {
		if err := f.cluster.reach(&cfg); err != nil {
			return nil, err
		}
	}
	if cfg.URL == "" {
		cfg.URL = "http://" + defaultListen
	}
	if f.tokenFile != "" {
		token, err := readToken(f.tokenFile)
		if err != nil {
			return nil, usageError{err}
		}
		cfg.Token = token
	}
	if f.ca != "" {
		pool, err := readCertificates(f.ca)
		if err != nil {
			return nil, usageError{err}
		}
		cfg.TLS = &tls.Config{RootCAs: pool}
	}
	c, err := client.New(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// readToken returns the first line that holds one: the file may be the server's.
func readToken(path string) (string, error) {
	text, err := readSmall(path)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line, nil
		}
	}
	return "", fmt.Errorf("--token-file %q: file holds no token", path)
}

func readCertificates(path string) (*x509.CertPool, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca-file %q: want certificates as PEM", path)
	}
	return pool, nil
}

func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, 1<<20))
}

// asking makes a command ask: arguments and flags that are wrong, and what the server says of them, are usage errors.
func asking(c *cobra.Command, run func(ctx context.Context, cmd *cobra.Command, args []string) error) *cobra.Command {
	c.Long = strings.TrimSpace(c.Short+".\n\n"+c.Long) + "\n" + exitHelp
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{flagError(c, err)} })
	if takes := c.Args; takes != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := takes(c, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd.Context(), cmd, args)
		if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
			return nil // Stopped by the user, as following is.
		}
		return inFlags(err)
	}
	return c
}

// inFlags says what to do about a refusal in terms of flags instead of HTTP.
func inFlags(err error) error {
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status == http.StatusUnauthorized {
		refused.Wrong.Hint = "give the token by --token-file FILE or in $SEINE_TOKEN"
	}
	return err
}

// isTerminal says whether a writer is one.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && live.IsTerminal(file)
}
