package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
)

// marked is a line of the test runner as -test.v=test2json marks it.
func marked(line string) string { return "\x16" + line + "\n" }

// kernel1 and suite1 are what the tests here are about.
var (
	kernel1 = &kernel{name: "5.10", machine: amd64}
	suite1  = suite{name: "one", pkg: "internal/one", tests: []string{"TestA"}, only: "^(TestA)$"}
)

const beginSuite1, allWell, allEnd = beginMark + "one\n", endMark + "0\n" + allMark + "\n", allMark + "\n"

var (
	passed, failed = marked("=== NAME  ") + "PASS\n", marked("=== NAME  ") + "FAIL\n"
	passA          = marked("=== RUN   TestA") + marked("--- PASS: TestA (0.10s)")
	failA          = marked("=== RUN   TestA") + "    a.go:2: wrong\n" + marked("--- FAIL: TestA (0.00s)")
)

// resultOf reads what a guest may say.
func resultOf(t *testing.T, plan []suite, said string) (r *result, shown string) {
	t.Helper()
	var out bytes.Buffer
	p := newPrinter(&out)
	r = newResult(kernel1, plan)
	if err := (&reader{result: r, p: p}).read(t.Context(), strings.NewReader(said)); err != nil {
		t.Fatal(err)
	}
	p.verdict(r, "log")
	return r, out.String()
}

// TestRead holds the reader's judgement against the right one.
func TestRead(t *testing.T) {
	f := func(name, said, shown, problem string, fails int) {
		t.Run(name, func(t *testing.T) {
			r, out := resultOf(t, []suite{suite1}, said)
			if !strings.Contains(out, shown) {
				t.Errorf("shown %q, want %q in it", out, shown)
			}
			if got := strings.Join(r.problems(), "; "); !strings.Contains(got, problem) || problem == "" && got != "" {
				t.Errorf("problems %q, want %q", got, problem)
			}
			if got := r.count("fail"); got != fails || r.passed() != (fails == 0 && problem == "") {
				t.Errorf("%d tests failed, passed %v, want %d failed and problems %q", got, r.passed(), fails, problem)
			}
		})
	}
	skipped := func(why string) string {
		return marked("=== RUN   TestA") + why + marked("--- SKIP: TestA (0.00s)") + passed + allWell
	}
	f("all well", beginSuite1+passA+passed+allWell, "5.10       --- PASS: TestA (0.10s)\n", "", 0)
	f("skipped for the version", beginSuite1+skipped("    a.go:1: x needs Linux 6.2, this is 5.10.0\n"),
		"skipped 1: x needs Linux 6.2\n", "", 0)
	f("not in this kernel", beginSuite1+skipped("    a.go:1: bonding is not in this kernel: no\n"),
		"skipped 1: bonding is not in this kernel\n", "", 0)
	f("skipped for no reason", beginSuite1+skipped(""), "skipped without a kernel version", "", 1)
	f("skipped for another reason", beginSuite1+skipped("    a.go:1: short\n"), "skipped without a kernel version", "", 1)
	f("failed", beginSuite1+failA+failed+endMark+"1\n"+allEnd, "a.go:2: wrong", "", 1)
	f("exit code alone", beginSuite1+passA+"leaked\n"+endMark+"1\n"+allEnd, "leaked", "exit code 1", 0)
	f("did not run", beginSuite1+"testing: warning: no tests to run\nPASS\n"+allWell, "FAIL one", "TestA did not run", 0)
	f("ended in mid-test", beginSuite1+marked("=== RUN   TestA")+"    a.go:3: so far\n", "a.go:3: so far", "TestA did not end", 0)
	f("not begun", "", "FAIL", "did not run", 0)
}

// TestAgain runs what failed once more.
func TestAgain(t *testing.T) {
	two := suite{name: "two", pkg: "internal/two"}
	first := beginSuite1 + failA + failed + endMark + "1\n" + beginMark + "two\n" + marked("=== RUN   TestB") + "panic\n" + endMark + "2\n" + allEnd
	f := func(name, second string, flaky []string, fails, problems int) {
		t.Run(name, func(t *testing.T) {
			r, _ := resultOf(t, []suite{suite1, two}, first)
			plan := r.again()
			if diff := cmp.Diff([]suite{suite1, two}, plan, cmp.AllowUnexported(suite{})); diff != "" {
				t.Fatalf("plan (-want +got):\n%s", diff)
			}
			again, _ := resultOf(t, plan, second)
			r.replace(again)
			if diff := cmp.Diff(flaky, r.flaky); diff != "" {
				t.Errorf("flaky (-want +got):\n%s", diff)
			}
			if r.count("fail") != fails || len(r.problems()) != problems {
				t.Errorf("%d failed, problems %q; want %d and %d", r.count("fail"), r.problems(), fails, problems)
			}
		})
	}
	passTwo := beginMark + "two\n" + marked("=== RUN   TestB") + marked("--- PASS: TestB (0.10s)") + passed + allWell
	f("passes", beginSuite1+passA+passed+endMark+"0\n"+passTwo, []string{"TestA", "suite two"}, 0, 0)
	f("fails again", beginSuite1+failA+failed+endMark+"1\n"+passTwo, []string{"suite two"}, 1, 0)
	f("does not run again", "", nil, 1, 2)
}

// TestFailedBelow narrows what runs again to the subtests that failed.
func TestFailedBelow(t *testing.T) {
	f := func(want string, failed ...string) {
		t.Helper()
		r := newResult(kernel1, []suite{suite1})
		for _, name := range append(failed, "TestA") {
			r.outcomes[testName{"one", name}] = "fail"
		}
		r.outcomes[testName{"one", "TestA/well"}] = "pass"
		r.outcomes[testName{"other", "TestA/b"}] = "fail"
		if got := r.failedBelow(&suite1); got != want {
			t.Errorf("%q failed: %q, want %q", failed, got, want)
		}
	}
	f("")
	f("/^(b)$", "TestA/b")
	f("/^(b)$/^(c)$", "TestA/b", "TestA/b/c", "TestA/b/c/d", "TestA/b/c/d/e")
	f("/^(b|x)$/^(c|y)$", "TestA/b", "TestA/b/c", "TestA/x", "TestA/x/y")
	f("/^(b|x)$", "TestA/b", "TestA/b/c", "TestA/x")
	f("", "TestA/b", "TestB")
	f(`/^(packet's_\+)$`, "TestA/packet's_+")
}

func TestCompareVersions(t *testing.T) {
	f := func(older, newer string) {
		t.Helper()
		if compareVersions(older, newer) >= 0 || compareVersions(newer, older) <= 0 {
			t.Errorf("%s is not older than %s", older, newer)
		}
	}
	f("linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-50-cloud-amd64")
	f("linux-image-5.10.0-32-cloud-amd64", "linux-image-6.1.0-1-cloud-amd64")
	f("linux-image-6.12.9+deb13-cloud-amd64", "linux-image-6.12.107+deb13-cloud-amd64")
}

func TestQuote(t *testing.T) {
	args := []string{"-test.run=^(TestA|TestB)$", "it's", "$HOME `x`", ""}
	out, err := exec.Command("/bin/sh", "-c", "printf '%s\\n' "+quote(args)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Join(args, "\n")+"\n", string(out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestImage packs files, folders and links, and reads them again.
func TestImage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("one"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "image")
	err := writeImage(path, func(i *image) error {
		for range 2 { // The second time it is there.
			if err := i.copy(filepath.Join(dir, "a"), "usr/sbin/a"); err != nil {
				return err
			}
		}
		return i.link("a", "usr/sbin/b")
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var got []string
	for r := cpio.NewReader(file); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Mode.String()+" "+h.Name+" "+h.Linkname+string(content))
	}
	want := []string{"040755 usr ", "040755 usr/sbin ", "0100755 usr/sbin/a one", "0120777 usr/sbin/b a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestArguments(t *testing.T) {
	f := func(s suite, run string, want ...string) {
		t.Helper()
		defer func(was []suite) { suites = was }(suites)
		suites = []suite{s}
		var got []string
		for _, s := range suitesOf(kernel1, run) {
			got = append(got, s.arguments()...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-run %q of %v (-want +got):\n%s", run, s.tests, diff)
		}
	}
	const verbose, limit = "-test.v=test2json", "-test.timeout=1m0s"
	named := suite{limit: time.Minute, tests: []string{"TestNATCases", "TestNATZones"}}
	f(named, "", verbose, limit, "-test.run=^(TestNATCases|TestNATZones)$")
	f(named, "TestNAT", verbose, limit, "-test.run=^(TestNATCases|TestNATZones)$")
	f(named, "Zones/ipv4/fentry", verbose, limit, "-test.run=^(TestNATZones)$/ipv4/fentry")
	f(named, "TestFlow")
	whole := suite{limit: time.Minute, short: true}
	f(whole, "TestNAT", verbose, limit, "-test.short", "-test.run=TestNAT")
	f(whole, "", verbose, limit, "-test.short")
}
