package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// result is what became of a kernel's suites.
type result struct {
	kernel *kernel
	// plan is what was to run.
	plan []suite
	// took is the time from the boot to the end, spent the processor time of a guest.
	took, spent time.Duration
	// outcomes are what the test runner said of each test: pass, fail or skip.
	outcomes map[testName]string
	// faults are what else is wrong with a suite, by its name, and flaky what went well only when it ran again.
	faults map[string][]string
	flaky  []string
	// excuses count the tests that were skipped by reason.
	excuses    map[string]int
	statistics map[program]statistic
	// ended tells whether the last suite was reached and ended.
	ended bool
}

// testName tells a test of one suite.
type testName struct{ suite, test string }

func newResult(k *kernel, plan []suite) *result {
	r := &result{
		kernel: k, plan: plan, outcomes: make(map[testName]string), faults: make(map[string][]string),
		excuses: make(map[string]int), statistics: make(map[program]statistic),
	}
	for _, s := range plan {
		r.faults[s.name] = []string{"did not run"} // Until it does.
	}
	return r
}

func (r *result) fault(s *suite, text string) { r.faults[s.name] = append(r.faults[s.name], text) }

// count returns how many tests ended so.
func (r *result) count(outcome string) (n int) {
	for _, o := range r.outcomes {
		if o == outcome {
			n++
		}
	}
	return n
}

// problems are all that is wrong beside tests that failed, each with its suite.
func (r *result) problems() (all []string) {
	for _, s := range r.plan {
		for _, text := range r.faults[s.name] {
			all = append(all, "suite "+s.name+": "+text)
		}
	}
	return all
}

func (r *result) passed() bool { return r.count("fail") == 0 && len(r.problems()) == 0 }

// failedIn returns a suite's tests that failed, without their subtests: a failed subtest fails its test.
func (r *result) failedIn(s *suite) (tests []string) {
	for name, outcome := range r.outcomes {
		if name.suite == s.name && outcome == "fail" && !strings.Contains(name.test, "/") {
			tests = append(tests, name.test)
		}
	}
	slices.Sort(tests)
	return tests
}

// again is what to run once more: of each suite the tests that failed, or all of it where more is wrong than that.
func (r *result) again() (plan []suite) {
	for _, s := range r.plan {
		if len(r.faults[s.name]) > 0 {
			plan = append(plan, s)
		} else if tests := r.failedIn(&s); len(tests) > 0 {
			plan = append(plan, s.naming(tests, r.failedBelow(&s)))
		}
	}
	return plan
}

// againDepth is to how many levels the subtests that failed are told from those that did not: a deeper one may need its
// siblings.
const againDepth = 3

// failedBelow returns a pattern for the subtests that failed, "" where a test itself did. At each level it matches what
// failed in any of the suite's tests.
func (r *result) failedBelow(s *suite) (pattern string) {
	levels, depth := make([]map[string]bool, againDepth), againDepth
	for name, outcome := range r.outcomes {
		if name.suite != s.name || outcome != "fail" || r.hasFailedBelow(name) {
			continue
		}
		parts := strings.Split(name.test, "/")
		depth = min(depth, len(parts))
		for i, part := range parts[:min(len(parts), againDepth)] {
			if levels[i] == nil {
				levels[i] = make(map[string]bool)
			}
			levels[i][regexp.QuoteMeta(part)] = true
		}
	}
	for _, names := range levels[1:depth] {
		pattern += "/^(" + strings.Join(slices.Sorted(maps.Keys(names)), "|") + ")$"
	}
	return pattern
}

func (r *result) hasFailedBelow(of testName) bool {
	for name, outcome := range r.outcomes {
		if name.suite == of.suite && outcome == "fail" && strings.HasPrefix(name.test, of.test+"/") {
			return true
		}
	}
	return false
}

// replace puts what came of a second run in the place of the first, and notes what differs.
func (r *result) replace(second *result) {
	r.took, r.spent = r.took+second.took, r.spent+second.spent
	for _, s := range second.plan {
		failed, broken := len(r.failedIn(&s)), len(r.faults[s.name]) > 0
		for name, outcome := range second.outcomes {
			if name.suite == s.name && r.outcomes[name] == "fail" && outcome == "pass" {
				r.flaky = append(r.flaky, name.test)
			}
		}
		r.faults[s.name] = second.faults[s.name]
		if broken && failed == 0 && len(r.faults[s.name]) == 0 {
			r.flaky = append(r.flaky, "suite "+s.name)
		}
	}
	slices.Sort(r.flaky)
	maps.Copy(r.outcomes, second.outcomes)
	maps.Copy(r.statistics, second.statistics)
}
