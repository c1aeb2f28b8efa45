package kafka

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/query"
)

var quiet = slog.New(slog.DiscardHandler)

// newCluster starts brokers on loopback that have the topic "flows" with some partitions.
func newCluster(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(2), kfake.SeedTopics(4, "flows")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// open makes a target that ends with the test.
func open(t testing.TB, c *Config, plan *query.Plan) *Target {
	t.Helper()
	target, err := Open(c, plan, quiet)
	return exporttest.Opened(t, target, err)
}

// consume reads so many messages, those of a partition in their order, and makes sure that no more are there.
func consume(t testing.TB, brokers []string, want int, options ...kgo.Opt) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("flows")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < want {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d messages: %v", len(records), want, err)
		}
		records = append(records, fetches.Records()...)
	}
	more, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if records = append(records, client.PollFetches(more).Records()...); len(records) > want {
		t.Fatalf("%d messages, want %d", len(records), want)
	}
	return records
}

// values returns what messages hold, as lines.
func values(records []*kgo.Record) [][]byte {
	lines := make([][]byte, len(records))
	for i, r := range records {
		lines[i] = r.Value
	}
	return lines
}

// lines splits text into lines without their ends.
func lines(text []byte) [][]byte {
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

// freePort returns a port of loopback that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
