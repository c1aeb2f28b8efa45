package capture

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/testkit"
)

// verifierCases are what the programs can be configured to be, and since when the kernel takes it.
var verifierCases = []struct {
	name  string
	since string
	means kernelMeans
	probe string
	rules int
}{
	{name: "no source", since: "5.10"},
	{name: "16 rules", since: "5.10", rules: bpf.MaxRules},
	{name: "look-up", since: "5.18", means: kernelMeans{lookup: true}},
	{name: "packet's entry", since: "6.2", means: kernelMeans{skb: true}},
	{name: "packet's entry and look-up", since: "6.2", means: kernelMeans{skb: true, lookup: true}},
	{name: "fentry", since: "5.11", probe: fentryProgram},
	{name: "kprobe", since: "5.10", probe: kprobeProgram},
}

// TestVerifierStatistics loads each program in each configuration and tells how much the verifier had to look at, by
// attributes of the test that `make check-kernels` collects.
func TestVerifierStatistics(t *testing.T) {
	for _, module := range netfilterModules {
		testkit.LoadModule(t, module)
	}
	for _, tt := range verifierCases {
		t.Run(tt.name, func(t *testing.T) {
			testkit.SinceKernel(t, tt.since, tt.name)
			spec, err := bpf.LoadCapture()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
				if _, isProbe := probes[name]; isProbe != (tt.probe != "") || isProbe && name != tt.probe {
					disable(spec, name)
				}
			}
			c := Config{MaxFlows: 64, RingBytes: 4096}
			if err := configure(spec, &c, tt.rules, tt.means); err != nil {
				t.Fatal(err)
			}
			if err := spec.Variables["config_netns"].Set(uint32(1)); err != nil {
				t.Fatal(err)
			}
			loaded, err := loadWithStatistics(spec)
			if err != nil && tt.probe != "" {
				testkit.Lacks(t, tt.probe, err)
			}
			if err != nil {
				t.Fatalf("load: %+v", err)
			}
			defer loaded.Close()
			reportStatistics(t, tt.name, loaded)
		})
	}
}

// verifierObjects are the objects beside the capture programs, each with all that it can be configured to do.
var verifierObjects = []struct {
	name     string
	since    string
	load     func() (*ebpf.CollectionSpec, error)
	switches []string
}{
	{"tcp and process", "5.10", bpf.LoadSocket, []string{"config_tcp", "config_process", "config_udp"}},
	{"dns", "5.10", bpf.LoadDNS, nil},
	{"drops", "5.10", bpf.LoadDrop, nil},
	{"drops and reasons", "5.17", bpf.LoadDrop, []string{"config_drop_reason"}},
}

// TestVerifierObjects is TestVerifierStatistics for the other objects.
func TestVerifierObjects(t *testing.T) {
	for _, tt := range verifierObjects {
		t.Run(tt.name, func(t *testing.T) {
			testkit.SinceKernel(t, tt.since, tt.name)
			spec, err := tt.load()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range tt.switches {
				if err := spec.Variables[name].Set(true); err != nil {
					t.Fatal(err)
				}
			}
			loaded, err := loadWithStatistics(spec, conntrackFor(t, spec)...)
			if err != nil {
				t.Fatalf("load: %+v", err)
			}
			defer loaded.Close()
			reportStatistics(t, tt.name, loaded)
		})
	}
}

// conntrackFor switches on what reads conntrack's entries, where the object has that and the kernel tells their type.
func conntrackFor(t *testing.T, spec *ebpf.CollectionSpec) []*btf.Spec {
	t.Helper()
	v := spec.Variables["config_conntrack_netns"]
	kernel, err := btf.LoadKernelSpec()
	if v == nil || err != nil {
		return nil
	}
	testkit.LoadModule(t, "nf_conntrack")
	targets, found := conntrackTypes(kernel)
	if !found {
		return nil // Modules have no BTF before Linux 5.11.
	}
	if err := v.Set(uint32(1)); err != nil {
		t.Fatal(err)
	}
	return targets
}

func loadWithStatistics(spec *ebpf.CollectionSpec, targets ...*btf.Spec) (loaded *ebpf.Collection, err error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, err
	}
	options := ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats, ExtraRelocationTargets: targets}}
	err = undisturbed(func() error {
		loaded, err = ebpf.NewCollectionWithOptions(spec, options)
		return err
	})
	if refused, ok := errors.AsType[*ebpf.VerifierError](err); ok {
		all := fmt.Sprintf("%+v", refused) // All that the verifier says.
		return loaded, fmt.Errorf("%w\n%s", err, all)
	}
	return loaded, err
}

// processed is the verifier's last line (kernel/bpf/verifier.c, print_verification_stats).
var processed = regexp.MustCompile(`processed (\d+) insns .* total_states (\d+)`)

func reportStatistics(t *testing.T, name string, loaded *ebpf.Collection) {
	t.Helper()
	reported := 0
	for _, program := range slices.Sorted(maps.Keys(loaded.Programs)) {
		p := loaded.Programs[program]
		if p.Type() == ebpf.SocketFilter {
			continue // One that is disabled.
		}
		found := processed.FindStringSubmatch(p.VerifierLog)
		if found == nil {
			t.Errorf("%s: no statistics in the verifier's log %q", program, p.VerifierLog)
			continue
		}
		t.Attr("verifier", strings.Join([]string{program, name, found[1], found[2]}, "|"))
		reported++
	}
	if reported == 0 {
		t.Error("no program was loaded")
	}
}
