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

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
)

// marked is a line of the test runner as -test.v=test2json marks it.
func marked(line string) string { return "\x16" + line + "\n" }

// TestRead gives what a guest may say to the reader and holds its judgement against the right one.
func TestRead(t *testing.T) {
	one := suite{name: "one", pkg: "internal/one", tests: []string{"TestA"}}
	defer func(was []suite) { suites = was }(suites)
	suites = []suite{one}
	const begin, end, all = beginMark + "one\n", endMark + "0\n", allMark + "\n"
	passed, failed := marked("=== NAME  ")+"PASS\n", marked("=== NAME  ")+"FAIL\n"
	pass := marked("=== RUN   TestA") + marked("--- PASS: TestA (0.10s)")
	f := func(name, said, shown, problem string) {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := newPrinter(&out)
			r := newResult(kernels[0], "")
			if err := r.read(t.Context(), strings.NewReader(said), p); err != nil {
				t.Fatal(err)
			}
			r.finish(p, "log")
			if !strings.Contains(out.String(), shown) {
				t.Errorf("shown %q, want %q in it", out.String(), shown)
			}
			if got := strings.Join(r.problems, "; "); r.passed() != (problem == "") || !strings.Contains(got, problem) {
				t.Errorf("passed %v, problems %q, want %q", r.passed(), got, problem)
			}
		})
	}
	f("all well", begin+pass+passed+end+all, "5.10       --- PASS: TestA (0.10s)\n", "")
	f("skipped for the version", begin+marked("=== RUN   TestA")+"    a.go:1: x needs Linux 6.2, this is 5.10.0\n"+
		marked("--- SKIP: TestA (0.00s)")+passed+end+all, "--- SKIP: TestA", "")
	f("skipped for no reason", begin+marked("=== RUN   TestA")+marked("--- SKIP: TestA (0.00s)")+passed+end+all,
		"--- SKIP: TestA", "TestA was skipped without a kernel version")
	f("failed", begin+marked("=== RUN   TestA")+"    a.go:2: wrong\n"+marked("--- FAIL: TestA (0.00s)")+failed+endMark+"1\n"+all,
		"a.go:2: wrong", "exit code 1")
	f("did not run", begin+"testing: warning: no tests to run\nPASS\n"+end+all, "ok one", "TestA did not run")
	f("ended in mid-test", begin+marked("=== RUN   TestA")+"    a.go:3: so far\n", "a.go:3: so far", "TestA did not end")
	f("not begun", "", "FAIL", "did not end")
}

func TestExcuse(t *testing.T) {
	for said, want := range map[string]bool{
		"x needs Linux 6.2, this is 6.1.0-50": true, "bonding is not in this kernel: no": true, "short": false, "": false,
	} {
		if got := excuse.MatchString(said); got != want {
			t.Errorf("%q excuses: %v, want %v", said, got, want)
		}
	}
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
	f := func(s suite, run, want string) {
		t.Helper()
		args := s.arguments(run)
		if got := args[len(args)-1]; got != want {
			t.Errorf("-run %q of %v: %q, want %q", run, s.tests, got, want)
		}
	}
	named := suite{tests: []string{"TestNATCases", "TestNATZones"}}
	f(named, "", "-test.run=^(TestNATCases|TestNATZones)$")
	f(named, "TestNAT", "-test.run=^(TestNATCases|TestNATZones)$")
	f(named, "Zones/ipv4/fentry", "-test.run=^(TestNATZones)$/ipv4/fentry")
	f(suite{}, "TestNAT", "-test.run=TestNAT")
	f(suite{}, "", "-test.timeout=0s")
	if got := named.matching("TestFlow"); len(got) != 0 {
		t.Errorf("TestFlow matches %v, want none", got)
	}
}
