package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/seine-net/seine/internal/wire/wirepb"
)

const (
	// maxLosses and maxFeatures bound a report, maxReason a reason and maxText another text in it.
	maxLosses   = 32
	maxFeatures = 64
	maxReason   = 64
	maxText     = 1024
)

// MaxAddresses bounds the addresses of a report.
const MaxAddresses = 1024

type serverStream = grpc.BidiStreamingServer[wirepb.FromAgent, wirepb.FromServer]

// refusal ends a stream; its kind and text are told to the agent.
type refusal struct {
	kind     wirepb.Refusal_Kind
	sequence uint64
	text     string
}

func (r *refusal) Error() string { return reasonOf(r.kind) + ": " + r.text }

func refuse(kind wirepb.Refusal_Kind, format string, values ...any) error {
	return &refusal{kind: kind, text: fmt.Sprintf(format, values...)}
}

// Deliver serves one stream; gRPC calls it. io.EOF within is the agent's end of the stream.
func (r *Receiver) Deliver(stream serverStream) error {
	err := r.serve(stream)
	if errors.Is(err, io.EOF) {
		return nil
	}
	why, ok := errors.AsType[*refusal](err)
	if !ok {
		return err
	}
	r.count(reasonOf(why.kind))
	r.quiet.Warn("stream of agent refused", "address", address(stream), "reason", reasonOf(why.kind), "text", why.text)
	// If it cannot be told, the agent is gone.
	_ = stream.Send(&wirepb.FromServer{Message: &wirepb.FromServer_Refusal{Refusal: &wirepb.Refusal{
		Kind: why.kind, Text: why.text, Sequence: why.sequence,
	}}})
	return nil
}

func (r *Receiver) count(reason string) {
	r.refusalsMu.Lock()
	defer r.refusalsMu.Unlock()
	r.refusals[reason]++
}

func address(stream serverStream) string {
	if p, ok := peer.FromContext(stream.Context()); ok {
		return p.Addr.String()
	}
	return ""
}

func (r *Receiver) serve(stream serverStream) error {
	if err := r.authorize(stream.Context()); err != nil {
		return err
	}
	defer r.streams.Add(-1)
	if r.streams.Add(1) > int64(r.config.MaxAgents) {
		return refuse(wirepb.Refusal_BUSY, "%d agents are connected, which is the limit", r.config.MaxAgents)
	}
	conn := connOf(stream.Context())
	conn.begin()
	defer conn.end()
	incoming := receiveAll(stream)
	agent, err := r.greet(stream, incoming)
	if err != nil {
		return err
	}
	session, err := r.handler.Accept(agent)
	if err != nil {
		return refuse(wirepb.Refusal_BUSY, "%v", err)
	}
	defer session.Close()
	welcome := &wirepb.Welcome{Protocol: agent.Protocol, Version: r.config.Version}
	if err := stream.Send(&wirepb.FromServer{Message: &wirepb.FromServer_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	return r.converse(stream, incoming, session)
}

// message is what one call of Recv returned.
type message struct {
	*wirepb.FromAgent
	err error
}

// receiveAll gives a stream's messages to the channel, so that waiting for one can end for other reasons, too. It ends,
// and closes the channel, after an error or with the stream's context: when Deliver returns, or before.
func receiveAll(stream serverStream) <-chan message {
	incoming := make(chan message)
	go func() {
		defer close(incoming)
		for {
			m, err := stream.Recv()
			if err == nil {
				connOf(stream.Context()).arrived(proto.Size(m))
			}
			select {
			case incoming <- message{m, err}:
			case <-stream.Context().Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return incoming
}

// next waits for a message, unless the server stops or the time is over.
func (r *Receiver) next(incoming <-chan message, late <-chan time.Time) (*wirepb.FromAgent, error) {
	select {
	case <-r.stopping:
		return nil, refuse(wirepb.Refusal_BUSY, "this server stops")
	case <-late:
		return nil, refuse(wirepb.Refusal_PROTOCOL, "no hello came within %v", r.patience)
	case m, ok := <-incoming:
		if !ok {
			return nil, context.Canceled
		}
		return m.FromAgent, m.err
	}
}

// authorize checks the bearer token, before anything of the stream is read.
func (r *Receiver) authorize(ctx context.Context) error {
	if r.tokens == nil {
		return nil
	}
	presented := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(presented) != 1 {
		return refuse(wirepb.Refusal_TOKEN, "this server wants a bearer token: give the agent --server-token-file FILE")
	}
	if err := r.tokens.Authorize(presented[0]); err != nil {
		return refuse(wirepb.Refusal_TOKEN, "%v", err)
	}
	return nil
}

// greet waits for Hello and chooses the protocol version.
func (r *Receiver) greet(stream serverStream, incoming <-chan message) (Agent, error) {
	late := time.NewTimer(r.patience)
	defer late.Stop()
	first, err := r.next(incoming, late.C)
	if err != nil {
		return Agent{}, err
	}
	defer connOf(stream.Context()).done(proto.Size(first))
	hello := first.GetHello()
	if hello == nil {
		return Agent{}, refuse(wirepb.Refusal_PROTOCOL, "the first message is %T: want a hello", first.Message)
	}
	theirs := versions{newest: hello.Protocol, oldest: hello.OldestProtocol}
	chosen, ok := r.versions.choose(theirs)
	if !ok {
		return Agent{}, refuse(wirepb.Refusal_VERSION, "the agent (%s) speaks protocol %v, this server (%s) %v: upgrade the older of them",
			clip(hello.Version, maxName), theirs, r.config.Version, r.versions)
	}
	for _, text := range []struct{ name, value string }{{"node", hello.Node}, {"origin", hello.Origin}} {
		// The origin is the node with the run's number.
		if text.value == "" || len(text.value) > 2*maxName {
			return Agent{}, refuse(wirepb.Refusal_PROTOCOL, "%s of %d bytes: want 1 to %d", text.name, len(text.value), 2*maxName)
		}
	}
	return Agent{
		Node: hello.Node, Origin: hello.Origin, Version: clip(hello.Version, maxName), Address: address(stream),
		Protocol: chosen, OtherFields: hello.FieldTable != fieldTable,
	}, nil
}

// converse takes batches and reports until the stream ends.
func (r *Receiver) converse(stream serverStream, incoming <-chan message, session Session) error {
	var sequence uint64
	for {
		received, err := r.next(incoming, nil)
		if err != nil {
			return err
		}
		size := proto.Size(received)
		switch m := received.Message.(type) {
		case *wirepb.FromAgent_Report:
			session.Report(reportOf(m.Report))
		case *wirepb.FromAgent_Batch:
			if m.Batch.Sequence <= sequence {
				return refuse(wirepb.Refusal_PROTOCOL, "batch %d came after %d: want growing numbers", m.Batch.Sequence, sequence)
			}
			sequence = m.Batch.Sequence
			answer, err := r.ingest(stream.Context(), session, m.Batch)
			if err == nil {
				err = stream.Send(answer)
			}
			if err != nil {
				return err
			}
		default:
			return refuse(wirepb.Refusal_PROTOCOL, "message is %T: want a batch or a report", received.Message)
		}
		connOf(stream.Context()).done(size)
	}
}

// ingest decodes a batch and gives it to the session. One that cannot be decoded never will be: the agent shall not send
// it again, and the stream goes on.
func (r *Receiver) ingest(ctx context.Context, session Session, b *wirepb.Batch) (*wirepb.FromServer, error) {
	select {
	case r.decoders <- struct{}{}:
		defer func() { <-r.decoders }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	rows, err := decode(b.Dataset, b.Arrow)
	if err != nil {
		r.count(reasonOf(wirepb.Refusal_BATCH))
		r.quiet.Warn("batch of agent refused", "sequence", b.Sequence, "error", err)
		return &wirepb.FromServer{Message: &wirepb.FromServer_Refusal{Refusal: &wirepb.Refusal{
			Kind: wirepb.Refusal_BATCH, Text: clip(err.Error(), maxText), Sequence: b.Sequence,
		}}}, nil
	}
	defer rows.Release()
	switch err := session.Ingest(ctx, Delivery{b.Sequence, b.Dataset, rows, b.Dropped}); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, &refusal{wirepb.Refusal_STORE, b.Sequence, clip(err.Error(), maxText)}
	}
	return &wirepb.FromServer{Message: &wirepb.FromServer_Ack{Ack: &wirepb.Ack{Sequence: b.Sequence}}}, nil
}

// reportOf keeps of a report what is within bounds.
func reportOf(r *wirepb.Report) Report {
	out := Report{Dropped: r.Dropped, CountedBytes: r.CountedBytes, AccountedBytes: r.AccountedBytes}
	for _, l := range r.Losses {
		if !isReason(l.GetReason()) || len(out.Losses) == maxLosses {
			continue
		}
		out.Losses = append(out.Losses, Loss{strings.Clone(l.GetReason()), l.GetCount(), clip(l.GetDetail(), maxText)})
	}
	for _, f := range r.Features[:min(len(r.Features), maxFeatures)] {
		out.Features = append(out.Features, Feature{
			clip(f.GetName(), maxName), clip(f.GetState(), maxName), clip(f.GetMeans(), maxName), clip(f.GetDetail(), maxText),
		})
	}
	for _, b := range r.Addresses[:min(len(r.Addresses), MaxAddresses)] {
		if a, ok := netip.AddrFromSlice(b); ok {
			out.Addresses = append(out.Addresses, a.Unmap())
		}
	}
	return out
}

// clip shortens a text that someone else chose, and makes it one that protocol buffers take and a terminal shows. It
// copies: what is kept must not hold the message that it came in.
func clip(text string, limit int) string {
	return strings.Clone(strings.Map(printable, strings.ToValidUTF8(text[:min(len(text), limit)], "")))
}

// printable drops the characters that are not for reading.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// isReason tells whether a text is a reason as agents name them; else anybody with a token could fill the server's
// table of reasons.
func isReason(text string) bool {
	return text != "" && len(text) <= maxReason && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
