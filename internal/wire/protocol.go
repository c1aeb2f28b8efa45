package wire

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/wire/wirepb"
)

const (
	// protocol is the newest version of the stream that this release speaks, oldestProtocol the oldest.
	protocol       = 1
	oldestProtocol = 1
	// maxBatchBytes bounds an encoded batch, maxMessageBytes a message to the server, which holds at most one.
	maxBatchBytes   = 4 << 20
	maxMessageBytes = maxBatchBytes + 4<<10
	// maxAnswerBytes bounds a message to the agent.
	maxAnswerBytes = 16 << 10
	// maxName bounds texts that an agent says of itself.
	maxName = 253
)

// decodeLimits bound what a batch of maxBatchBytes becomes.
var decodeLimits = columns.Limits{Bytes: 32 << 20, Rows: columns.MaxRows}

// versions is a range of protocol versions.
type versions struct{ newest, oldest uint32 }

var ours = versions{newest: protocol, oldest: oldestProtocol}

// choose returns the newest version that both speak.
func (v versions) choose(theirs versions) (uint32, bool) {
	chosen := min(v.newest, theirs.newest)
	return chosen, chosen >= max(v.oldest, theirs.oldest, 1)
}

func (v versions) String() string {
	if v.newest == v.oldest {
		return fmt.Sprint(v.newest)
	}
	return fmt.Sprintf("%d to %d", v.oldest, v.newest)
}

// newOrigin names one run of an agent.
func newOrigin(node string) string {
	var epoch [8]byte
	// It never fails; see crypto/rand.
	_, _ = rand.Read(epoch[:])
	return node + "/" + hex.EncodeToString(epoch[:])
}

// fieldTable stands for the fields that this release knows: their numbers, names and kinds.
var fieldTable = func() uint64 {
	h := fnv.New64a()
	for _, d := range columns.Datasets() {
		for _, f := range d.Fields {
			fmt.Fprintln(h, d.Name, f.ID, f.Name, f.Kind)
		}
	}
	return h.Sum64()
}()

// decode turns a batch's bytes, which may be anyone's, into rows, which are the caller's to release.
func decode(dataset string, encoded []byte) (arrow.RecordBatch, error) {
	d, ok := columns.ByName(dataset)
	if !ok {
		return nil, fmt.Errorf("dataset %q is unknown", dataset)
	}
	return columns.Decode(d, encoded, decodeLimits)
}

// Refused is the error of a stream that a server did not accept.
type Refused struct {
	// Reason is one word, such as "version" or "token"; Text says more.
	Reason, Text string
}

// Error tells the reason and the server's words.
func (r *Refused) Error() string { return "server refuses (" + r.Reason + "): " + r.Text }

// slowReason is why a connection was closed whose message did not arrive in time.
const slowReason = "slow"

// reasons names the kinds of refusal.
var reasons = map[wirepb.Refusal_Kind]string{
	wirepb.Refusal_VERSION:  "version",
	wirepb.Refusal_TOKEN:    "token",
	wirepb.Refusal_PROTOCOL: "protocol",
	wirepb.Refusal_BATCH:    "batch",
	wirepb.Refusal_BUSY:     "busy",
	wirepb.Refusal_STORE:    "store",
}

// reasonOf names a kind, also one that a later release added.
func reasonOf(kind wirepb.Refusal_Kind) string {
	if reason, ok := reasons[kind]; ok {
		return reason
	}
	return "unknown"
}
