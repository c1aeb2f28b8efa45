package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// RequireRoot fails the test unless it runs as root.
func RequireRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces and needs root")
	}
}

// SinceKernel skips the test on a kernel older than version ("6.6"), where the named feature cannot exist. On that
// kernel or a newer one the test runs, and fails if the feature is missing.
func SinceKernel(t testing.TB, version, feature string) {
	t.Helper()
	if !IsKernel(t, version) {
		t.Skipf("%s needs Linux %s, this is %s", feature, version, release(t))
	}
}

// IsKernel tells whether the kernel at hand is of a version ("6.6") or newer.
func IsKernel(t testing.TB, version string) bool {
	t.Helper()
	wantMajor, wantMinor := parseVersion(t, version)
	major, minor := parseVersion(t, release(t))
	return major > wantMajor || major == wantMajor && minor >= wantMinor
}

func release(t testing.TB) string {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatalf("read kernel version: %v", err)
	}
	return unix.ByteSliceToString(u.Release[:])
}

// wholeKernel is the name of the environment variable that says so; see Lacks.
const wholeKernel = "SEINE_WHOLE_KERNEL"

// Lacks skips the test where the kernel at hand was built without a feature, or forbids it, and err is how that showed.
// It fails the test where the environment says that the kernel is whole (SEINE_WHOLE_KERNEL=1): built with all that its
// version has, as the virtual machines of `make check-kernels` are. Features that any host must have are not for Lacks.
func Lacks(t testing.TB, feature string, err error) {
	t.Helper()
	if os.Getenv(wholeKernel) != "" {
		t.Fatalf("%s does not work, though the kernel is whole: %v", feature, err)
	}
	t.Skipf("%s is not in this kernel: %v", feature, err)
}

// RequireGuest skips the test outside of the virtual machines of `make check-kernels`: it changes settings of the whole
// machine. Those machines run it, as test/kernels fails where a test that it names does not run.
func RequireGuest(t testing.TB) {
	t.Helper()
	if os.Getenv(wholeKernel) == "" {
		t.Skip("changes the whole machine: runs in virtual machines alone (make check-kernels)")
	}
}

// UnloadNetfilter removes netfilter's modules from the kernel once nothing uses them. It fails the test where conntrack
// stays, else it is as if none had been loaded.
func UnloadNetfilter(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(IOTimeout); ; time.Sleep(100 * time.Millisecond) {
		loaded, err := os.ReadFile("/proc/modules")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains("\n"+string(loaded), "\nnf_conntrack ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nf_conntrack is still in use: %s", loaded)
		}
		for line := range strings.Lines(string(loaded)) {
			if words := strings.Fields(line); netfilter.MatchString(words[0]) && words[2] == "0" {
				_ = exec.Command("rmmod", words[0]).Run() // It may have come into use, which the next round tells.
			}
		}
	}
}

var netfilter = regexp.MustCompile(`^(nf_|nft_|xt_|x_tables|ip_tables|ip6_tables|iptable_|ip6table_|nfnetlink)`)

// LoadModule loads a module of the kernel. A kernel that has it built in needs none, so an error is for the test to find
// by what is missing then.
func LoadModule(t testing.TB, name string) {
	t.Helper()
	if out, err := exec.Command("modprobe", name).CombinedOutput(); err != nil {
		t.Logf("load module %s: %v %s", name, err, out)
	}
}

func parseVersion(t testing.TB, release string) (major, minor int) {
	t.Helper()
	if n, _ := fmt.Sscanf(strings.TrimSpace(release), "%d.%d", &major, &minor); n != 2 {
		t.Fatalf("parse kernel version %q: want MAJOR.MINOR", release)
	}
	return major, minor
}
