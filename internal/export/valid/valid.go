// Package valid says what members of exporters' configurations may be, in the file and in a FlowCollector alike. What to do
// about one that is not, and its name, is said by who reads it.
package valid

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// topic is what brokers of Kafka take for a name (org.apache.kafka.common.internals.Topic).
	topic = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	// header is a token in lower case, as HTTP/2 has names of headers (RFC 9110, 5.1).
	header      = regexp.MustCompile(`^[a-z0-9!#$%&'*+.^_|~-]+$`)
	headerValue = regexp.MustCompile(`^[ -~]*$`)
	ownHeader   = regexp.MustCompile(`^(content-.*|grpc-.*|host|connection|te|transfer-encoding|user-agent)$`)
)

// Topic says whether a topic of Kafka may have the name.
func Topic(name string) bool { return topic.MatchString(name) && name != "." && name != ".." }

// Address says whether a text is host:port.
func Address(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && host != "" && Port(port)
}

// Port says whether a text is the number of a port that something can listen at.
func Port(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// Header says whether a header may have the name, in lower case.
func Header(name string) bool { return header.MatchString(name) }

// ProtocolHeader says whether HTTP or gRPC sets the header itself.
func ProtocolHeader(name string) bool { return ownHeader.MatchString(name) }

// HeaderValue says whether a header may have the value: printable ASCII.
func HeaderValue(value string) bool { return headerValue.MatchString(value) }

// ReverseEnterprise stands before the numbers of reverse elements of IPFIX (RFC 5103, section 6.1): no enterprise has it.
const ReverseEnterprise = 29305

// OneOf returns an error that names the member where its value is none of some.
func OneOf(member, value string, of ...string) error {
	if slices.Contains(of, value) {
		return nil
	}
	return fmt.Errorf("%s: %q is unknown: want one of %s", member, value, strings.Join(of, ", "))
}
