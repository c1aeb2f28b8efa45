package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

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
