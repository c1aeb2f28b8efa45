package testkit

import (
	"fmt"
	"os"
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
	wantMajor, wantMinor := parseVersion(t, version)
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatalf("read kernel version: %v", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	major, minor := parseVersion(t, release)
	if major < wantMajor || major == wantMajor && minor < wantMinor {
		t.Skipf("%s needs Linux %s, this is %s", feature, version, release)
	}
}

func parseVersion(t testing.TB, release string) (major, minor int) {
	t.Helper()
	if n, _ := fmt.Sscanf(strings.TrimSpace(release), "%d.%d", &major, &minor); n != 2 {
		t.Fatalf("parse kernel version %q: want MAJOR.MINOR", release)
	}
	return major, minor
}
