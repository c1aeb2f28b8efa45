package credential

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
)

// Client is TLS of the end that connects to another program, as a configuration file says it. Other programs may speak
// TLS 1.2.
type Client struct {
	TLS `yaml:",inline"`
	// ServerName is the name that the server must bear, that of its address if empty.
	ServerName string `yaml:"server_name"`
	// InsecureSkipVerify takes any server for the right one.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`
}

// Open reads the files, and returns a function that makes the configuration of a connection to an address, with what
// the files hold then.
func (c *Client) Open(log *slog.Logger) (func(address string) *tls.Config, error) {
	current, err := c.open(log)
	if err != nil {
		return nil, err
	}
	return func(address string) *tls.Config {
		made := current.get().client(c.ServerName)
		made.MinVersion, made.InsecureSkipVerify = tls.VersionTLS12, c.InsecureSkipVerify
		if host, _, err := net.SplitHostPort(address); err == nil && c.ServerName == "" {
			made.ServerName = host
		}
		return made
	}, nil
}

// Secret is a file that holds one secret, such as a password. A line break at its end does not count.
type Secret struct {
	current *files[string]
}

// maxSecret bounds a secret, in bytes.
const maxSecret = 4096

// OpenSecret reads the file.
func OpenSecret(path string, log *slog.Logger) (*Secret, error) {
	current, err := openFiles([]string{path}, log, parseSecret)
	if err != nil {
		return nil, fmt.Errorf("read secret file %q: %w", path, err)
	}
	return &Secret{current}, nil
}

// Value is what the file holds now.
func (s *Secret) Value() string { return s.current.get() }

// parseSecret keeps the secret out of its errors.
func parseSecret(contents [][]byte) (string, error) {
	secret := strings.TrimRight(string(contents[0]), "\r\n")
	if secret == "" || len(secret) > maxSecret || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("file holds no secret: want one line of 1 to %d bytes", maxSecret)
	}
	return secret, nil
}
