package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestExporters has one exporter whose brokers take rows and another that nobody listens to: the first sends what a query
// answers, the second says why it does not and holds nobody up.
func TestExporters(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "flows"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	nobody := freeAddress(t)
	s := serve(t, "--data-dir", t.TempDir(), "--exporters", exportersFile(t, fmt.Sprintf(`exporters:
- name: lake
  kafka: {brokers: [%q], topic: flows}
  filter: proto == "TCP"
  fields: [src.addr, dst.addr, dst.port, total.bytes]
- ipfix: {collector: %q}
`, broker.ListenAddrs()[0], nobody)))
	again := shopRecords()[0]
	again.Primary, again.Node = false, "node-2"
	s.feed(append(shopRecords(), again))
	answer := s.ask("flows", `proto == "TCP"`, "--fields", "src.addr,dst.addr,dst.port,total.bytes", "-o", "json", "--since", "1h")
	want := slices.Sorted(strings.Lines(answer.out))
	if len(want) < 2 {
		t.Fatalf("%d rows to be sent: %s%s", len(want), answer.out, answer.errs)
	}
	if got := consume(t, broker, len(want)); !slices.Equal(got, want) {
		t.Errorf("messages are\n%swant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
	lake := fmt.Sprintf("lake kafka %s live %d 0 0 0 B", broker.ListenAddrs()[0], len(want))
	s.await("both exporters in the status", func() bool {
		told := strings.Join(strings.Fields(s.ask("status").out), " ")
		return strings.Contains(told, lake) && strings.Contains(told, "exporter: ipfix is degraded: ipfix collector "+nobody)
	})
	got := s.end(os.Interrupt)
	if got.code != 0 || !strings.Contains(got.errs, "exporter ends with records missing") || !strings.Contains(got.errs, "exporter=ipfix") {
		t.Errorf("ends with %d: %s", got.code, got.errs)
	}
}

// consume reads messages of the topic, a line each, in the order of their texts.
func consume(t *testing.T, broker *kfake.Cluster, n int) (lines []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.ConsumeTopics("flows"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(lines) < n && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { lines = append(lines, string(r.Value)+"\n") })
	}
	slices.Sort(lines)
	return lines
}

// freeAddress is one on loopback that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func exportersFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "exporters.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExportersOfRun has seine run send the connections that it sees to a collector, and seine status say so.
func TestExportersOfRun(t *testing.T) {
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	taken := make(chan int64, 1)
	go func() {
		var n int64
		if conn, err := collector.Accept(); err == nil {
			n, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
		taken <- n
	}()
	site := newSite(t)
	file := exportersFile(t, fmt.Sprintf("exporters: [{ipfix: {collector: %q}}]", collector.Addr()))
	p := start(t, "run", "--netns", site.node.Path, "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "-o", "json",
		"--interval", "100ms", "--exporters", file)
	p.await("records in the status", func() bool {
		site.talk(site.server, 3)
		_, after, found := strings.Cut(seine(t, "status").out, "exporter ipfix")
		return found && strings.Contains(after, "records sent to "+collector.Addr().String())
	})
	got := p.end(os.Interrupt)
	if n := <-taken; got.code != 0 || n < 1000 {
		t.Errorf("ends with %d after %d bytes: %s", got.code, n, got.errs)
	}
}
