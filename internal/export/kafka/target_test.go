package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/credential/credentialtest"
	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

// numbered returns records of different connections, which are told apart by their forward packets.
func numbered(first, n int) []flow.Record {
	records := make([]flow.Record, n)
	for i := range records {
		r := &records[i]
		r.Proto, r.Primary, r.Sampling = flow.TCP, true, 1
		r.SNAT = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)
		r.Backend.Addr = netip.AddrFrom4([4]byte{10, 1, 0, 1})
		r.Fwd.Packets = uint64(first + i)
	}
	return records
}

// wantOnce expects each of the rows in one message.
func wantOnce(t *testing.T, brokers []string, target *Target, blocks ...*query.Block) {
	t.Helper()
	var want [][]byte
	for _, b := range blocks {
		messages, _ := target.encoder.encode(b, 0)
		for i := range messages {
			want = append(want, messages[i].Value)
		}
	}
	got := values(consume(t, brokers, len(want)))
	slices.SortFunc(want, bytes.Compare)
	slices.SortFunc(got, bytes.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestCompressions sends with each and reads back.
func TestCompressions(t *testing.T) {
	for compression := range codecs {
		t.Run(compression, func(t *testing.T) {
			t.Parallel()
			wantRoundTrip(t, &Config{Compression: compression})
		})
	}
}

// TestAcks sends with the acknowledgement of the leader alone; the others have that of all.
func TestAcks(t *testing.T) {
	t.Parallel()
	wantRoundTrip(t, &Config{Acks: "leader"})
}

func wantRoundTrip(t *testing.T, c *Config) {
	t.Helper()
	cluster := newCluster(t)
	c.Brokers, c.Topic = cluster.ListenAddrs(), "flows"
	plan := exporttest.Plan(t, "flows")
	target := open(t, c, plan)
	block := exporttest.Block(t, plan, querytest.RandomRecords(3, 500))
	exporttest.Send(t, target, block)
	wantOnce(t, cluster.ListenAddrs(), target, block)
}

// TestBrokersAway expects an error that names the brokers in good time, and delivery once they are there.
func TestBrokersAway(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: []string{address(port)}, Topic: "flows"}, plan)
	block := exporttest.Block(t, plan, numbered(0, 100))
	begin := time.Now()
	_, err := target.Send(t.Context(), block)
	if took := time.Since(begin); took > sendTime+pingTime+2*time.Second {
		t.Errorf("took %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), "topic flows on "+address(port)) || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("got %v", err)
	}
	cluster := newCluster(t, kfake.Ports(port))
	exporttest.UntilSent(t, target, block)
	wantOnce(t, cluster.ListenAddrs(), target, block)
}

// TestRestart ends the brokers while blocks are sent, starts them again with what they had, and expects every row once.
func TestRestart(t *testing.T) {
	t.Parallel()
	port, dir := freePort(t), t.TempDir()
	start := func() *kfake.Cluster {
		cluster, err := kfake.NewCluster(kfake.Ports(port), kfake.SeedTopics(4, "flows"), kfake.DataDir(dir), kfake.SyncWrites())
		if err != nil {
			t.Fatal(err)
		}
		return cluster
	}
	cluster := start()
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: []string{address(port)}, Topic: "flows"}, plan)
	var blocks []*query.Block
	for i := range 8 {
		block := exporttest.Block(t, plan, numbered(i*200, 200))
		blocks = append(blocks, block)
		if i%4 == 2 {
			cluster.Close()
			if _, err := target.Send(t.Context(), block); err == nil {
				t.Fatal("no error without brokers")
			}
			cluster = start()
		}
		exporttest.UntilSent(t, target, block)
	}
	defer cluster.Close()
	wantOnce(t, cluster.ListenAddrs(), target, blocks...)
}

// TestLostAcknowledgement has brokers write messages, and cuts the connection before they say so: they are there once.
func TestLostAcknowledgement(t *testing.T) {
	t.Parallel()
	var cut atomic.Int32
	cluster := newCluster(t, kfake.NumBrokers(1), kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return cutListener{l, &cut}, err
	}))
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows"}, plan)
	first, second := exporttest.Block(t, plan, numbered(0, 10)), exporttest.Block(t, plan, numbered(10, 500))
	exporttest.Send(t, target, first)
	var requests atomic.Int32
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		if requests.Add(1) <= 2 {
			cut.Store(1)
		}
		return nil, nil, false
	})
	exporttest.UntilSent(t, target, second)
	if cut.Load() != 0 || requests.Load() < 3 {
		t.Errorf("%d requests: no connection was cut", requests.Load())
	}
	wantOnce(t, cluster.ListenAddrs(), target, first, second)
}

// cutListener accepts connections that end in place of the next answer, when cut is 1.
type cutListener struct {
	net.Listener
	cut *atomic.Int32
}

func (l cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return cutConn{conn, l.cut}, err
}

type cutConn struct {
	net.Conn
	cut *atomic.Int32
}

func (c cutConn) Write(answer []byte) (int, error) {
	if c.cut.CompareAndSwap(1, 0) {
		return 0, errors.Join(net.ErrClosed, c.Close())
	}
	return c.Conn.Write(answer)
}

// failedProduce answers that no partition took its messages.
func failedProduce(request *kmsg.ProduceRequest, reason *kerr.Error) *kmsg.ProduceResponse {
	response := request.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range request.Topics {
		answer := kmsg.NewProduceResponseTopic()
		answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
		for _, partition := range topic.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode = partition.Partition, reason.Code
			answer.Partitions = append(answer.Partitions, p)
		}
		response.Topics = append(response.Topics, answer)
	}
	return response
}

// TestMissingTopic expects an error that says so, no topic made by us even where brokers would make it, and delivery once
// somebody makes it.
func TestMissingTopic(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows"}, plan)
	block := exporttest.Block(t, plan, numbered(0, 10))
	for range 2 {
		_, err := target.Send(t.Context(), block)
		want := "topic flows on " + cluster.ListenAddrs()[0] + ": there is no such topic, or the user may not see it: create it, seine does not"
		if err == nil || err.Error() != want {
			t.Fatalf("got %v\nwant %s", err, want)
		}
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "flows", 2, 1
	create.Topics = append(create.Topics, topic)
	if answer, err := create.RequestWith(t.Context(), target.client); err != nil || answer.Topics[0].ErrorCode != 0 {
		t.Fatalf("create topic: %+v, %v", answer, err)
	}
	exporttest.UntilSent(t, target, block)
	wantOnce(t, cluster.ListenAddrs(), target, block)
}

// TestTooLarge refuses rows that are larger than a batch may be, alone.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows", MaxMessageBytes: 4 << 10}, plan)
	records := numbered(0, 100)
	for _, i := range []int{7, 70} {
		records[i].Src.Image = strings.Repeat("x", 5<<10)
	}
	if refused := exporttest.Send(t, target, exporttest.Block(t, plan, records)); refused != 2 {
		t.Errorf("%d rows refused, want 2", refused)
	}
	for _, r := range consume(t, cluster.ListenAddrs(), 98) {
		if len(r.Value) > 4<<10 {
			t.Errorf("a message of %d bytes", len(r.Value))
		}
	}
}

// TestTopicTakesLess makes batches smaller where the topic takes less than is configured, and loses none but what is too
// large alone.
func TestTopicTakesLess(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "20000"}))
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows", Compression: "none"}, plan)
	records := numbered(0, 1000)
	records[5].Src.Image = strings.Repeat("x", 30_000)
	if refused := exporttest.Send(t, target, exporttest.Block(t, plan, records)); refused != 1 {
		t.Errorf("%d rows refused, want 1", refused)
	}
	consume(t, cluster.ListenAddrs(), 999)
	if target.batchBytes > 20_000 || target.batchBytes < 10_000 {
		t.Errorf("batches of %d bytes", target.batchBytes)
	}
	size := target.batchBytes
	exporttest.Send(t, target, exporttest.Block(t, plan, numbered(1000, 1000)))
	if target.batchBytes != size {
		t.Errorf("batches of %d bytes after %d", target.batchBytes, size)
	}
}

// TestGiantAnswer makes no room for an answer of as many bytes as a broker likes to say.
func TestGiantAnswer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte{0x05, 0, 0, 0}) // 80 MiB, of which nothing comes.
		}
	}()
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: []string{l.Addr().String()}, Topic: "flows"}, plan)
	_, err = target.Send(t.Context(), exporttest.Block(t, plan, numbered(0, 1)))
	if err == nil || !strings.Contains(err.Error(), "invalid large response size 83886080") {
		t.Errorf("got %v", err)
	}
}

// TestInvalid refuses what the broker calls invalid, and retries all else that it says.
func TestInvalid(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "flows"))
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows"}, plan)
	answer := func(reason *kerr.Error) {
		cluster.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
			return failedProduce(request.(*kmsg.ProduceRequest), reason), nil, true
		})
	}
	answer(kerr.InvalidRecord)
	if refused := exporttest.Send(t, target, exporttest.Block(t, plan, numbered(0, 10))); refused != 10 {
		t.Errorf("%d rows refused, want 10", refused)
	}
	answer(kerr.TopicAuthorizationFailed)
	block := exporttest.Block(t, plan, numbered(10, 10))
	refused, err := target.Send(t.Context(), block)
	if err == nil || refused != 0 || !strings.Contains(err.Error(), "TOPIC_AUTHORIZATION_FAILED") {
		t.Fatalf("%d rows refused, error %v", refused, err)
	}
	exporttest.UntilSent(t, target, block)
	wantOnce(t, cluster.ListenAddrs(), target, block)
}

// TestReplicasMissing tells why the brokers do not take messages, though the client would try on.
func TestReplicasMissing(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.NumBrokers(1))
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows"}, plan)
	cluster.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return failedProduce(request.(*kmsg.ProduceRequest), kerr.NotEnoughReplicas), nil, true
	})
	_, err := target.Send(t.Context(), exporttest.Block(t, plan, numbered(0, 10)))
	if err == nil || !strings.Contains(err.Error(), "NOT_ENOUGH_REPLICAS") {
		t.Fatalf("got %v", err)
	}
}

// TestCancel returns when the context ends, however the brokers are.
func TestCancel(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.NumBrokers(1))
	block := make(chan struct{})
	defer close(block)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(func() { <-block })
		return nil, nil, false
	})
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows"}, plan)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := target.Send(ctx, exporttest.Block(t, plan, numbered(0, 10))); err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("got %v after %v", err, time.Since(begin))
	}
}

// TestSASL authenticates over TLS with each mechanism; a wrong password is an error that does not tell it, and the right
// one is read when it comes.
func TestSASL(t *testing.T) {
	dir := t.TempDir()
	authority := credentialtest.New(t, "brokers")
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	authority.WriteCA(ca)
	authority.Issue("broker", cert, key)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for mechanism, method := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			user, password := filepath.Join(t.TempDir(), "user"), filepath.Join(t.TempDir(), "password")
			write(t, user, "seine")
			write(t, password, "wrong-password")
			cluster := newCluster(t, kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}),
				kfake.EnableSASL(), kfake.Superuser(method, "seine", "right-password"), kfake.Superuser("PLAIN", "reader", "reads"))
			plan := exporttest.Plan(t, "flows")
			var logged bytes.Buffer
			target, err := Open(&Config{
				Brokers: cluster.ListenAddrs(), Topic: "flows", TLS: &credential.Client{TLS: credential.TLS{CA: ca}},
				SASL: &SASL{Mechanism: mechanism, UserFile: user, PasswordFile: password},
			}, plan, slog.New(slog.NewTextHandler(&logged, nil)))
			if err != nil {
				t.Fatal(err)
			}
			block := exporttest.Block(t, plan, numbered(0, 10))
			_, err = target.Send(t.Context(), block)
			// A real broker tells SASL_AUTHENTICATION_FAILED; this one hangs up, as those do that want TLS.
			if err == nil || !strings.Contains(err.Error(), "other credentials") {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error()+logged.String(), "-password") {
				t.Errorf("the password is told: %v\n%s", err, logged.String())
			}
			write(t, password, "right-password\n")
			exporttest.UntilSent(t, target, block)
			consume(t, cluster.ListenAddrs(), 10, kgo.DialTLSConfig(&tls.Config{InsecureSkipVerify: true}),
				kgo.SASL(plain.Auth{User: "reader", Pass: "reads"}.AsMechanism()))
			if err := target.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestForeignBroker refuses a broker that an authority other than ours vouches for.
func TestForeignBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	credentialtest.New(t, "ours").WriteCA(ca)
	credentialtest.New(t, "theirs").Issue("broker", cert, key)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	cluster := newCluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	plan := exporttest.Plan(t, "flows")
	target := open(t, &Config{
		Brokers: cluster.ListenAddrs(), Topic: "flows", TLS: &credential.Client{TLS: credential.TLS{CA: ca}},
	}, plan)
	_, err = target.Send(t.Context(), exporttest.Block(t, plan, numbered(0, 1)))
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("got %v", err)
	}
}

// TestClearPassword warns where the password would be seen by the network.
func TestClearPassword(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	write(t, password, "secret-of-the-test")
	for _, secured := range []*credential.Client{nil, {}} {
		var logged bytes.Buffer
		target, err := Open(&Config{
			Brokers: []string{"a:9092"}, Topic: "flows", TLS: secured, SASL: &SASL{Mechanism: "plain", User: "u", PasswordFile: password},
		}, exporttest.Plan(t, "flows"), slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := target.Close(); err != nil {
			t.Error(err)
		}
		if warned := strings.Contains(logged.String(), "goes over the network as it is"); warned != (secured == nil) || strings.Contains(logged.String(), "secret-of") {
			t.Errorf("logged %q", logged.String())
		}
	}
}

// write replaces a file as a whole.
func write(t *testing.T, path, content string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}
