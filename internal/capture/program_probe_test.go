package capture

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/testkit"
)

// TestOpenProbe loads and attaches each probe. Kernels that refuse such programs altogether say so at loading.
func TestOpenProbe(t *testing.T) {
	m := newMachine(t, Config{})
	for _, module := range netfilterModules {
		testkit.LoadModule(t, module)
	}
	for name, c := range map[string]struct {
		since string
		needs func(*kernel) error
	}{fentryProgram: {"5.11", needFEntry}, kprobeProgram: {"5.10", needKProbe}} {
		t.Run(name, func(t *testing.T) {
			testkit.SinceKernel(t, c.since, name)
			if err := c.needs(readKernel()); err != nil {
				testkit.Lacks(t, name, err)
			}
			probe, err := openProbe(name, m.SeineNat, 1)
			if errors.Is(err, unix.EPERM) || errors.Is(err, ebpf.ErrNotSupported) {
				testkit.Lacks(t, name, err)
			}
			if err != nil {
				t.Fatalf("%+v", err)
			}
			if err := probe.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}
