package flow_test

import (
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

func TestNearestName(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := flow.NearestName(flow.Fields(), name); got != want {
			t.Errorf("%.20s: got %q, want %q", name, got, want)
		}
	}
	f("dst.prt", "dst.port")
	f("src.nam", "src.name")
	f("fwd.byte", "fwd.bytes")
	f("retransmits", "fwd.retransmits")
	f("x", "")
	f("nothing_of_it", "")
	f("", "")
	f(strings.Repeat("x", 100_000), "")
}
