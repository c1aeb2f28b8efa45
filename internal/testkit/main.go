package testkit

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Main runs a package's tests and fails it when a goroutine or a file descriptor is left over at the end.
// It is all that a TestMain needs to call; it does not return.
func Main(m *testing.M) {
	before := descriptors()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if leaked := leakedDescriptors(before); code == 0 && len(leaked) > 0 {
			fmt.Fprintf(os.Stderr, "testkit: file descriptors leaked: %v\n", leaked)
			code = 1
		}
		os.Exit(code)
	}))
}

// leakedDescriptors waits for descriptors that finalizers and exiting goroutines still hold.
func leakedDescriptors(before map[string]int) map[string]int {
	var leaked map[string]int
	for range 40 {
		leaked = descriptors()
		maps.DeleteFunc(leaked, func(name string, n int) bool { return n <= before[name] })
		if len(leaked) == 0 {
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return leaked
}

// descriptors counts the open file descriptors by what they refer to. The Go runtime's own two, which it opens at
// first use and keeps, are left out.
func descriptors() map[string]int {
	open := make(map[string]int)
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		name, err := os.Readlink(link)
		if err != nil || name == "anon_inode:[eventpoll]" || name == "anon_inode:[eventfd]" {
			continue
		}
		kind, _, _ := strings.Cut(name, "[")
		open[kind]++
	}
	return open
}
