package otlp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/seine-net/seine/internal/export/exporttest"
)

// TestConfigErrors expects errors that name the member, the value unless it may be secret, and what would be accepted.
func TestConfigErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(config, want string) {
		t.Helper()
		var c Config
		if err := yaml.Unmarshal([]byte("{"+strings.ReplaceAll(config, "DIR", dir)+"}"), &c); err != nil {
			t.Fatal(err)
		}
		target, err := Open(&c, exporttest.Plan(t, "flows"), quiet)
		if err == nil {
			_ = target.Close()
			t.Fatalf("%s: no error, want %s", config, want)
		}
		if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", config, got, want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells a secret: %v", config, err)
		}
	}
	const wantEndpoint = " is no address: want http://host:port or https://host:port, such as https://otel.example:4317"
	f("", `endpoint: ""`+wantEndpoint)
	f("endpoint: 'otel:4317'", `endpoint: "otel:4317"`+wantEndpoint)
	f("endpoint: 'https://otel:99999'", `endpoint: "https://otel:99999"`+wantEndpoint)
	f("endpoint: 'https://otel'", `endpoint: "https://otel"`+wantEndpoint)
	f("endpoint: 'https://:4317'", `endpoint: "https://:4317"`+wantEndpoint)
	f("endpoint: 'grpc://otel:4317'", `endpoint: "grpc://otel:4317"`+wantEndpoint)
	f("endpoint: 'https://u:hunter2@otel?k=hunter2'", `endpoint: "otel"`+wantEndpoint)
	f("endpoint: 'https://u:hunter2@otel:x:y'", `endpoint: "otel:x:y"`+wantEndpoint)
	f("endpoint: 'https://u:hunter2@otel:4317'", `endpoint: otel:4317 has a user, a query or a fragment: want secrets in token_file or header_files`)
	f("endpoint: 'https://otel:4318/?key=hunter2', protocol: http", `endpoint: otel:4318 has a user, a query or a fragment: want secrets in token_file or header_files`)
	f("endpoint: 'https://otel:4317/v1/logs'", `endpoint: "https://otel:4317/v1/logs" has a path, which protocol grpc has no use for: want http(s)://host:port, or protocol: http`)
	const good = "endpoint: 'https://otel:4317'"
	f(good+", protocol: json", `protocol: "json" is unknown: want one of grpc, http`)
	f(good+", compression: zstd", `compression: "zstd" is unknown: want one of gzip, none`)
	f(good+", max_message_bytes: 1000", `max_message_bytes: 1000 is out of range: want 65536 to 67108864`)
	f("endpoint: 'http://otel:4317', tls: {}", `tls: endpoint "http://otel:4317" is without TLS: want one that begins with https://`)
	f(good+", tls: {ca: DIR/none}", `tls: read TLS files: open DIR/none: no such file or directory`)
	f(good+", headers: {X-Key: hunter2}", `headers: "X-Key" is no name of a header: want lower case letters, digits and hyphens`)
	f(good+", headers: {x-key: \"hunter2\\n\"}", `headers: the value of "x-key" has other characters than printable ASCII`)
	f(good+", headers: {content-type: a}", `headers: "content-type" is set by the protocol: want another header`)
	f(good+", header_files: {grpc-timeout: a}", `header_files: "grpc-timeout" is set by the protocol: want another header`)
	f(good+", headers: {a: b}, header_files: {a: c}", `headers: "a" is in header_files as well: want it once`)
	f(good+", headers: {authorization: hunter2}, token_file: a", `headers: "authorization" goes with token_file: want one of them`)
	f(good+", header_files: {a: DIR/none}", `header_files: a: read secret file "DIR/none": open DIR/none: no such file or directory`)
	f(good+", token_file: DIR/empty", `token_file: read secret file "DIR/empty": file holds no secret: want one line of 1 to 4096 bytes`)
}

// TestEndpoints opens what is right, which connects to nobody.
func TestEndpoints(t *testing.T) {
	f := func(endpoint, protocol, address, want string) {
		t.Helper()
		c := &Config{Endpoint: endpoint, Protocol: protocol}
		target := open(t, c, exporttest.Plan(t, "flows"))
		if c.Address() != address {
			t.Errorf("address %q, want %q", c.Address(), address)
		}
		if over, ok := target.transport.(*overHTTP); ok && over.url != want {
			t.Errorf("url %q, want %q", over.url, want)
		}
	}
	f("http://otel:4318", "http", "otel:4318", "http://otel:4318/v1/logs")
	f("http://otel:4318/", "http", "otel:4318", "http://otel:4318/v1/logs")
	f("https://otel:443/otlp", "http", "otel:443", "https://otel:443/otlp/v1/logs")
	f("https://otel:443/otlp/v1/logs", "http", "otel:443", "https://otel:443/otlp/v1/logs")
	f("https://[2001:db8::1]:4317", "", "[2001:db8::1]:4317", "")
	f("http://otel:4317/", "grpc", "otel:4317", "")
}
