package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/wire/wirepb"
	"github.com/seine-net/seine/internal/wire/wiretest"
)

// raw opens a stream without any of our manners.
func raw(t *testing.T, address string) clientStream {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.WaitLimit)
	t.Cleanup(func() {
		cancel()
		_ = conn.Close()
	})
	stream, err := wirepb.NewReceiverClient(conn).Deliver(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func helloMessage(change func(*wirepb.Hello)) *wirepb.FromAgent {
	hello := &wirepb.Hello{Protocol: 1, OldestProtocol: 1, Node: "n", Origin: "n/1", FieldTable: fieldTable}
	if change != nil {
		change(hello)
	}
	return &wirepb.FromAgent{Message: &wirepb.FromAgent_Hello{Hello: hello}}
}

func batchMessage(sequence uint64, dataset string, arrow []byte) *wirepb.FromAgent {
	return &wirepb.FromAgent{Message: &wirepb.FromAgent_Batch{Batch: &wirepb.Batch{Sequence: sequence, Dataset: dataset, Arrow: arrow}}}
}

// encoded makes a good batch.
func encoded(t testing.TB, rows int) []byte {
	t.Helper()
	b := columns.NewBuilder(columns.Flows(), rows)
	b.Append(wiretest.Records(0, rows))
	batch := b.NewBatch()
	defer batch.Release()
	bytes, err := columns.Encode(nil, batch)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestHostileStreams(t *testing.T) {
	good := encoded(t, 3)
	nothing := &wirepb.FromAgent{}
	f := func(name string, messages []*wirepb.FromAgent, want string) {
		t.Run(name, func(t *testing.T) {
			k := newKeeper()
			r, _ := serve(t, ReceiverConfig{}, k)
			stream := raw(t, r.Addr().String())
			var all []string
			for i, m := range messages {
				// The server may have ended the stream before the last message.
				if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				if i == 0 && len(messages) > 1 {
					all = append(all, answer(stream))
				}
			}
			_ = stream.CloseSend()
			if got := strings.Join(append(all, answers(stream)...), "\n"); got != want {
				t.Errorf("answers are\n%s\nwant\n%s", got, want)
			}
			wiretest.Eventually(t, "stream's end", func() bool { return r.Stats().Streams == 0 })
			k.mu.Lock()
			defer k.mu.Unlock()
			if k.open != 0 {
				t.Errorf("%d sessions are open at the end", k.open)
			}
		})
	}
	list := func(messages ...*wirepb.FromAgent) []*wirepb.FromAgent { return messages }
	f("nothing", nil, "")
	f("hello alone", list(helloMessage(nil)), "welcome 1")
	f("no hello", list(batchMessage(1, "flows", good)), "refusal PROTOCOL: the first message is *wirepb.FromAgent_Batch: want a hello")
	f("empty message first", list(nothing), "refusal PROTOCOL: the first message is <nil>: want a hello")
	f("no node", list(helloMessage(func(h *wirepb.Hello) { h.Node = "" })), "refusal PROTOCOL: node of 0 bytes: want 1 to 506")
	f("long origin", list(helloMessage(func(h *wirepb.Hello) { h.Origin = strings.Repeat("x", 507) })), "refusal PROTOCOL: origin of 507 bytes: want 1 to 506")
	f("protocol 0", list(helloMessage(func(h *wirepb.Hello) { h.Protocol, h.OldestProtocol = 0, 0 })),
		"refusal VERSION: the agent () speaks protocol 0, this server (server-1) 1: upgrade the older of them")
	f("hello twice", list(helloMessage(nil), helloMessage(nil)), "welcome 1\nrefusal PROTOCOL: message is *wirepb.FromAgent_Hello: want a batch or a report")
	f("empty message", list(helloMessage(nil), nothing), "welcome 1\nrefusal PROTOCOL: message is <nil>: want a batch or a report")
	f("good", list(helloMessage(nil), batchMessage(1, "flows", good), batchMessage(7, "flows", good)), "welcome 1\nack 1\nack 7")
	f("other fields", list(helloMessage(func(h *wirepb.Hello) { h.FieldTable++ }), batchMessage(1, "flows", good)), "welcome 1\nack 1")
	f("number 0", list(helloMessage(nil), batchMessage(0, "flows", good)), "welcome 1\nrefusal PROTOCOL: batch 0 came after 0: want growing numbers")
	f("number again", list(helloMessage(nil), batchMessage(5, "flows", good), batchMessage(5, "flows", good)),
		"welcome 1\nack 5\nrefusal PROTOCOL: batch 5 came after 5: want growing numbers")
	f("unknown dataset does not end the stream", list(helloMessage(nil), batchMessage(1, "fish", good), batchMessage(2, "flows", good)),
		"welcome 1\nrefusal BATCH 1: dataset \"fish\" is unknown\nack 2")
	f("empty batch does not end the stream", list(helloMessage(nil), batchMessage(1, "flows", nil), batchMessage(2, "flows", good)),
		"welcome 1\nrefusal BATCH 1: …\nack 2")
	f("torn batch", list(helloMessage(nil), batchMessage(1, "flows", good[:len(good)/2]), batchMessage(2, "flows", good)),
		"welcome 1\nrefusal BATCH 1: …\nack 2")
	f("too large", list(helloMessage(nil), batchMessage(1, "flows", make([]byte, maxMessageBytes+1))), "welcome 1\nerror ResourceExhausted")
	f("empty report", list(helloMessage(nil), &wirepb.FromAgent{Message: &wirepb.FromAgent_Report{}}), "welcome 1")
}

// answers lists what a server says until it ends the stream.
func answers(stream clientStream) []string {
	var all []string
	for {
		next := answer(stream)
		if next == "" {
			return all
		}
		all = append(all, next)
		if strings.HasPrefix(next, "error") {
			return all
		}
	}
}

// answer is what a server says next, nothing at the end of the stream.
func answer(stream clientStream) string {
	next, err := stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return ""
	case err != nil:
		return "error " + status.Code(err).String()
	}
	return answerText(next)
}

func answerText(answer *wirepb.FromServer) string {
	switch m := answer.Message.(type) {
	case *wirepb.FromServer_Welcome:
		return "welcome 1"
	case *wirepb.FromServer_Ack:
		return "ack " + strconv.FormatUint(m.Ack.Sequence, 10)
	case *wirepb.FromServer_Refusal:
		r := m.Refusal
		text := "refusal " + r.Kind.String()
		if r.Sequence != 0 {
			text += " " + strconv.FormatUint(r.Sequence, 10)
		}
		if strings.HasPrefix(r.Text, "decode batch: ") {
			return text + ": …"
		}
		return text + ": " + r.Text
	}
	return "nothing"
}

// Whoever opens a stream and says nothing is sent away.
func TestSilentAgent(t *testing.T) {
	r, err := Listen(ReceiverConfig{Listen: "127.0.0.1:0"}, newKeeper(), discard)
	if err != nil {
		t.Fatal(err)
	}
	r.patience = 50 * time.Millisecond
	run(t, r)
	if got, want := strings.Join(answers(raw(t, r.Addr().String())), "\n"), "refusal PROTOCOL: no hello came within 50ms"; got != want {
		t.Errorf("answers are %q, want %q", got, want)
	}
}

func TestReportsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 2*maxText)
	r := &wirepb.Report{}
	for range 2 * maxLosses {
		r.Losses = append(r.Losses, &wirepb.Loss{Reason: "map_full", Detail: long}, nil)
		r.Features = append(r.Features, &wirepb.Feature{Name: long, State: long, Means: long, Detail: long}, nil)
	}
	for range MaxAddresses {
		r.Addresses = append(r.Addresses, nil, []byte("five."), []byte("four"))
	}
	got := reportOf(r)
	if n := len(got.Addresses); n == 0 || n > MaxAddresses/2 {
		t.Errorf("report has %d addresses; want the good ones among the first %d", n, MaxAddresses)
	}
	if len(got.Losses) != maxLosses || len(got.Features) != maxFeatures {
		t.Errorf("report has %d losses and %d features, want %d and %d", len(got.Losses), len(got.Features), maxLosses, maxFeatures)
	}
	if l, f := got.Losses[0], got.Features[0]; len(l.Reason)+len(l.Detail) > maxName+maxText || len(f.Name)+len(f.State)+len(f.Means)+len(f.Detail) > 3*maxName+maxText {
		t.Error("texts are not clipped")
	}
	for _, reason := range []string{"", long, "Map full", "map\nfull", "\x01"} {
		if got := reportOf(&wirepb.Report{Losses: []*wirepb.Loss{{Reason: reason, Count: 1}}}); len(got.Losses) != 0 {
			t.Errorf("reason %q is kept", reason)
		}
	}
	if got, want := clip("a\x1b[31mb\nc\u202ed", maxText), "a[31mbcd"; got != want {
		t.Errorf("clipped to %q, want %q", got, want)
	}
}

// script is a stream whose agent says what a file holds.
type script struct {
	grpc.ServerStream
	context context.Context
	input   []byte
	answers []*wirepb.FromServer
}

func (s *script) Context() context.Context { return s.context }

func (s *script) Send(m *wirepb.FromServer) error {
	if _, err := proto.Marshal(m); err != nil {
		return err
	}
	s.answers = append(s.answers, m)
	return nil
}

// Recv takes messages apart as gRPC does, but for their length, which is one or two bytes.
func (s *script) Recv() (*wirepb.FromAgent, error) {
	if len(s.input) < 2 {
		return nil, io.EOF
	}
	size := min(int(s.input[0])<<8|int(s.input[1]), len(s.input)-2)
	m := new(wirepb.FromAgent)
	err := proto.Unmarshal(s.input[2:2+size], m)
	s.input = s.input[2+size:]
	return m, err
}

func scripted(t testing.TB, messages ...*wirepb.FromAgent) []byte {
	t.Helper()
	var all []byte
	for _, m := range messages {
		bytes, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, byte(len(bytes)>>8), byte(len(bytes))), bytes...)
	}
	return all
}

// readAll is a handler that reads every value that it is given.
type readAll struct{ batches int }

func (r *readAll) Accept(Agent) (Session, error) { return r, nil }
func (r *readAll) Report(Report)                 {}
func (r *readAll) Close()                        {}

func (r *readAll) Ingest(_ context.Context, d Delivery) error {
	r.batches++
	for _, f := range columns.Flows().Fields {
		if columns.IsText(f) {
			texts := columns.TextsOf(d.Rows, f)
			for row := range int(d.Rows.NumRows()) {
				_ = texts.Value(row)
			}
			continue
		}
		_ = columns.NumbersOf(d.Rows, f)
	}
	return nil
}

// FuzzStream gives a receiver any bytes as an agent's messages: it answers, or ends the stream, and acknowledges exactly
// what its handler took.
func FuzzStream(f *testing.F) {
	good := encoded(f, 3)
	f.Add(scripted(f, helloMessage(nil)))
	f.Add(scripted(f, helloMessage(nil), batchMessage(1, "flows", good), batchMessage(2, "flows", good)))
	f.Add(scripted(f, helloMessage(nil), batchMessage(1, "flows", good[:len(good)-9]), batchMessage(3, "flows", nil)))
	f.Add(scripted(f, helloMessage(nil), &wirepb.FromAgent{Message: &wirepb.FromAgent_Report{Report: &wirepb.Report{Losses: []*wirepb.Loss{{Reason: "r"}}}}}))
	f.Add(scripted(f, batchMessage(1, "flows", good)))
	f.Fuzz(func(t *testing.T, input []byte) {
		handler := &readAll{}
		r := &Receiver{
			config: ReceiverConfig{MaxAgents: 1}, handler: handler, log: discard, quiet: &seldom{log: discard}, versions: ours, patience: greetWithin,
			decoders: make(chan struct{}, 1), refusals: make(map[string]uint64), stopping: make(chan struct{}),
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		nowhere := &stats.ConnTagInfo{RemoteAddr: &net.TCPAddr{}}
		s := &script{context: newMeter(func(string) {}).TagConn(ctx, nowhere), input: input}
		_ = r.Deliver(s)
		acknowledged := 0
		for _, answer := range s.answers {
			if answer.GetAck() != nil {
				acknowledged++
			}
		}
		if acknowledged != handler.batches {
			t.Errorf("%d batches are acknowledged, the handler took %d", acknowledged, handler.batches)
		}
		if r.Stats().Streams != 0 || len(r.decoders) != 0 {
			t.Error("the stream left something behind")
		}
	})
}
