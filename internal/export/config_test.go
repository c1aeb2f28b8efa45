package export

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/server"
)

// newSource returns a server that stores nothing.
func newSource(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.New(server.Config{Engine: nothing{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const lake = `exporters:
- name: lake
  kafka: {brokers: ["127.0.0.1:1"], topic: flows}
  filter: dst.kind == "Service"
  fields: [end, src.addr]
- ipfix: {collector: "127.0.0.1:1"}
- name: queries
  dataset: dns
  kafka: {brokers: ["127.0.0.1:1", "127.0.0.1:2"], topic: queries}
- otlp: {endpoint: "http://127.0.0.1:1"}
`

// TestFile opens an exporter of each kind, though nothing is where they send to.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exporters.yaml")
	if err := os.WriteFile(path, []byte(lake), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := file.Open(newSource(t), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		s := e.Status()
		got = append(got, strings.Join([]string{s.Name, s.Kind, s.Address, s.State}, " "))
		e.subscription.Close()
		e.target.Close()
	}
	const want = "lake kafka 127.0.0.1:1 waiting, ipfix ipfix 127.0.0.1:1 waiting, queries kafka 127.0.0.1:1,127.0.0.1:2 waiting, otlp otlp 127.0.0.1:1 waiting"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// TestWrongFiles has each wrong file say where it is wrong, and what would be accepted.
func TestWrongFiles(t *testing.T) {
	const kafka = `kafka: {brokers: ["127.0.0.1:1"], topic: flows}`
	for _, c := range []struct{ text, want string }{
		{"exporters: 7", "line 1: the value `7` does not fit: want a list of exporters, such as {kafka:"},
		{"- " + kafka, "line 1: the value does not fit: want members with their values"},
		{"exporters: [{ipfix: {template_refresh: 5}}]", "line 1: the value `5` does not fit: want a time with its unit, such as 30s"},
		{"exporters: []\n---\nexporters: [{" + kafka + "}]", "file has a second document: want one, with all exporters"},
		{"exporters: [", "want exporters as YAML or JSON"},
		{"exporter: []", "line 1: exporter is not known: want exporters"},
		{"exporters:\n- filters: []", "line 2: filters is not known: want name, dataset, filter, fields, queue_mib, kafka, ipfix, otlp"},
		{"exporters: [{kafka: {topics: []}}]", "line 1: topics is not known: want brokers, topic, "},
		{"exporters: [{kafka: {tls: {cacert: x}}}]", "line 1: cacert is not known: want ca, cert, key, server_name, insecure_skip_verify"},
		{"exporters: [{name: lake}]", "exporters[0]: has 0 of kafka, ipfix and otlp: want one, such as {kafka:"},
		{"exporters: [{" + kafka + `, ipfix: {collector: "a:1"}}]`, "exporters[0]: has 2 of kafka, ipfix and otlp: want one"},
		{"exporters: [{" + kafka + ", name: The Lake}]", `exporters[0].name "The Lake": want lower case letters`},
		{"exporters: [{" + kafka + "}, {" + kafka + "}]", `exporters[1].name "kafka": is taken, want another`},
		{"exporters: [" + strings.Repeat("{"+kafka+"},", maxExporters+1) + "]", "exporters has 17 entries, want at most 16"},
		{"exporters: [{" + kafka + ", filter: 'dst.prt == 1'}]", `exporters[0] (kafka): filter:1:1: no field or function is called "dst.prt"`},
		{"exporters: [{" + kafka + ", fields: [dst.prt]}]", `exporters[0] (kafka): fields`},
		{"exporters: [{" + kafka + ", dataset: logs}]", `exporters[0] (kafka): dataset: no dataset is called "logs"; want flows or dns`},
		{"exporters: [{" + kafka + ", queue_mib: -1}]", "exporters[0] (kafka): queue_mib -1: want 1 to 4096"},
		{`exporters: [{ipfix: {collector: nowhere}}]`, `exporters[0] (ipfix): ipfix.collector: "nowhere": want host:port`},
		{"exporters: [{" + kafka + ", queue_mib: 4097}]", "exporters[0] (kafka): queue_mib 4097: want 1 to 4096"},
	} {
		file, err := Parse([]byte(c.text))
		if err == nil {
			_, err = file.Open(newSource(t), "test", slog.New(slog.DiscardHandler))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s\n gives %v\n  want %s", c.text, err, c.want)
		}
	}
	if file, err := Parse([]byte("# nothing yet\n")); err != nil || len(file.Exporters) != 0 {
		t.Errorf("a file of comments gives %v", err)
	}
}

// TestNoRegularFile refuses what could be waited for without end.
func TestNoRegularFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, t.TempDir()} {
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), path+": want a regular file") {
			t.Errorf("%s gives %v", path, err)
		}
	}
}
