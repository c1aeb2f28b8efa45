package kafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/seine-net/seine/internal/export/exporttest"
)

// TestConfigErrors expects errors that name the member, the value and what would be accepted.
func TestConfigErrors(t *testing.T) {
	dir := t.TempDir()
	empty, password := filepath.Join(dir, "empty"), filepath.Join(dir, "password")
	for path, content := range map[string]string{empty: "", password: "secret of the test\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = "brokers: [a:9092], topic: flows"
	f := func(dataset, config, want string) {
		t.Helper()
		var c Config
		if err := yaml.Unmarshal([]byte("{"+strings.ReplaceAll(config, "DIR", dir)+"}"), &c); err != nil {
			t.Fatal(err)
		}
		target, err := Open(&c, exporttest.Plan(t, dataset), quiet)
		if err == nil {
			_ = target.Close()
			t.Fatalf("%s: no error, want %s", config, want)
		}
		if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", config, got, want)
		}
		if strings.Contains(err.Error(), "secret of the test") {
			t.Errorf("%s: the error tells a secret: %v", config, err)
		}
	}
	f("flows", "topic: flows", "brokers: none is named: want one or more as host:port")
	f("flows", "brokers: [kafka], topic: flows", `brokers: "kafka" is no address: want host:port, such as kafka.example:9092`)
	f("flows", "brokers: [a:9092, ':9092'], topic: flows", `brokers: ":9092" is no address: want host:port, such as kafka.example:9092`)
	f("flows", "brokers: [a:0], topic: flows", `brokers: "a:0" is no address: want host:port, such as kafka.example:9092`)
	f("flows", "brokers: ['a:kafka'], topic: flows", `brokers: "a:kafka" is no address: want host:port, such as kafka.example:9092`)
	f("flows", "brokers: [a:9092]", `topic: "" is no name of a topic: want 1 to 249 letters, digits, dots, underscores and hyphens`)
	f("flows", "brokers: [a:9092], topic: a/b", `topic: "a/b" is no name of a topic: want 1 to 249 letters, digits, dots, underscores and hyphens`)
	f("flows", "brokers: [a:9092], topic: ..", `topic: ".." is no name of a topic: want 1 to 249 letters, digits, dots, underscores and hyphens`)
	f("flows", good+", format: avro", `format: "avro" is unknown: want one of json, netobserv`)
	f("flows", good+", compression: brotli", `compression: "brotli" is unknown: want one of gzip, lz4, none, snappy, zstd`)
	f("flows", good+", acks: none", `acks: "none" is unknown: want one of all, leader`)
	f("flows", good+", max_message_bytes: 100", `max_message_bytes: 100 is out of range: want 1024 to 104857600`)
	f("flows", good+", max_message_bytes: 2000000000", `max_message_bytes: 2000000000 is out of range: want 1024 to 104857600`)
	f("dns", good+", format: netobserv", `format: "netobserv" is made of all fields of the dataset flows: leave out fields and dataset`)
	f("flows", good+", sasl: {mechanism: gssapi}", `sasl.mechanism: "gssapi" is unknown: want one of plain, scram-sha-256, scram-sha-512`)
	f("flows", good+", sasl: {mechanism: plain}", `sasl: want either user or user_file`)
	f("flows", good+", sasl: {mechanism: plain, user: a, user_file: b}", `sasl: want either user or user_file`)
	f("flows", good+", sasl: {mechanism: plain, user: a}", `sasl.password_file: none is named: want the path of a file that holds the password`)
	f("flows", good+", sasl: {mechanism: plain, user: a, password_file: DIR/none}",
		`sasl.password_file: read secret file "DIR/none": open DIR/none: no such file or directory`)
	f("flows", good+", sasl: {mechanism: plain, user: a, password_file: DIR/empty}",
		`sasl.password_file: read secret file "DIR/empty": file holds no secret: want one line of 1 to 4096 bytes`)
	f("flows", good+", sasl: {mechanism: plain, user_file: DIR/none, password_file: DIR/password}",
		`sasl.user_file: read secret file "DIR/none": open DIR/none: no such file or directory`)
	f("flows", good+", tls: {ca: DIR/none}", `tls: read TLS files: open DIR/none: no such file or directory`)
	f("flows", good+", tls: {ca: DIR/empty}", `tls: read TLS files: DIR/empty: want at least one certificate as PEM`)
	f("flows", good+", tls: {cert: DIR/empty}", `tls: a certificate and a key go together: want both files or none`)
}

// TestConfigs opens what is right, which connects to nobody.
func TestConfigs(t *testing.T) {
	f := func(config, address string) {
		t.Helper()
		var c Config
		if err := yaml.Unmarshal([]byte("{"+config+"}"), &c); err != nil {
			t.Fatal(err)
		}
		open(t, &c, exporttest.Plan(t, "flows"))
		if c.Address() != address {
			t.Errorf("address %q, want %q", c.Address(), address)
		}
	}
	f("brokers: ['192.0.2.1:9092', '[2001:db8::1]:9093'], topic: a.b_c-D", "192.0.2.1:9092,[2001:db8::1]:9093")
	f("brokers: [a:1], topic: flows, max_message_bytes: 104857600, acks: leader, compression: none, tls: {}", "a:1")
	f("brokers: [a:1], topic: flows, max_message_bytes: 1024, compression: zstd", "a:1")
}
