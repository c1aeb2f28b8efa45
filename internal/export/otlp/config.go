package otlp

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/export/valid"
)

// Config says where rows go and how. The zero value of all members but Endpoint is a default.
type Config struct {
	// Endpoint is the collector, as http://host:port or, with TLS, https://host:port. For the protocol http it may have a
	// path, to which /v1/logs is added unless it ends so.
	Endpoint string `yaml:"endpoint"`
	// Protocol is "grpc" (if empty) or "http", which is protobuf over HTTP.
	Protocol string `yaml:"protocol"`
	// Headers go with each request. HeaderFiles name files that hold a header's value each, TokenFile one that holds a
	// bearer token; they are read again when they changed.
	Headers     map[string]string `yaml:"headers"`
	HeaderFiles map[string]string `yaml:"header_files"`
	TokenFile   string            `yaml:"token_file"`
	// Compression is "gzip" (if empty) or "none".
	Compression string `yaml:"compression"`
	// MaxMessageBytes bounds a request before compression; 0 is 4,000,000, just below what servers of gRPC take if nobody
	// says otherwise.
	MaxMessageBytes int `yaml:"max_message_bytes"`
	// TLS says how TLS is spoken, which an endpoint of https:// turns on.
	TLS *credential.Client `yaml:"tls"`
	// Version is the program's release, which records bear. No file has it.
	Version string `yaml:"-"`
}

const (
	grpcProtocol = "grpc"
	httpProtocol = "http"
	gzipped      = "gzip"

	defaultMessageBytes = 4_000_000
	// minMessageBytes holds several rows.
	minMessageBytes, maxMessageBytes = 64 << 10, 64 << 20
	// logsPath is where collectors take log records over HTTP (OTLP specification, "OTLP/HTTP Request").
	logsPath = "/v1/logs"
)

// Address is the collector's host and port, for operators.
func (c *Config) Address() string {
	if parsed, err := url.Parse(c.Endpoint); err == nil && parsed.Host != "" {
		return parsed.Host
	}
	return c.Endpoint
}

// withDefaults returns the configuration with what it left out.
func (c *Config) withDefaults() *Config {
	full := *c
	if full.Protocol == "" {
		full.Protocol = grpcProtocol
	}
	if full.Compression == "" {
		full.Compression = gzipped
	}
	if full.MaxMessageBytes == 0 {
		full.MaxMessageBytes = defaultMessageBytes
	}
	return &full
}

// check names what is wrong with a configuration that has its defaults, and returns the endpoint.
func (c *Config) check() (*url.URL, error) {
	if err := valid.OneOf("protocol", c.Protocol, grpcProtocol, httpProtocol); err != nil {
		return nil, err
	}
	if err := valid.OneOf("compression", c.Compression, gzipped, "none"); err != nil {
		return nil, err
	}
	if c.MaxMessageBytes < minMessageBytes || c.MaxMessageBytes > maxMessageBytes {
		return nil, fmt.Errorf("max_message_bytes: %d is out of range: want %d to %d", c.MaxMessageBytes, minMessageBytes, maxMessageBytes)
	}
	if err := c.checkHeaders(); err != nil {
		return nil, err
	}
	return c.endpoint()
}

// endpoint returns the endpoint with its path. A URL's user and query may be secrets, so errors do not show them.
func (c *Config) endpoint() (*url.URL, error) {
	parsed, err := url.Parse(c.Endpoint)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" || !valid.Port(parsed.Port()) {
		return nil, fmt.Errorf("endpoint: %q is no address: want http://host:port or https://host:port, such as https://otel.example:4317", withoutQuery(c.Endpoint))
	}
	if parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return nil, fmt.Errorf("endpoint: %s has a user, a query or a fragment: want secrets in token_file or header_files", parsed.Host)
	}
	if path := strings.TrimSuffix(parsed.Path, "/"); c.Protocol == httpProtocol && !strings.HasSuffix(path, logsPath) {
		parsed.Path = path + logsPath
	} else if c.Protocol == grpcProtocol && path != "" {
		return nil, fmt.Errorf("endpoint: %q has a path, which protocol grpc has no use for: want http(s)://host:port, or protocol: http", c.Endpoint)
	}
	if c.TLS != nil && parsed.Scheme != "https" {
		return nil, fmt.Errorf("tls: endpoint %q is without TLS: want one that begins with https://", c.Endpoint)
	}
	return parsed, nil
}

// withoutQuery shows an endpoint that is none.
func withoutQuery(text string) string {
	before, _, _ := strings.Cut(text, "?")
	if at := strings.LastIndexByte(before, '@'); at >= 0 {
		return before[at+1:]
	}
	return before
}

// checkHeaders shows names alone: values may be secrets.
func (c *Config) checkHeaders() error {
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if err := c.checkHeader("headers", name); err != nil {
			return err
		}
		if !valid.HeaderValue(c.Headers[name]) {
			return fmt.Errorf("headers: the value of %q has other characters than printable ASCII", name)
		}
		if c.HeaderFiles[name] != "" {
			return fmt.Errorf("headers: %q is in header_files as well: want it once", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.HeaderFiles)) {
		if err := c.checkHeader("header_files", name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkHeader(member, name string) error {
	switch {
	case !valid.Header(name):
		return fmt.Errorf("%s: %q is no name of a header: want lower case letters, digits and hyphens", member, name)
	case valid.ProtocolHeader(name):
		return fmt.Errorf("%s: %q is set by the protocol: want another header", member, name)
	case name == "authorization" && c.TokenFile != "":
		return fmt.Errorf("%s: %q goes with token_file: want one of them", member, name)
	}
	return nil
}
