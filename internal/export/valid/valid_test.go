package valid

import (
	"strings"
	"testing"
)

func TestValid(t *testing.T) {
	f := func(is func(string) bool, right, wrong []string) {
		t.Helper()
		for _, text := range right {
			if !is(text) {
				t.Errorf("%q is refused", text)
			}
		}
		for _, text := range wrong {
			if is(text) {
				t.Errorf("%q is taken", text)
			}
		}
	}
	f(Topic, []string{"flows", "a.b_C-1", strings.Repeat("x", 249)}, []string{"", ".", "..", "a b", "ä", strings.Repeat("x", 250)})
	f(Address, []string{"kafka:9092", "10.0.0.1:1", "[2001:db8::1]:65535"}, []string{"", "kafka", ":9092", "kafka:", "kafka:0", "kafka:65536", "2001:db8::1:9092", "kafka:http"})
	f(Header, []string{"x-scope-orgid", "authorization"}, []string{"", "X-Scope", "a b", "a:b"})
	f(ProtocolHeader, []string{"content-type", "grpc-timeout", "host"}, []string{"x-host", "authorization"})
	f(HeaderValue, []string{"", "Bearer abc"}, []string{"a\nb", "ä"})
	f(Port, []string{"1", "65535"}, []string{"", "0", "-1", "65536", "http"})
	if err := OneOf("acks", "some", "all", "leader"); err == nil || err.Error() != `acks: "some" is unknown: want one of all, leader` {
		t.Errorf("got %v", err)
	}
	if err := OneOf("acks", "all", "all", "leader"); err != nil {
		t.Errorf("got %v", err)
	}
}
