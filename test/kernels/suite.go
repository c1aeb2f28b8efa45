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
}

// suites run in this order: the first finds the kernel without NAT.
var suites = []suite{
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
		name: "seine", pkg: "cmd/seine", limit: 8 * time.Minute,
		tests: []string{
			"TestBackendShown", "TestKernelWithoutBTF", "TestKilledAgentIsReplaced", "TestSignals", "TestTwoAgents",
		},
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

// suitesOf returns those of a kernel that have tests which match run, a pattern as go test -run has it.
func suitesOf(k *kernel, run string) []suite {
	return slices.DeleteFunc(slices.Clone(suites), func(s suite) bool {
		return !s.runsOn(k) || len(s.tests) > 0 && len(s.matching(run)) == 0
	})
}

// matching returns the named tests that match run, whose elements behind a slash are for subtests.
func (s *suite) matching(run string) []string {
	top, _, _ := strings.Cut(run, "/")
	pattern := regexp.MustCompile(top)
	return slices.DeleteFunc(slices.Clone(s.tests), func(name string) bool { return !pattern.MatchString(name) })
}

// arguments are the test binary's.
func (s *suite) arguments(run string) []string {
	args := []string{"-test.v=test2json", "-test.timeout=" + s.limit.String()}
	if s.short {
		args = append(args, "-test.short")
	}
	if len(s.tests) > 0 {
		_, rest, found := strings.Cut(run, "/")
		run = "^(" + strings.Join(s.matching(run), "|") + ")$"
		if found {
			run += "/" + rest
		}
	}
	if run != "" {
		args = append(args, "-test.run="+run)
	}
	return args
}
