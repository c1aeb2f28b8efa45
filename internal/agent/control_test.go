package agent

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestControlPath expects paths below /run/seine that the kernel has room for (unix(7)), whatever a node is called.
func TestControlPath(t *testing.T) {
	f := func(node, want string) {
		t.Helper()
		want = fmt.Sprintf("%s/agent-%s-%d.sock", ControlDir, want, os.Getpid())
		if got := controlPath(node); got != want || len(got) >= 108 {
			t.Errorf("%q: got %q, want %q", node, got, want)
		}
	}
	f("worker-1", "worker-1")
	f("/", "_")
	f("..", "..")
	f("../etc/x", ".._etc_x")
	f("a b\x1b[31m\n\xff", "a_b_[31m__")
	f(strings.Repeat("n", 200), strings.Repeat("n", 64))
	f(strings.Repeat("ü", 200), strings.Repeat("_", 64))
}
