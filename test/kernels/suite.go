package main

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// suite is a set of tests of one package that run together, in one process.
type suite struct {
	// name is for messages; binary the test binary's, which is the last element of the package's path.
	name, pkg string
	// tests are the names of the tests to run; none means all of the package.
	tests []string
	// short asks for the smaller bounds of go test -short, which the tests print.
	short bool
	// limit is the time after which the tests are stopped, where processors are emulated.
	limit time.Duration
	// on are the machines that it runs on; none means those of the host's architecture, which have all tools.
	on []*machine
	// guest keeps the suite off the host's own kernel.
	guest bool
	// only is the pattern of the tests to run, "" for all of the package. It is set when a run is planned.
	only string
}

// suites run in this order: the first find the kernel without conntrack, then without NAT. They have what may differ from
// kernel to kernel; what user space does alike on all of them is tested on the host's alone.
var suites = []suite{
	{name: "conntrack-later", pkg: "internal/agent", limit: 3 * time.Minute, guest: true, tests: []string{"TestConntrackLoadedLater"}},
	{name: "nat-later", pkg: "internal/agent", limit: 3 * time.Minute, guest: true, tests: []string{"TestNATLoadedLater"}},
	{name: "capture", pkg: "internal/capture", limit: 12 * time.Minute, on: []*machine{amd64, arm64}},
	{name: "testkit", pkg: "internal/testkit", limit: 5 * time.Minute},
	{name: "ctnetlink", pkg: "internal/nat/ctnetlink", limit: 5 * time.Minute, short: true},
	{
		name: "nat", pkg: "internal/agent", limit: 15 * time.Minute, short: true,
		tests: []string{"TestNATCases", "TestNATUplinks", "TestNATZones"},
	},
	{name: "ipvs", pkg: "internal/agent", limit: 3 * time.Minute, tests: []string{"TestIPVS"}},
	{
		name: "exact", pkg: "internal/agent", limit: 10 * time.Minute, short: true,
		tests: []string{"TestExact", "TestCoverageKinds"},
	},
	{
		// TestHealthDelay measures milliseconds, of which emulated processors make others.
		name: "health", pkg: "internal/agent", limit: 10 * time.Minute, short: true,
		tests: []string{
			"TestHealthHealthy", "TestHealthFaults", "TestHealthLoss", "TestHealthSlowReader", "TestHealthResets",
			"TestHealthFullQueue", "TestDatagramOwners",
		},
	},
	{
		name: "dns", pkg: "internal/agent", limit: 5 * time.Minute, short: true,
		tests: []string{"TestDNS"},
	},
	{
		name: "drops", pkg: "internal/agent", limit: 8 * time.Minute, short: true,
		tests: []string{"TestDrops", "TestDropsTranslated", "TestDropFaults"},
	},
	{
		name: "seine", pkg: "cmd/seine", limit: 8 * time.Minute,
		tests: []string{"TestBackendShown", "TestKernelWithoutBTF", "TestKilledAgentIsReplaced", "TestTwoAgents"},
	},
}

func (s *suite) binary() string { return s.pkg[strings.LastIndex(s.pkg, "/")+1:] + ".test" }

// runsOn tells whether a suite is for a kernel.
func (s *suite) runsOn(k *kernel) bool {
	switch {
	case k.machine == nil:
		return !s.guest
	case len(s.on) == 0:
		return k.machine == amd64
	}
	return slices.Contains(s.on, k.machine)
}

// suitesOf returns those of a kernel, with the tests that match run, a pattern as go test -run has it. What follows its
// first slash is for subtests.
func suitesOf(k *kernel, run string) (plan []suite) {
	top, below, found := strings.Cut(run, "/")
	if found {
		below = "/" + below
	}
	pattern := regexp.MustCompile(top)
	for _, s := range suites {
		tests := slices.DeleteFunc(slices.Clone(s.tests), func(name string) bool { return !pattern.MatchString(name) })
		switch {
		case !s.runsOn(k):
		case len(s.tests) == 0:
			s.only = run
			plan = append(plan, s)
		case len(tests) > 0:
			plan = append(plan, s.naming(tests, below))
		}
	}
	return plan
}

// naming returns the suite with the tests of these names alone; below is a pattern for their subtests.
func (s suite) naming(tests []string, below string) suite {
	s.tests, s.only = tests, "^("+strings.Join(tests, "|")+")$"+below
	return s
}

// arguments are the test binary's.
func (s *suite) arguments() []string {
	args := []string{"-test.v=test2json", "-test.timeout=" + s.limit.String()}
	if s.short {
		args = append(args, "-test.short")
	}
	if s.only != "" {
		args = append(args, "-test.run="+s.only)
	}
	return args
}
