package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seine-net/seine/internal/query"
)

// Target is a topic. One goroutine calls it.
type Target struct {
	config  *Config
	log     *slog.Logger
	encoder *encoder
	options []kgo.Opt

	client *kgo.Client
	// batchBytes bounds a batch: what is configured, or less where the brokers took no such batches.
	batchBytes int
	// size is that of the last block's messages, in bytes.
	size int
	// current is the block that is being delivered; nil if none is.
	current *delivery
}

// Open checks the configuration and reads the files that it names. It connects to nobody.
func Open(c *Config, plan *query.Plan, log *slog.Logger) (*Target, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	encoder, err := newEncoder(c, plan)
	if err != nil {
		return nil, err
	}
	options, err := c.options(log)
	if err != nil {
		return nil, err
	}
	t := &Target{config: c, log: log, encoder: encoder, options: options, batchBytes: c.MaxMessageBytes}
	return t, t.connect()
}

// connect makes the client, which connects when it has something to send.
func (t *Target) connect() error {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.ProducerBatchMaxBytes(int32(t.batchBytes))}, t.options...)...)
	if err != nil {
		return err
	}
	t.client = client
	return nil
}

// Send delivers the rows of a block and returns how many the brokers will never take, as they are too large or invalid.
// After an error the same block goes on with what is not acknowledged yet. It returns after some seconds at most.
func (t *Target) Send(ctx context.Context, rows *query.Block) (refused int, err error) {
	if t.current == nil || t.current.block != rows {
		t.begin(rows)
	}
	for {
		t.produce()
		waiting, cancel := context.WithTimeout(ctx, sendTime)
		err := t.client.Flush(waiting) // Ends once each message is acknowledged or has failed.
		cancel()
		outcome := t.current.outcome()
		if err == nil && outcome.large > 0 {
			t.current.settle(t.shrink())
			continue
		}
		if err != nil || outcome.failed > 0 {
			return 0, t.explain(ctx, outcome.cause)
		}
		t.current = nil
		return outcome.refused, nil
	}
}

// begin encodes a block. What it holds is all that is in memory, since the next block comes when this one is delivered.
func (t *Target) begin(rows *query.Block) {
	messages, refused := t.encoder.encode(rows, t.size)
	t.size = 0
	for i := range messages {
		t.size += len(messages[i].Key) + len(messages[i].Value)
	}
	t.current = newDelivery(rows, messages, refused)
}

// produce gives the client what is to be sent, or to be sent again. The client keeps messages beyond this call, so they
// have no context that would end with it.
func (t *Target) produce() {
	d := t.current
	for _, i := range d.take() {
		record := &d.messages[i].Record
		if sizeOf(record) > t.batchBytes {
			d.done(i, kerr.InvalidRecord)
			continue
		}
		t.client.Produce(context.Background(), record, func(_ *kgo.Record, err error) { d.done(i, err) })
	}
}

// overhead is more than a message and its batch have beside key, value and headers (KIP-98: 61 bytes a batch, some
// varints a message).
const overhead = 128

func sizeOf(r *kgo.Record) int {
	size := overhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 2
	}
	return size
}

// shrink makes batches half as large and says whether that is possible. The topic takes less than is configured; what
// alone is larger than a batch then is refused.
func (t *Target) shrink() bool {
	if t.batchBytes/2 < minMessageBytes {
		return false
	}
	t.batchBytes /= 2
	t.log.Warn("the topic takes no batches as large as max_message_bytes, so they are made smaller",
		"topic", t.config.Topic, "max_message_bytes", t.config.MaxMessageBytes, "batch_bytes", t.batchBytes)
	t.client.Close()
	return t.connect() == nil
}

// explain says why a block is not delivered. Where the client does not know, a broker is asked.
func (t *Target) explain(ctx context.Context, cause error) error {
	where := fmt.Sprintf("topic %s on %s", t.config.Topic, t.config.Address())
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", where, ctx.Err())
	case errors.Is(cause, kerr.UnknownTopicOrPartition), errors.Is(cause, kerr.UnknownTopicID):
		return fmt.Errorf("%s: there is no such topic, or the user may not see it: create it, seine does not", where)
	case cause != nil && !errors.Is(cause, kgo.ErrRecordRetries):
		return fmt.Errorf("%s: %w", where, withHint(cause))
	}
	asking, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if err := t.client.Ping(asking); asking.Err() != nil {
		return fmt.Errorf("%s: no broker answers", where)
	} else if err != nil {
		return fmt.Errorf("%s: %w", where, withHint(err))
	}
	return fmt.Errorf("%s: no acknowledgement within %v", where, sendTime)
}

// withHint says what brokers mean that hang up.
func withHint(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: brokers end connections so if they want TLS, or other credentials", err)
	}
	return err
}

// Close ends the connections. What is not acknowledged by then is not waited for.
func (t *Target) Close() error {
	t.client.Close()
	return nil
}
