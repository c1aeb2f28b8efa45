package kafka

import (
	"errors"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seine-net/seine/internal/query"
)

// delivery is what became of a block's messages. The client tells of each from a goroutine of its own.
type delivery struct {
	block    *query.Block
	messages []message

	mu sync.Mutex
	// due are messages to be given to the client: all in the beginning, then those that failed.
	due   []int
	cause error
	// large are messages of batches that a broker found too large.
	large []int
	// refused are the rows of which the brokers will not take a message; unencoded could not be made into one.
	refused   map[int]bool
	unencoded int
}

// outcome is where a delivery stands.
type outcome struct {
	// refused is a number of rows, failed and large ones of messages.
	refused, failed, large int
	// cause is why one of those that failed did.
	cause error
}

func newDelivery(block *query.Block, messages []message, unencoded int) *delivery {
	d := &delivery{block: block, messages: messages, unencoded: unencoded, refused: make(map[int]bool), due: make([]int, len(messages))}
	for i := range d.due {
		d.due[i] = i
	}
	return d
}

// take returns the messages that are due, in their order, and forgets why they are.
func (d *delivery) take() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	due := d.due
	slices.Sort(due)
	d.due, d.cause = nil, nil
	return due
}

// done is told of each message that the client had.
func (d *delivery) done(i int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
	case errors.Is(err, kerr.InvalidRecord): // A broker's own checks, such as those of a compacted topic or a schema.
		d.refuse(i)
	case errors.Is(err, kerr.MessageTooLarge):
		d.large = append(d.large, i)
	default:
		d.due = append(d.due, i)
		d.cause = err
	}
}

func (d *delivery) refuse(i int) { d.refused[d.messages[i].row] = true }

// settle says what becomes of messages in batches that were too large: they are due again, or refused.
func (d *delivery) settle(again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range d.large {
		if again {
			d.due = append(d.due, i)
		} else {
			d.refuse(i)
		}
	}
	d.large = nil
}

func (d *delivery) outcome() outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	return outcome{refused: d.unencoded + len(d.refused), failed: len(d.due), large: len(d.large), cause: d.cause}
}
