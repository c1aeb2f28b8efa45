package otlp

import (
	"errors"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// fate is what becomes of a request.
type fate uint8

// The fates. Those of the specification are taken, later where it calls an answer retryable, and never where not. Two we
// hold otherwise: what says that the endpoint or the credentials are wrong is about us and not about the rows, which wait
// until somebody mends it; and what may be too large is tried in smaller parts first.
const (
	taken fate = iota
	later
	smaller
	never
)

// answer is what a collector said to a request.
type answer struct {
	fate fate
	// rejected is how many records of a taken request it did not take.
	rejected int
	// message is what it said in words, or why it said nothing.
	message string
	// wait is how long it wants to be left alone.
	wait time.Duration
}

// maxWait bounds how long a collector may have us wait, maxWords what is shown of its words.
const maxWait, maxWords = 5 * time.Minute, 300

// The numbers of members in logs_service.proto and of google.rpc.Status.
const (
	responsePartialSuccess = 1
	partialRejected        = 1
	partialMessage         = 2
	statusMessage          = 2
)

var errMalformed = errors.New("the answer is no message of protobuf")

// parseResponse reads an ExportLogsServiceResponse.
func parseResponse(response []byte) answer {
	a := answer{fate: taken}
	err := eachMember(response, func(number protowire.Number, _ uint64, partial []byte) error {
		if number != responsePartialSuccess {
			return nil
		}
		return eachMember(partial, func(number protowire.Number, value uint64, text []byte) error {
			switch number {
			case partialRejected:
				a.rejected = int(min(value, 1<<31))
			case partialMessage:
				a.message = words(text)
			}
			return nil
		})
	})
	if err != nil { // It took the request, whatever it says about it.
		a.message = err.Error()
	}
	return a
}

// parseStatus returns the message of a google.rpc.Status.
func parseStatus(status []byte) (message string) {
	err := eachMember(status, func(number protowire.Number, _ uint64, text []byte) error {
		if number == statusMessage {
			message = words(text)
		}
		return nil
	})
	if err != nil {
		return ""
	}
	return message
}

// eachMember calls visit with the members of a message that are numbers or have a length.
func eachMember(message []byte, visit func(number protowire.Number, value uint64, bytes []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errMalformed
		}
		message = message[n:]
		var value uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return errMalformed
		}
		message = message[n:]
		if err := visit(number, value, bytes); err != nil {
			return err
		}
	}
	return nil
}

// words is what can be shown of a text.
func words(text []byte) string {
	shown := make([]byte, 0, min(len(text), maxWords))
	for _, r := range string(text) {
		if r < ' ' || r == utf8.RuneError || r == 0x7f {
			r = ' '
		}
		if len(shown)+utf8.RuneLen(r) > maxWords {
			return string(shown) + "…"
		}
		shown = utf8.AppendRune(shown, r)
	}
	return string(shown)
}
